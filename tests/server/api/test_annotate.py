"""``POST /v1/annotate``."""

import base64
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from limner.annotations.formats.protocol import WRITERS
from tests.operations.bright_pages import BOX, SIZE, drawn, encoded, page
from tests.server.conftest import MakeClient
from tests.server.running import token_for, with_token

URL = "/v1/annotate"


def files(*images: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    """Some images as the files of a form."""
    return [("file", (f"page-{number}.png", image)) for number, image in enumerate(images, 1)]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A web server on loopback with ``page.png`` and ``text.txt``; gives its address."""
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "page.png").write_bytes(page())

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file_is_annotated(client: TestClient) -> None:
    answer = client.post(URL, files=files(page()))
    assert answer.status_code == 200
    body = answer.json()
    assert body["model"] == "bright@1"
    (only,) = body["pages"]
    assert (only["page"]["name"], only["page"]["width"], only["page"]["height"]) == ("page-1.png", *SIZE)
    (found,) = only["annotations"]
    assert (found["label"], found["box"]) == ("bright", BOX)
    assert found["provenance"]["model"] == "bright"
    assert set(body["seconds"]) == {"queue", "decode", "model"}
    timing = dict(part.split(";dur=") for part in answer.headers["server-timing"].split(", "))
    assert set(timing) == {"queue", "decode", "model", "write"}


def test_several_files_keep_their_order(client: TestClient) -> None:
    black = encoded(Image.new("RGB", SIZE), "PNG")
    pages = client.post(URL, files=files(page(), black, page())).json()["pages"]
    assert [len(each["annotations"]) for each in pages] == [1, 0, 1]
    assert [each["page"]["index"] for each in pages] == [0, 1, 2]
    assert len({each["page"]["id"] for each in pages}) == 3


def test_files_of_one_name_are_told_apart(client: TestClient) -> None:
    pages = client.post(URL, files=[("file", ("a.png", page()))] * 2).json()["pages"]
    assert [each["page"]["name"] for each in pages] == ["a.png", "a-2.png"]


@pytest.mark.parametrize("form", ["plain", "wrapped", "data"])
def test_base64_is_annotated(client: TestClient, form: str) -> None:
    text = base64.b64encode(page()).decode()
    given = {"plain": text, "wrapped": "\n".join([text[:100], text[100:]]), "data": f"data:image/png;base64,{text}"}
    body = client.post(URL, json={"image": given[form]}).json()
    assert body["pages"][0]["annotations"][0]["box"] == BOX


def test_an_address_is_fetched(client: TestClient, web: str) -> None:
    body = client.post(URL, json={"images": [f"{web}/page.png", base64.b64encode(page()).decode()]}).json()
    assert [each["annotations"][0]["box"] for each in body["pages"]] == [BOX, BOX]
    assert body["pages"][0]["page"]["source"] == f"{web}/page.png"
    assert "download" in body["seconds"]


def test_an_address_inside_the_network_is_not_fetched(make_client: MakeClient, web: str) -> None:
    answer = make_client(auth=False, source_networks="").post(URL, json={"image": f"{web}/page.png"})
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:limner:problem:source.address-refused"


def test_no_text_is_ever_taken_for_a_path(client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("page.png", "list.txt", "manifest.json"):
        (tmp_path / name).write_bytes(page())
    for text in ("page.png", str(tmp_path / "page.png"), "file:///etc/passwd", f"file://{tmp_path}/page.png", "*.png"):
        answer = client.post(URL, json={"image": text})
        assert 400 <= answer.status_code < 500, text
        assert "annotations" not in answer.text
        form = client.post(URL, data={"image": text}, files={"file": page()})
        assert 400 <= form.status_code < 500, text


def test_options_are_obeyed(client: TestClient) -> None:
    def found(**fields: object) -> list[dict]:
        answer = client.post(URL, json={"image": base64.b64encode(page()).decode(), **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()["pages"][0]["annotations"]

    assert len(found()) == 1
    assert found(threshold=1.0) == []
    assert found(labels=["red"]) == []
    assert len(found(labels=["red", "bright"])) == 1
    assert found(zones=[[300, 0, 640, 480]]) == []
    assert len(found(zones=[[0, 0, 320, 320]])) == 1
    assert len(found(model="bright@1")) == 1


def test_a_form_says_the_same(client: TestClient) -> None:
    fields = {"threshold": "0.1", "labels": "red, bright", "zones": "[[0,0,320,320]]", "model": ""}
    assert len(client.post(URL, files=files(page()), data=fields).json()["pages"][0]["annotations"]) == 1
    assert client.post(URL, files=files(page()), data={"labels": "red"}).json()["pages"][0]["annotations"] == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 400),
        ({"image": "x", "colour": "red"}, 422),
        ({"image": "x", "threshold": 2}, 422),
        ({"image": "x", "zones": [[1, 2, 3]]}, 422),
        ({"image": "x", "zones": [[5, 5, 1, 1]]}, 422),
        ({"image": "x", "zones": [["nan", 5, 7, 9]]}, 422),
        ({"image": ""}, 422),
        ({"images": []}, 400),
        ({"image": 5}, 422),
        ({"image": "AAAA"}, 422),
        ({"image": "no base64!"}, 422),
        ({"images": ["x"] * 101}, 422),
        ({"image": base64.b64encode(page()).decode(), "model": "nothing"}, 404),
        ({"image": base64.b64encode(page()).decode(), "labels": ["green"]}, 400),
    ],
)
def test_what_cannot_be_done_is_said(client: TestClient, fields: dict[str, object], status: int) -> None:
    answer = client.post(URL, json=fields)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_bodies_that_are_neither_form_nor_json_are_refused(client: TestClient) -> None:
    assert client.post(URL, content=page(), headers={"Content-Type": "image/png"}).status_code == 400
    assert client.post(URL, content=b"{", headers={"Content-Type": "application/json"}).status_code == 422
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post(URL, content=b"--x\r\nno form", headers=broken).status_code == 400
    assert client.post(URL, data={"zones": "[["}, files=files(page())).status_code == 400
    assert client.post(URL, files={"picture": page()}).status_code == 400


def test_json_that_is_too_large_is_refused(make_client: MakeClient) -> None:
    client = make_client(auth=False, fetch_max_bytes=1000)
    answer = client.post(URL, json={"image": "A" * 1_000_001})
    assert answer.status_code == 413


def test_an_only_image_that_is_none_is_an_error(client: TestClient) -> None:
    answer = client.post(URL, files=files(b"%PDF-1.7 something"))
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:limner:problem:source.decode"


def test_one_bad_image_of_several_says_so_in_its_place(client: TestClient) -> None:
    first, second = client.post(URL, files=files(page(), page()[:300])).json()["pages"]
    assert len(first["annotations"]) == 1
    assert "cannot be decoded" in second["error"]
    assert second["annotations"] == []


def test_every_page_of_a_tiff_is_annotated(client: TestClient) -> None:
    tiff = encoded(drawn(), "TIFF", save_all=True, append_images=[Image.new("RGB", SIZE), drawn()])
    pages = client.post(URL, files={"file": ("scan.tif", tiff)}).json()["pages"]
    assert [each["page"]["name"] for each in pages] == ["scan_0001.tif", "scan_0002.tif", "scan_0003.tif"]
    assert [len(each["annotations"]) for each in pages] == [1, 0, 1]


@pytest.mark.parametrize("name", WRITERS.names())
def test_every_format_is_given(client: TestClient, name: str) -> None:
    answer = client.post(URL, params={"format": name}, files=files(page()))
    assert answer.status_code == 200, answer.text
    expected = WRITERS.get(name).media_type.partition(";")[0]
    assert answer.headers["content-type"].partition(";")[0] in (expected, "application/zip")
    assert answer.content


def test_a_format_of_several_files_is_zipped(client: TestClient) -> None:
    answer = client.post(URL, params={"format": "voc"}, files=files(page(), page()))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert len(archive.namelist()) == 2
        assert all(b"<annotation>" in archive.read(name) for name in archive.namelist())


def test_what_a_format_cannot_hold_is_said(client: TestClient) -> None:
    answer = client.post(URL, params={"format": "extractor"}, files=files(page()))
    assert answer.text == "1 page-1.png\n80 80 160 200\n"
    assert "scores" in answer.headers["x-limner-warning"]


def test_an_overlay_is_a_picture_of_the_page(client: TestClient) -> None:
    for how in ({"params": {"format": "overlay"}}, {"headers": {"Accept": "image/png"}}):
        answer = client.post(URL, files=files(page()), **how)
        assert answer.headers["content-type"] == "image/png"
        picture = Image.open(io.BytesIO(answer.content))
        assert picture.size == SIZE
        assert picture.getpixel((500, 400)) == (10, 10, 10)
        assert picture.getpixel((82, 180)) != (250, 250, 250)
    assert client.post(URL, files=files(page(), page()), headers={"Accept": "image/png"}).status_code == 400


def test_what_is_accepted_chooses_the_form(client: TestClient) -> None:
    answer = client.post(URL, files=files(page()), headers={"Accept": "text/csv;q=0.9, */*"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert client.post(URL, files=files(page()), headers={"Accept": "application/json"}).json()["model"]
    assert client.post(URL, params={"format": "json"}, files=files(page()), headers={"Accept": "text/csv"}).json()


def test_an_unknown_format_is_refused_with_the_nearest(client: TestClient) -> None:
    answer = client.post(URL, params={"format": "cocoo"}, files=files(page()))
    assert answer.status_code == 404
    assert "coco" in answer.json()["detail"]


def test_a_token_that_may_only_train_may_not(anonymous: TestClient) -> None:
    trainer = with_token(anonymous, token_for(anonymous, "train"))
    assert trainer.post(URL, files=files(page())).status_code == 403
    annotator = with_token(anonymous, token_for(anonymous, "annotate"))
    assert annotator.post(URL, files=files(page())).status_code == 200


def test_many_clients_at_once_get_their_own_answers(client: TestClient) -> None:
    """Each page has its rectangle elsewhere."""
    wrong: list[object] = []

    def ask(number: int) -> None:
        image = Image.new("RGB", SIZE, (10, 10, 10))
        image.paste((250, 250, 250), (40 * number, 80, 40 * number + 80, 200))
        body = client.post(URL, files=files(encoded(image, "PNG"))).json()
        if body["pages"][0]["annotations"][0]["box"] != [40 * number, 80, 80, 120]:
            wrong.append(body)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_answer_is_what_the_documentation_says(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    operation = described["paths"][URL]["post"]
    assert set(operation["requestBody"]["content"]) == {"multipart/form-data", "application/json"}
    schema = described["components"]["schemas"]["AnnotateAnswer"]
    assert set(schema["properties"]) == set(client.post(URL, files=files(page())).json())
    assert json.dumps(operation["requestBody"])
