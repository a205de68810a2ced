"""What somebody sends becomes pages."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from limner.core.errors import AddressRefusedError, DecodeError, LimnerError, TooLargeError, UsageError
from limner.core.settings import Settings
from limner.operations.candidates import MOST_PAGES, ImageInput, candidates
from limner.operations.services import Services
from limner.sources.protocol import Picture, SourceContext, Want
from tests.operations.bright_pages import SIZE, drawn, encoded, page


@pytest.fixture
def context(tmp_path: Path) -> Iterator[SourceContext]:
    with Services(Settings(data=tmp_path / "data", fetch_max_bytes=1_000_000, fetch_retries=0)) as services:
        yield services.sources


def file(data: bytes, name: str = "") -> ImageInput:
    return ImageInput(io.BytesIO(data), name)


async def first(text: str, context: SourceContext) -> Picture:
    """The first page behind a text."""
    found = await candidates([ImageInput(text)], context)
    decode = await found[0].fetch(Want())
    return decode(Want())


async def test_a_file_is_decoded_from_its_beginning(context: SourceContext) -> None:
    image = io.BytesIO(page())
    image.seek(99)
    (candidate,) = await candidates([ImageInput(image, "a.png")], context)
    decode = await candidate.fetch(Want())
    picture = decode(Want())
    assert (picture.width, picture.height) == SIZE
    assert not candidate.remote


async def test_pages_are_numbered_and_named_apart(context: SourceContext) -> None:
    found = await candidates([file(page(), "a.png"), file(page(), "a.png"), file(page())], context)
    assert [each.page.index for each in found] == [0, 1, 2]
    assert [each.page.name for each in found] == ["a.png", "a-2.png", "image"]
    assert len({each.page.id for each in found}) == 3


async def test_the_pages_of_a_tiff_are_decoded_each_for_itself(context: SourceContext) -> None:
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    first, *rest = [Image.new("RGB", (8, 8), colour) for colour in colours]
    tiff = encoded(first, "TIFF", save_all=True, append_images=rest)
    found = await candidates([file(tiff, "scan.tif")], context)
    decoded = [(await each.fetch(Want()))(Want()) for each in found]
    assert [tuple(int(value) for value in picture.pixels[0, 0]) for picture in decoded] == colours


async def test_a_tiff_with_too_many_pages_is_a_job(context: SourceContext) -> None:
    dot = Image.new("L", (1, 1))
    tiff = encoded(dot, "TIFF", save_all=True, append_images=[dot] * MOST_PAGES)
    with pytest.raises(UsageError, match="job"):
        await candidates([file(tiff)], context)


async def test_too_many_files_are_a_job(context: SourceContext) -> None:
    with pytest.raises(UsageError, match="job"):
        await candidates([file(page())] * (MOST_PAGES + 1), context)


async def test_without_an_image_there_is_nothing_to_do(context: SourceContext) -> None:
    with pytest.raises(UsageError, match="no image"):
        await candidates([], context)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("ftp://example.org/a.png", UsageError),
        ("file:///etc/passwd", UsageError),
        ("http://127.0.0.1/a.png", AddressRefusedError),
        ("http://[::1]/a.png", AddressRefusedError),
        ("http://169.254.169.254/latest", AddressRefusedError),
        ("http://", UsageError),
        ("data:image/png,hello", DecodeError),
        ("data:nothing", DecodeError),
        ("$$$$", DecodeError),
        ("/etc/passwd", DecodeError),
        ("A" * 2_000_000, TooLargeError),
    ],
)
async def test_other_text_is_refused(context: SourceContext, text: str, error: type[LimnerError]) -> None:
    with pytest.raises(error):
        await first(text, context)


async def test_a_file_in_the_working_folder_is_never_opened(
    context: SourceContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is good base64, and long enough to be looked at."""
    monkeypatch.chdir(tmp_path)
    name = base64.b64encode(page()).decode()[:64].replace("/", "A").replace("+", "A")
    (tmp_path / name).write_bytes(page())
    with pytest.raises(DecodeError):
        await first(name, context)


async def test_the_picture_is_made_smaller_where_less_is_wanted(context: SourceContext) -> None:
    (candidate,) = await candidates([file(encoded(drawn((4000, 3000)), "JPEG"))], context)
    picture = (await candidate.fetch(Want(600)))(Want(600))
    assert (picture.width, picture.height) == (4000, 3000)
    assert 600 <= max(picture.pixels.shape) < 1200
