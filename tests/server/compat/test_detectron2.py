"""detectron2-flask-api, by a client written from the contract alone: ``contracts.md``, 5."""

from __future__ import annotations

import base64
import io
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.operations.bright_pages import encoded, page
from tests.server.compat.listening import Listening

WRONG = {"data": "Wrong payload", "status_code": 500}
#: The corners of the bright rectangle.
CORNERS = [80, 80, 240, 280]


@dataclass(frozen=True)
class Place:
    """A workspace with folders of its own."""

    server: Listening
    name: str

    @property
    def folder(self) -> Path:
        """Where its images lie."""
        return self.server.data / "workspaces" / self.server.workspace(self.name) / "detectron2"

    def post(self, call: str, body: Any) -> httpx.Response:
        """The client's request."""
        return self.server.client(self.name).post(f"/api/detect-area-{call}", json=body)


@pytest.fixture
def api(server: Listening) -> Place:
    """A workspace in which nobody was before."""
    return Place(server, f"detectron2 {uuid.uuid4().hex}")


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def payload(**changes: Any) -> dict[str, Any]:
    sent = {"threshold_value": 0.5, "image_string": text(page()), "input_image_name": "in.png"}
    return {**sent, "output_image_name": "out.png", **changes}


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def image(coded: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(coded)))


def test_boxes_crops_and_files_of_an_image_sent_as_base64(server: Listening) -> None:
    answer = Place(server, "default").post("base64", payload()).json()
    assert answer["status_code"] == 200
    data = answer["data"]
    ((box, score),) = data["detected_bounding_boxes"]
    assert box == {"box_0": CORNERS}
    assert 0.9 < score["score_0"] <= 1
    assert image(data["output_image"]).size == (640, 480)
    (part,) = data["partial_images"]
    assert image(part["partial_image_0"]).size == (160, 200)

    folder = server.data / "detectron2"
    assert files(folder) == {
        "input/images/in.png",
        "output/images/out.png",
        "output/images/OUTPUT_PARTIAL_IMAGE_out_0.jpg",
        "output/string_images/OUTPUT_BASE_out.txt",
        "output/string_images/OUTPUT_PARTIAL_IMAGE_BASE_out_0.txt",
    }
    assert (folder / "input/images/in.png").read_bytes() == page()
    drawn = (folder / "output/images/out.png").read_bytes()
    assert text(drawn) == data["output_image"]
    assert (folder / "output/string_images/OUTPUT_BASE_out.txt").read_text() == data["output_image"]
    crop = (folder / "output/images/OUTPUT_PARTIAL_IMAGE_out_0.jpg").read_bytes()
    assert text(crop) == part["partial_image_0"]
    coded = (folder / "output/string_images/OUTPUT_PARTIAL_IMAGE_BASE_out_0.txt").read_text()
    assert coded == part["partial_image_0"]
    assert Image.open(io.BytesIO(drawn)).tobytes() != Image.open(io.BytesIO(page())).tobytes()


def test_the_threshold_is_obeyed(api: Place) -> None:
    assert api.post("base64", payload()).json()["data"]["partial_images"]
    dim = Image.new("RGB", (640, 480), (0, 0, 0))
    dim.paste((180, 180, 180), (80, 80, 240, 280))
    sent = text(encoded(dim, "PNG"))
    low = api.post("base64", payload(threshold_value=0.6, image_string=sent)).json()["data"]
    assert len(low["detected_bounding_boxes"]) == 1
    high = api.post("base64", payload(threshold_value=0.9, image_string=sent)).json()["data"]
    assert high["detected_bounding_boxes"] == high["partial_images"] == []
    # What an earlier call has cut out is not left beside what this one has found.
    assert not list((api.folder).rglob("OUTPUT_PARTIAL*"))


def test_all_images_of_the_folder_and_some_by_name(api: Place) -> None:
    assert api.post("all", {"threshold_value": 0.5}).json() == {
        "data": {"message": "no input files"},
        "status_code": 200,
    }
    folder = api.folder / "input" / "images"
    for name in ("b.png", "a.jpg"):
        (folder / name).write_bytes(page("JPEG" if name == "a.jpg" else "PNG"))
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden").write_text("no image")
    answer = api.post("all", {"threshold_value": 0.5}).json()
    assert answer["status_code"] == 200
    assert [each["input_image_name"] for each in answer["data"]] == ["a.jpg", "b.png", "notes.txt"]
    assert [len(each.get("detected_bounding_boxes", [])) for each in answer["data"]] == [1, 1, 0]
    assert "notes.txt" in answer["data"][2]["message"]
    assert {"a.jpg", "b.png"} <= {path.name for path in (api.folder / "output/images").iterdir()}

    named = api.post("by-name", {"image_names": ["b.png"], "threshold_value": 0.5}).json()
    assert named == {"data": [answer["data"][1]], "status_code": 200}
    missing = api.post("by-name", {"image_names": ["b.png", "c.png"], "threshold_value": 0.5}).json()
    assert missing == {"data": {"message": "no such image c.png"}, "status_code": 200}


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("base64", {}),
        ("base64", payload(threshold_value="much")),
        ("base64", payload(threshold_value=50)),
        ("base64", payload(image_string="!!!")),
        ("base64", payload(image_string=text(b"no image at all, but long enough to be one"))),
        ("base64", {key: value for key, value in payload().items() if key != "output_image_name"}),
        ("base64", payload(output_image_name="out.exe")),
        ("all", {}),
        ("all", []),
        ("by-name", {"threshold_value": 0.5}),
        ("by-name", {"threshold_value": 0.5, "image_names": "a.png"}),
    ],
)
def test_a_wrong_payload_is_told_and_leaves_nothing(api: Place, call: str, body: Any) -> None:
    answer = api.post(call, body)
    assert (answer.status_code, answer.json()) == (200, WRONG)
    assert files(api.folder) == set()


def test_a_page_of_another_site_cannot_send_a_payload_unasked(api: Place) -> None:
    body = b'{"threshold_value": 0.5}'
    answer = api.server.client(api.name).post(
        "/api/detect-area-all", content=body, headers={"Content-Type": "text/plain"}
    )
    assert answer.json() == WRONG


@pytest.mark.parametrize("field", ["input_image_name", "output_image_name"])
def test_names_that_leave_the_folders_are_refused(api: Place, field: str) -> None:
    names = [
        "../out.png",
        "/tmp/out.png",
        "a/b.png",
        "..\\b.png",
        "..",
        ".png",
        "a\0.png",
        "C:b.png",
        f"{'a' * 300}.png",
    ]
    before = {path for path in files(api.server.data) if path.endswith(".png")}
    for name in names:
        assert api.post("base64", payload(**{field: name})).json() == WRONG, name
        asked = api.post("by-name", {"image_names": [name], "threshold_value": 0.5}).json()
        assert asked["data"] == {"message": f"no such image {name}"}
    assert {path for path in files(api.server.data) if path.endswith(".png")} == before


def test_a_link_that_leads_elsewhere_is_neither_read_nor_written_through(api: Place, tmp_path: Path) -> None:
    api.post("all", {"threshold_value": 0.5})
    outside = tmp_path / "outside.png"
    outside.write_bytes(page())
    folder = api.folder
    (folder / "input" / "images" / "link.png").symlink_to(outside)
    (folder / "output" / "images" / "out.png").symlink_to(outside)
    asked = api.post("by-name", {"image_names": ["link.png"], "threshold_value": 0.5}).json()
    assert asked["data"] == {"message": "no such image link.png"}
    api.post("base64", payload(input_image_name="link.png"))
    assert outside.read_bytes() == page()
    assert not (folder / "output" / "images" / "out.png").is_symlink()


def test_each_workspace_has_folders_of_its_own(api: Place, server: Listening) -> None:
    assert api.post("base64", payload(input_image_name="mine.png")).json()["status_code"] == 200
    assert "input/images/mine.png" in files(api.folder)
    for other in (Place(server, "default"), Place(server, "somebody else")):
        theirs = other.post("by-name", {"image_names": ["mine.png"], "threshold_value": 0.5}).json()
        assert theirs["data"] == {"message": "no such image mine.png"}


def test_other_errors_have_the_same_form(api: Place) -> None:
    api.server.route("detectron2", "bright@7", workspace=api.name)
    answer = api.post("all", {"threshold_value": 0.5})
    assert answer.status_code == answer.json()["status_code"] == 404
    assert "bright@7" in answer.json()["data"]
    refused = httpx.post(f"{api.server.url}/api/detect-area-all", json={"threshold_value": 0.5}, trust_env=False)
    assert refused.status_code == refused.json()["status_code"] == 401
