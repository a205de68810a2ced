import base64
import json
from urllib.parse import parse_qs, unquote, urlsplit

from limner.operations.publishing.places import Place, content_state, without_key

PLACE = Place("https://limner.example", "AbCdEfGhIjKlMnOpQrStUvWxYz012345")
MANIFEST = "https://limner.example/iiif/AbCdEfGhIjKlMnOpQrStUvWxYz012345/manifest.json"


def _decoded(state: str) -> dict[str, str]:
    """As a viewer does it: restore the padding, decode, decodeURIComponent, parse."""
    padded = state + "=" * (-len(state) % 4)
    return json.loads(unquote(base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")))


def test_everything_is_below_the_key() -> None:
    assert PLACE.manifest == MANIFEST
    assert PLACE.images(3).startswith(PLACE.document(3))
    assert PLACE.document(3).startswith(PLACE.base)


def test_a_content_state_says_what_to_open() -> None:
    state = content_state(MANIFEST)
    assert "=" not in state
    context = "http://iiif.io/api/presentation/3/context.json"
    assert _decoded(state) == {"@context": context, "id": MANIFEST, "type": "Manifest"}


def test_links_open_the_manifest_in_a_viewer() -> None:
    links = PLACE.links("https://viewer.example/embed/")
    assert links["iiif"] == MANIFEST
    (state,) = parse_qs(urlsplit(links["content_state"]).query)["iiif-content"]
    assert _decoded(state)["id"] == MANIFEST
    assert parse_qs(urlsplit(links["viewer"]).query) == {"iiif-content": [MANIFEST]}
    assert PLACE.links("https://viewer.example/?a=b")["viewer"].startswith("https://viewer.example/?a=b&iiif-content=")


def test_logs_hold_no_key() -> None:
    assert without_key("/iiif/AbCdEfGhIj/0/images/3/info.json") == "/iiif/AbCdEf…/0/images/3/info.json"
    assert without_key("/v1/jobs") == "/v1/jobs"
    assert "GhIj" not in without_key("/iiif/AbCdEfGhIj")
