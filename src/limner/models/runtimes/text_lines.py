"""A predictor for programs that find and read lines of text in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from pydantic import ValidationError

from limner.annotations.annotation import Annotation, ByModel, Json
from limner.core.errors import BundleError, ModelError
from limner.models.bundle import Bundle
from limner.models.predictor import make_request
from limner.models.protocol import Options, Pixels
from limner.models.tasks.ocr import Region, in_reading_order, region_annotations
from limner.models.tasks.specs import Spec
from limner.models.tasks.zones import Area, in_zones

S = TypeVar("S", bound=Spec)

#: From the pixels of an area to the lines that are written there.
ReadLines = Callable[[Pixels], Sequence[Region]]


class LinesPredictor:
    """Lines in reading order, by whatever reads them."""

    def __init__(
        self, bundle: Bundle, read: ReadLines, *, sha256: str = "", about: Mapping[str, Json] | None = None
    ) -> None:
        if not bundle.labels:
            raise BundleError(f"The model {bundle.ref} has no label to give to text.")
        self.bundle = bundle
        self.wanted_side = bundle.wanted_side
        self._read: ReadLines | None = read
        self._sha256 = sha256
        #: What annotations say of the program beside the options of a prediction.
        self._about = dict(about or {})

    def predict(self, pixels: Pixels, size: tuple[int, int], options: Options) -> list[Annotation]:
        """The lines on an image; see `limner.models.protocol.Predictor`."""
        read, (label, *_), request = self._loaded(), self.bundle.labels, make_request(self.bundle, options)
        if not pixels.size or not request.wanted[0]:
            return []
        parameters = self._about | options.as_json() | {"threshold": request.threshold}
        origin = ByModel(self.bundle.name, self.bundle.version, self._sha256, parameters)
        look = partial(_look, read, label, request.threshold, origin)
        return in_reading_order(in_zones(pixels, size, options.zones, look)[: request.limit])

    def close(self) -> None:
        """Let the program go; predictions that are under way finish."""
        self._read = None

    def _loaded(self) -> ReadLines:
        if self._read is None:
            raise ModelError(f"The model {self.bundle.ref} has been closed.")
        return self._read


def _look(read: ReadLines, label: str, least: float, origin: ByModel, area: Area) -> Iterator[Annotation]:
    """The text in one area."""
    return region_annotations(read(area.pixels), area, label, least, origin)


def parameters_of(bundle: Bundle, kind: type[S]) -> S:
    """The parameters of a bundle, checked; raises `BundleError` naming each that is wrong."""
    try:
        return kind.model_validate(bundle.parameters)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise BundleError(f"The parameters of {bundle.ref} cannot be used: {wrong}.") from error
