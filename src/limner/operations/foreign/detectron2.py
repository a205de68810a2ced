"""The folders of detectron2-flask-api (contracts, 5), and what is found on the images that lie there."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from limner.annotations.annotation import Annotation, Json
from limner.annotations.drawing.crops import cut_out
from limner.core.errors import LimnerError, UsageError
from limner.models.bundle import Bundle
from limner.models.protocol import Options
from limner.operations.candidates import ImageInput
from limner.operations.foreign.drawn import draw_found, encoded
from limner.operations.foreign.once import annotate_image, first_page
from limner.operations.instant import InstantPage
from limner.operations.library import workspace_folder
from limner.operations.services import Services
from limner.sources.base64 import data_of

#: What the drawn image is written as, by the suffix of its name.
_KINDS: Mapping[str, str] = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
#: A name of a file in one of the folders: nothing that a path is made of, and not hidden.
_NAME = re.compile(r"[^./\\:\x00-\x1f\x7f\ud800-\udfff][^/\\:\x00-\x1f\x7f\ud800-\udfff]*")
#: Longest name, bytes: the names of crops are longer, and file systems take 255.
_LONGEST = 180
_PARTIAL = ".partial"


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a workspace's images lie."""

    root: Path

    @classmethod
    def of(cls, data: Path, workspace_id: str, home: str) -> Folders:
        """Those of a workspace; the workspace ``home`` has them where the original has them, below the data folder."""
        base = data if workspace_id == home else workspace_folder(data, workspace_id)
        return cls(base / "detectron2")

    @property
    def input(self) -> Path:
        """The images to be looked at."""
        return self.root / "input" / "images"

    @property
    def output(self) -> Path:
        """The images with what was found drawn in, and the parts cut out of them."""
        return self.root / "output" / "images"

    @property
    def texts(self) -> Path:
        """The same as base64."""
        return self.root / "output" / "string_images"

    def make(self) -> None:
        """Make those that are missing, so that people find where to put their images."""
        for folder in (self.input, self.output, self.texts):
            folder.mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        """The files in the folder for input, in order; hidden ones and links to elsewhere do not count."""
        inside = self.input.resolve()
        return sorted(path.name for path in self.input.iterdir() if _NAME.fullmatch(path.name) and _lies(path, inside))


def _lies(path: Path, folder: Path) -> bool:
    return path.is_file() and path.resolve().parent == folder


def checked_name(name: str) -> str:
    """The name of a file that can be written; raises `UsageError` where it would leave its folder or is no image's."""
    if not _NAME.fullmatch(name) or len(name.encode()) > _LONGEST:
        raise UsageError(f"{name[:80]!r} cannot be the name of a file.", hint="Use a plain name, without a path.")
    if Path(name).suffix.lower() not in _KINDS:
        raise UsageError(f"{name!r} is no name of an image.", hint=f"It has to end in one of {', '.join(_KINDS)}.")
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """Finds things on images, and writes down what it found as the original does."""

    folders: Folders
    bundle: Bundle
    threshold: float
    services: Services
    workspace_id: str

    async def sent(self, image: str, name: str, output: str) -> dict[str, Json]:
        """What is on an image given as base64, kept under a name; raises `UsageError`, `SourceError` or `ModelError`.

        Nothing is written where the image cannot be used.
        """
        names = checked_name(name), checked_name(output)
        data = await asyncio.to_thread(data_of, image, self.services.settings.fetch_max_bytes)
        page = await self._page(io.BytesIO(data), name)
        await asyncio.to_thread(_write, self.folders.input / names[0], data)
        return await asyncio.to_thread(self._written, page, names[1])

    async def lying(self, names: Sequence[str]) -> AsyncIterator[dict[str, Json]]:
        """What is on some images of the folder for input, one after the other; one that fails says why."""
        for name in names:
            try:
                with (self.folders.input / name).open("rb") as file:
                    page = await self._page(file, name)
                found = await asyncio.to_thread(self._written, page, _output_name(name))
            except LimnerError as error:
                found = {"message": str(error)}
            except FileNotFoundError:  # taken away since the folder was read
                found = {"message": f"no such image {name}"}
            yield {"input_image_name": name, **found}

    async def _page(self, file: BinaryIO, name: str) -> InstantPage:
        result = await annotate_image(
            ImageInput(file, name),
            self.bundle,
            Options(self.threshold),
            self.services,
            workspace_id=self.workspace_id,
            picture_side=None,
        )
        return first_page(result)

    def _written(self, page: InstantPage, output: str) -> dict[str, Json]:
        """The answer for one image; its parts are files too."""
        stem, found = Path(output).stem, page.annotated.annotations
        drawn = encoded(draw_found(page), _KINDS[Path(output).suffix.lower()])
        parts = [encoded(part, "JPEG") for part in _parts(page)]
        texts = [base64.b64encode(part).decode() for part in parts]
        whole = base64.b64encode(drawn).decode()
        _write(self.folders.output / output, drawn)
        _write(self.folders.texts / f"OUTPUT_BASE_{stem}.txt", whole.encode())
        for number, (part, text) in enumerate(zip(parts, texts, strict=True)):
            _write(self.folders.output / f"OUTPUT_PARTIAL_IMAGE_{stem}_{number}.jpg", part)
            _write(self.folders.texts / f"OUTPUT_PARTIAL_IMAGE_BASE_{stem}_{number}.txt", text.encode())
        self._forget(stem, len(parts))
        return {
            "detected_bounding_boxes": [_box(number, each) for number, each in enumerate(found)],
            "output_image": whole,
            "partial_images": [{f"partial_image_{number}": text} for number, text in enumerate(texts)],
        }

    def _forget(self, stem: str, number: int) -> None:
        """Remove the parts that an earlier call has found more of, so that those that lie there belong together."""
        while (part := self.folders.output / f"OUTPUT_PARTIAL_IMAGE_{stem}_{number}.jpg").is_file():
            part.unlink()
            (self.folders.texts / f"OUTPUT_PARTIAL_IMAGE_BASE_{stem}_{number}.txt").unlink(missing_ok=True)
            number += 1


def _output_name(name: str) -> str:
    """What the drawn image is called: the same, or a PNG where its kind is not written."""
    return name if Path(name).suffix.lower() in _KINDS else f"{name}.png"


def _box(number: int, annotation: Annotation) -> Json:
    score = 1.0 if annotation.score is None else annotation.score
    return [{f"box_{number}": [*annotation.shape.bounds.corners]}, {f"score_{number}": score}]


def _parts(page: InstantPage) -> list[Image.Image]:
    """The part of the image in each box, one for each annotation: a single pixel for a box beside the image."""
    assert page.picture is not None  # noqa: S101 - it was asked for
    image, size = Image.fromarray(page.picture.pixels), (page.picture.width, page.picture.height)
    return [cut_out(image, each, size) or image.crop((0, 0, 1, 1)) for each in page.annotated.annotations]


def _write(path: Path, data: bytes) -> None:
    """Write a file, which nobody sees before it is complete; a link in its place is replaced, not followed."""
    partial = path.with_name(f".{uuid.uuid4().hex}{_PARTIAL}")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
