"""Taking somebody's dataset in: annotations in any format that is read, with the images they speak of."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from limner.annotations.document import AnnotatedPage
from limner.annotations.page import Page
from limner.core.errors import FormatError, LimnerError, SourceError, UsageError
from limner.core.settings import Settings
from limner.operations.datasets.gathering import Gathering, Imported, Wishes, fetcher
from limner.operations.datasets.images import KeptImage
from limner.operations.datasets.layout import folder_of, split_in_folders, split_in_name
from limner.operations.datasets.places import Alone, Folder, Place, Zipped, open_place
from limner.operations.datasets.reading import (
    MANY_PAGES,
    AnnotationFile,
    Material,
    detect,
    files_of,
    look_at,
    read_file,
    unannotated,
)
from limner.operations.datasets.sidecar import Beside
from limner.sources.images.magic import HEAD, Media, identify
from limner.sources.naming import plain_text
from limner.sources.net.downloader import Kind
from limner.sources.protocol import SourceContext
from limner.sources.urls import is_address
from limner.training.datasets.dataset import Split
from limner.training.datasets.store import DatasetStore

#: Most names that are told of what was passed over.
_TOLD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How the files of a dataset are to be read."""

    #: Name of a format; None to find out.
    format: str | None = None
    #: What keeps pages together in one split: ``page`` (nothing does), ``folder``, or a pattern whose first
    #: group, in the path of an image, names its document.
    documents: str = "page"
    #: Whether images without annotations are pages on which there is nothing.
    unannotated: bool = False

    def document_of(self, path: str) -> str:
        """The document of an image."""
        if self.documents == "page":
            return path
        if self.documents == "folder":
            return folder_of(path) or path
        found = re.search(self.documents, path)
        return (found[1] if found.re.groups else found[0]) or path if found else path

    def __post_init__(self) -> None:
        if self.documents not in ("page", "folder"):
            try:
                re.compile(self.documents)
            except re.error as error:
                raise UsageError(f"{self.documents!r} is no pattern: {error}.") from error


def import_dataset(
    spec: str | Path, store: DatasetStore, wishes: Wishes, how: How, context: SourceContext, images: Path | None = None
) -> Imported:
    """Take a folder, a zip file, a file of annotations, or the address of one in; the new version and what was odd.

    Raises `UsageError`, `SourceError`, `FormatError` or `DatasetError` where nothing can be taken in.
    """
    if is_address(str(spec)):
        return asyncio.run(_import_address(str(spec), store, wishes, how, context))
    place = open_place(Path(spec), context.settings, images)
    return import_place(place, store, wishes, how, context, source=place.name)


async def _import_address(url: str, store: DatasetStore, wishes: Wishes, how: How, context: SourceContext) -> Imported:
    download = await context.downloader.fetch(url, Kind.FILE)
    name = PurePosixPath(unquote(urlsplit(url).path)).name or "dataset"

    def take() -> Imported:
        place = place_of_file(download.path, name, context.settings)
        return import_place(place, store, wishes, how, context, source=plain_text(url))

    return await asyncio.to_thread(take)


def place_of_file(path: Path, name: str, settings: Settings) -> Place:
    """The place in a file that came from elsewhere; ``name`` is what it was called there. Raises `SourceError`."""
    with path.open("rb") as file:
        media = identify(file.read(HEAD))
    if media is Media.ZIP:
        return Zipped.open(path, name, settings)
    if media in (Media.JSON, Media.TEXT, Media.XML):
        # Its images are fetched from where it says they are.
        nothing = Folder(path.parent, settings.fetch_max_bytes)
        return Alone(path, nothing, plain_text(PurePosixPath(name).stem), (plain_text(name),))
    raise SourceError(f"{plain_text(name)} is no dataset.", hint="It has to be a zip file, or a file of annotations.")


def import_place(
    place: Place, store: DatasetStore, wishes: Wishes, how: How, context: SourceContext, *, source: str
) -> Imported:
    """Take the files of a place in; see `import_dataset`."""
    material = look_at(place)
    format_name = how.format or detect(material)
    known = material.sidecar
    wishes = replace(wishes, title=wishes.title or known.title, licence=wishes.licence or known.licence)
    gathering = Gathering(store, context.settings, wishes, material.problems)
    intake = _Intake(material, gathering, how, format_name, fetcher(context.downloader, context.settings))
    intake.take()
    return gathering.finish(format_name=format_name, source=source)


@dataclass(slots=True)
class _Intake:
    """One import. An image is read, decoded and kept when its page is due: few are in memory at one time."""

    material: Material
    gathering: Gathering
    how: How
    format: str
    fetch: Callable[[str], bytes]
    #: Images that were looked at, by path: as they are kept, or why they are not.
    images: dict[str, KeptImage | LimnerError] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)

    def take(self) -> None:
        """Take everything in; raises `FormatError` where no file is of the format."""
        files = files_of(self.material, self.format)
        if not files:
            raise FormatError(f"{self.material.place.name} holds no file of annotations in the format {self.format}.")
        wrong: list[FormatError] = []
        for path in files:
            try:
                file = read_file(self.material, self.format, path, lambda name, path=path: self._size_of(name, path))  # type: ignore[misc]
            except FormatError as error:
                wrong.append(error)
                continue
            for annotated in file.pages:
                self._take_page(annotated, file)
        if len(wrong) == len(files):
            raise wrong[0]
        self._tell(wrong)
        self._take_rest()

    def _tell(self, wrong: list[FormatError]) -> None:
        problems = self.gathering.problems
        if wrong:
            problems.append(f"{len(wrong)} files were passed over, the first because: {wrong[0]}")
        if self.missing:
            some = ", ".join(self.missing[:_TOLD])
            problems.append(f"{len(self.missing)} images are not there, and their pages were left out: {some}.")

    def _size_of(self, name: str, beside: str) -> tuple[int, int] | None:
        path = self.material.images.named(name, beside)
        image = None if path is None else self._image(path)
        return (image.width, image.height) if isinstance(image, KeptImage) else None

    def _image(self, path: str) -> KeptImage | LimnerError:
        if path not in self.images:
            try:
                self.images[path] = self.gathering.keep(self.material.place.read(path), plain_text(path))
            except LimnerError as error:
                self.images[path] = error
        return self.images[path]

    def _take_page(self, annotated: AnnotatedPage, file: AnnotationFile) -> None:
        name = annotated.page.name
        path = self.material.images.found(name, file.path)
        problems = self.gathering.problems
        try:
            if annotated.error:
                raise FormatError(f"it came with an error: {annotated.error}")
            if path is None:
                self._take_remote(annotated, file)
            elif path in self.taken:
                problems.append(f"{plain_text(path)} has annotations in several files: the first were taken.")
            else:
                self._add(annotated, path, self._found(path), file)
        except LimnerError as error:
            problems.append(f"{plain_text(name)} was passed over: {error}")

    def _found(self, path: str) -> KeptImage:
        image = self._image(path)
        if isinstance(image, LimnerError):
            raise image
        return image

    def _take_remote(self, annotated: AnnotatedPage, file: AnnotationFile) -> None:
        """A page whose image is somewhere on the network, if its file says where."""
        url = annotated.page.source
        if not is_address(url):
            self.missing.append(plain_text(annotated.page.name))
            return
        self._add(annotated, url, self.gathering.keep(self.fetch(url), annotated.page.name), file)

    def _add(self, annotated: AnnotatedPage, path: str, image: KeptImage, file: AnnotationFile) -> None:
        page = replace(annotated.page, id=path, name=path if is_address(annotated.page.name) else annotated.page.name)
        beside = self.material.sidecar.pages.get(path) or Beside(self._document(annotated, path, file))
        self.gathering.add(replace(annotated, page=page), image, beside, split=self._split(path, file.path))
        self.taken.add(path)

    def _document(self, annotated: AnnotatedPage, path: str, file: AnnotationFile) -> str:
        """What its file says; or the manifest; or what was asked for."""
        said = file.documents.get(annotated.page.name)
        return said or (file.path if annotated.page.canvas is not None else self.how.document_of(path))

    def _split(self, image: str, annotations: str) -> Split | None:
        found = self.material.listed.of(image) or split_in_folders(annotations) or split_in_folders(image)
        return found or (split_in_name(annotations) if self.format in MANY_PAGES else None)

    def _take_rest(self) -> None:
        """The images without annotations: as empty pages, or left out and counted."""
        rest = [*unannotated(self.material, self.taken | self.images.keys())]
        if not self.how.unannotated:
            if rest:
                self.gathering.problems.append(f"{len(rest)} images have no annotations and were left out.")
            return
        for path in sorted(rest):
            page = AnnotatedPage(Page(id=path, name=PurePosixPath(path).name, index=0))
            try:
                self._add(page, path, self._found(path), AnnotationFile(path, (), {}))
            except LimnerError as error:
                self.gathering.problems.append(f"{plain_text(path)} was passed over: {error}")
