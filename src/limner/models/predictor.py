"""A bundle, the network that a runtime has loaded, and the task that reads its outputs: a predictor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.annotations.annotation import Annotation, ByModel, Json
from limner.annotations.shapes import Box
from limner.core.errors import ModelError, UsageError
from limner.models.bundle import Bundle
from limner.models.protocol import Options, Pixels, Session
from limner.models.tasks.detect import Detections, Frame, Request, detect, to_annotations
from limner.models.tasks.letterbox import Buffers, Plan, Size, plan_input, prepare
from limner.models.tasks.segment import ClassMap, class_map, regions, stitched
from limner.models.tasks.specs import BoxDecoder, Decoder, Input, Keep, PixelClasses, Thresholds
from limner.models.tasks.tiling import merged, tiles
from limner.models.tasks.zones import Area, in_zones


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a network said of an area."""

    outputs: list[npt.NDArray[Any]]
    plan: Plan
    frame: Frame


class TaskPredictor:
    """Predicts with a bundle that says how its network is fed and read."""

    def __init__(self, bundle: Bundle, session: Session, providers: tuple[str, ...] = ()) -> None:
        if bundle.input is None or bundle.decoder is None:
            raise ModelError(f"The bundle {bundle.ref} does not say how its network is fed and read.")
        self.bundle = bundle
        self.wanted_side = bundle.wanted_side
        #: What executes the network, best first.
        self.providers = providers
        self._session: Session | None = session
        self._input: Input = bundle.input
        self._decoder: Decoder = bundle.decoder
        self._buffers = Buffers()

    def predict(self, pixels: Pixels, size: tuple[int, int], options: Options) -> list[Annotation]:
        """What is on an image, best first; see `limner.models.protocol.Predictor`."""
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
            raise UsageError(f"An image is height × width × 3 of uint8, not {pixels.shape} of {pixels.dtype}.")
        request = make_request(self.bundle, options)
        decoder = self._decoder
        if isinstance(decoder, PixelClasses):
            return in_zones(pixels, size, options.zones, partial(self._regions, request=request, decoder=decoder))
        return in_zones(pixels, size, options.zones, partial(self._things, request=request, decoder=decoder))

    def close(self) -> None:
        """Give the memory back."""
        self._session = None
        self._buffers = Buffers()

    def _things(self, area: Area, request: Request, decoder: BoxDecoder) -> list[Annotation]:
        """Detections in an area."""
        tiling = self.bundle.tiling
        views = [tile.area for tile in tiles(area, tiling)]
        if len(views) > 1 and tiling is not None and tiling.whole:
            views.append(area)
        parts = [(view.box, self._detections(view, request, decoder)) for view in views]
        return list(to_annotations(merged(parts, request.limit), request))

    def _detections(self, view: Area, request: Request, decoder: BoxDecoder) -> Detections:
        seen = self._see(view)
        return detect(seen.outputs, decoder, request, seen.frame, masks=self.bundle.task == "segment")

    def _regions(self, area: Area, request: Request, decoder: PixelClasses) -> list[Annotation]:
        """Regions of pixels in an area, the largest first where none has a score."""
        parts = (
            (self._class_map(tile.area, decoder), tile.area.box, tile.core) for tile in tiles(area, self.bundle.tiling)
        )
        found = list(regions(stitched(parts, area.box, decoder.background or 0), area.box, area.page, decoder, request))
        found.sort(key=lambda each: (-(each.score or 0), -each.shape.area))
        return found[: request.limit]

    def _class_map(self, view: Area, decoder: PixelClasses) -> ClassMap:
        seen = self._see(view)
        return class_map(seen.outputs, decoder, len(self.bundle.labels), seen.plan)

    def _see(self, view: Area) -> _Seen:
        """Run the network on an area."""
        session = self._session
        if session is None:
            raise ModelError(f"The model {self.bundle.ref} was closed.")
        shown = (view.pixels.shape[1], view.pixels.shape[0])
        # Planned for the original, whatever scale it comes at: the network sees the same.
        size = shown if isinstance(self._input.resize, Keep) else _whole(view.box)
        plan = plan_input(self._input, size)
        inputs = self._inputs(prepare(view.pixels, self._input, plan, self._buffers), plan)
        to_input = plan.transform.rescaled(size[0] / view.box.width, size[1] / view.box.height)
        frame = Frame(to_input.for_part(view.box.x, view.box.y), plan.canvas, view.box, view.page)
        return _Seen([*session.run(inputs)], plan, frame)

    def _inputs(self, tensor: npt.NDArray[Any], plan: Plan) -> Mapping[str, npt.NDArray[Any]]:
        inputs = {self._input.name: tensor}
        if self._input.size_input:
            inputs[self._input.size_input] = np.array([plan.canvas], np.int64)
        return inputs


def _whole(box: Box) -> Size:
    """Width and height in whole pixels."""
    return max(1, round(box.width)), max(1, round(box.height))


def make_request(bundle: Bundle, options: Options) -> Request:
    """What is asked for, the bundle's defaults filled in; raises `UsageError` at labels it does not have."""
    if options.labels is not None and (odd := sorted(options.labels - set(bundle.labels))):
        raise UsageError(
            f"The model {bundle.ref} has no label {', '.join(odd)}.", hint=f"It has {', '.join(bundle.labels)}."
        )
    thresholds = bundle.thresholds
    score = thresholds.score if options.threshold is None else options.threshold
    if not 0 <= score <= 1:
        raise UsageError(f"A threshold lies between 0 and 1, not at {score}.")
    wanted = [options.labels is None or label in options.labels for label in bundle.labels]
    return Request(
        labels=bundle.labels,
        wanted=np.array(wanted, bool),
        threshold=score,
        iou=thresholds.iou,
        limit=thresholds.max_detections,
        provenance=made_by(bundle, options, thresholds),
    )


def made_by(bundle: Bundle, options: Options, thresholds: Thresholds) -> ByModel:
    """What annotations of a prediction say of their origin."""
    used: dict[str, Json] = {
        "threshold": thresholds.score,
        "iou": thresholds.iou,
        "max_detections": thresholds.max_detections,
    }
    return ByModel(bundle.name, bundle.version, bundle.sha256, used | options.as_json())
