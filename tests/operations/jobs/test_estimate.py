import asyncio

import pytest

from limner.core.errors import NotIIIFError, SourceError
from limner.operations.jobs.estimate import estimate
from tests.operations.jobs.conftest import MakeLibrary
from tests.operations.jobs.workplace import Workplace


@pytest.fixture
def bundle(place: Workplace) -> object:
    return place.desk().model(None, None).changed(page_seconds=2.0)


def test_an_address_and_a_manifest_say_the_same(place: Workplace, bundle: object, library: MakeLibrary) -> None:
    server = library(3)
    context = place.services.sources
    by_address, by_json = (
        asyncio.run(estimate(source, bundle, context)) for source in (server.manifest_url(), server.manifest())
    )
    assert by_address == by_json
    assert (by_address.type, by_address.images) == ("Manifest", 3)
    assert by_address.estimate_seconds >= 6
    assert not any(path.startswith("/image/") for path in server.log)


def test_paths_are_no_sources_and_do_not_show(place: Workplace, bundle: object) -> None:
    context = place.services.sources
    with pytest.raises(SourceError, match="no address"):
        asyncio.run(estimate("/etc/passwd", bundle, context))
    with pytest.raises(NotIIIFError) as raised:
        asyncio.run(estimate({"type": "Range"}, bundle, context))
    assert "limner-estimate" not in str(raised.value)
    assert str(raised.value).startswith("The source")
