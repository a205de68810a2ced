"""Text with RapidOCR on ONNX Runtime, from the models inside its wheel: nothing is ever downloaded.

RapidOCR's own chain of steps is not used, only its detector and its recogniser: the chain sorts
regions without their scores, cuts lines from an image that it has made smaller, and pads with black.
Its classifier of upside-down lines stays off: it turns good lines over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from pydantic import Field, ValidationError

from limner.annotations.annotation import Annotation, ByModel
from limner.core.errors import BundleError, LimnerError, ModelError
from limner.models.bundle import Bundle
from limner.models.predictor import make_request
from limner.models.protocol import Options, Pixels, Predictor, RuntimeOptions
from limner.models.runtimes.onnx import available_providers, choose_providers, cores
from limner.models.tasks.line_images import Quads, best_readings, detector_view, readings, visible
from limner.models.tasks.ocr import Region, in_reading_order, region_annotations
from limner.models.tasks.specs import Fraction, Side, Spec
from limner.models.tasks.zones import Area, in_zones

if TYPE_CHECKING:
    import onnxruntime
    from rapidocr.ch_ppocr_det import TextDetector
    from rapidocr.ch_ppocr_rec import TextRecInput, TextRecognizer

#: Height of a line as the recogniser takes it, pixels.
_LINE_HEIGHT = 48
#: Most pixels along the lines of one batch: the recogniser's output takes 9 kB for each.
_BATCH_WIDTH = 3000
A = TypeVar("A")
R = TypeVar("R")

_CUDA = "CUDAExecutionProvider"


class Parameters(Spec):
    """``parameters`` of a bundle for this runtime."""

    detector: str = Field(pattern=r"^[\w.-]+\.onnx$", description="File of the detector, in RapidOCR's wheel.")
    recogniser: str | None = Field(default=None, pattern=r"^[\w.-]+\.onnx$", description="File of the recogniser.")
    detector_side: Side = Field(default=1600, description="Longer side of a page as the detector sees it, pixels.")
    region_score: Fraction = Field(default=0.5, description="Least score of a region to be read.")
    unclip_ratio: float = Field(default=1.6, gt=0, le=4, description="How far regions are grown around the letters.")


@dataclass(frozen=True, slots=True)
class Finder:
    """RapidOCR's detector. It keeps no state between calls, so threads may share it."""

    detector: TextDetector
    #: Longer side of a page as the detector sees it, pixels.
    side: int

    def __call__(self, pixels: Pixels) -> list[Region]:
        """The regions of text of an RGB image, in no order."""
        view = detector_view(pixels, self.side)
        found = _run(self.detector, _bgr(view.pixels))
        if found.boxes is None or found.scores is None:
            return []
        quads = view.to_image(found.boxes)
        return [Region(quad, score) for quad, score in zip(quads, found.scores, strict=True) if visible(quad)]


@dataclass(frozen=True, slots=True)
class Reader:
    """RapidOCR's recogniser. It keeps no state between calls, so threads may share it."""

    recogniser: TextRecognizer
    #: Makes the recogniser's argument from images of lines.
    lines: Callable[[list[Pixels]], TextRecInput]

    def __call__(self, pixels: Pixels, regions: Sequence[Region]) -> list[Region]:
        """What is written in regions of an RGB image; those without any letter are left out."""
        tried = [readings(pixels, region.quad, _LINE_HEIGHT) for region in regions]
        texts, scores = self._read([image for images in tried for image in images])
        texts, scores = best_readings([len(images) for images in tried], texts, scores)
        read = zip(regions, scores, texts, strict=True)
        return [Region(region.quad, score, text.strip()) for region, score, text in read if text.strip()]

    def _read(self, images: Sequence[Pixels]) -> tuple[list[str], list[float]]:
        texts, scores = [""] * len(images), [0.0] * len(images)
        for batch in batches([image.shape[1] for image in images], _BATCH_WIDTH):
            read = _run(self.recogniser, self.lines([_bgr(images[at]) for at in batch]))
            for at, text, score in zip(batch, read.txts or (), read.scores or (), strict=True):
                texts[at], scores[at] = text, float(score)
        return texts, scores


@dataclass(frozen=True, slots=True)
class Engine:
    """What a bundle needs of RapidOCR."""

    find: Finder
    #: None where text is only found.
    read: Reader | None
    #: SHA-256 of the files of weights, one after the other, hexadecimal.
    sha256: str


def _bgr(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[:, :, ::-1])


def batches(widths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Indices in batches of like widths: the widest times their number is at most ``most``, where it can be."""
    batch: list[int] = []
    for at in sorted(range(len(widths)), key=widths.__getitem__):
        if batch and widths[at] * (len(batch) + 1) > most:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


class TextPredictor:
    """Finds text, and reads it where the engine has a recogniser."""

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self.bundle = bundle
        self.wanted_side = bundle.wanted_side
        self._engine: Engine | None = engine

    def predict(self, pixels: Pixels, size: tuple[int, int], options: Options) -> list[Annotation]:
        """The text on an image: lines in reading order, or regions best first."""
        engine, (label, *_), request = self._loaded(), self.bundle.labels, make_request(self.bundle, options)
        if not pixels.size or not request.wanted[0]:
            return []
        parameters = options.as_json() | {"threshold": request.threshold}
        origin = ByModel(self.bundle.name, self.bundle.version, engine.sha256, parameters)
        look = partial(_look, engine, label, request.threshold, origin)
        found = in_zones(pixels, size, options.zones, look)[: request.limit]
        return in_reading_order(found) if engine.read else found

    def close(self) -> None:
        """Let the networks go; predictions that are under way finish."""
        self._engine = None

    def _loaded(self) -> Engine:
        if self._engine is None:
            raise ModelError(f"The model {self.bundle.ref} has been closed.")
        return self._engine


def _look(engine: Engine, label: str, least: float, origin: ByModel, area: Area) -> Iterator[Annotation]:
    """The text in one area."""
    regions = engine.find(area.pixels)
    if engine.read:
        regions = engine.read(area.pixels, regions)
    return region_annotations(regions, area, label, least, origin)


class RapidOcrRuntime:
    """Executes bundles whose weights are RapidOCR's own."""

    name = "rapidocr"

    def load(self, bundle: Bundle, options: RuntimeOptions) -> Predictor:
        """Load a bundle; raises `ModelError` when RapidOCR or its models are not there."""
        if not bundle.labels:
            raise BundleError(f"The model {bundle.ref} has no label to give to text.")
        return TextPredictor(bundle, _engine(_parameters(bundle), options))


def _parameters(bundle: Bundle) -> Parameters:
    try:
        parameters = Parameters.model_validate(bundle.parameters)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise BundleError(f"The parameters of {bundle.ref} cannot be used: {wrong}.") from error
    if bundle.task == "ocr" and parameters.recogniser is None:
        raise BundleError(f"The model {bundle.ref} reads text, but its parameters name no recogniser.")
    return parameters if bundle.task == "ocr" else parameters.model_copy(update={"recogniser": None})


def _settings(parameters: Parameters) -> dict[str, object]:
    """RapidOCR's settings."""
    return {
        "Global.use_cls": False,
        "Global.log_level": "error",
        # The image comes at its final size.
        "Det.limit_type": "max",
        "Det.limit_side_len": 1 << 30,
        # Where regions are the answer, each prediction has a threshold of its own.
        "Det.box_thresh": parameters.region_score if parameters.recogniser else 0.0,
        "Det.max_candidates": 10_000,
        "Det.unclip_ratio": parameters.unclip_ratio,
        "Rec.rec_batch_num": 1 << 30,
        "Rec.font_path": None,
    }


def _engine(parameters: Parameters, options: RuntimeOptions) -> Engine:
    try:
        import rapidocr
        from omegaconf import flag_override
        from rapidocr.ch_ppocr_det import TextDetector
        from rapidocr.ch_ppocr_rec import TextRecInput, TextRecognizer
    except ImportError as error:
        raise ModelError(f"RapidOCR cannot be imported: {error}.", hint="Install rapidocr 3.10.") from error

    class Unsorted(TextDetector):
        """The detector; its sorting leaves the scores behind, and we sort by ourselves."""

        @staticmethod
        def sorted_boxes(dt_boxes: Quads) -> Quads:
            return dt_boxes

    folder = Path(rapidocr.__file__).parent / "models"
    files = {"Det": parameters.detector, "Rec": parameters.recogniser}
    paths = {part: _model_file(folder, name) for part, name in files.items() if name}
    config = rapidocr.RapidOCR(params=_settings(parameters)).cfg
    with flag_override(config, "allow_objects", True):
        for part, path in paths.items():
            # Given a loaded network, RapidOCR never looks for a file, let alone downloads one.
            config[part].session = _run(partial(_network, options=options), path)
    finder = Finder(_run(Unsorted, config.Det), parameters.detector_side)
    reader = None
    if "Rec" in paths:
        reader = Reader(_run(TextRecognizer, config.Rec), partial(TextRecInput, return_word_box=False))
    return Engine(finder, reader, _sha256(paths.values()))


def _network(path: Path, options: RuntimeOptions) -> onnxruntime.InferenceSession:
    import onnxruntime

    # Every page has another size, for which TensorRT would build everything anew.
    chosen = choose_providers(available_providers(), options.providers, has_tensorrt=False)
    # For the same reason CUDA must not try all its algorithms, and memory is given back after each page.
    settings = {_CUDA: {"cudnn_conv_algo_search": "HEURISTIC"}}
    session = onnxruntime.SessionOptions()
    session.intra_op_num_threads = options.threads or cores()
    session.enable_cpu_mem_arena = False
    session.enable_mem_pattern = False
    session.log_severity_level = 3
    # Threads that wait in a loop take time from those that fetch and decode the next page.
    session.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        str(path), session, providers=[(name, settings.get(name, {})) for name in chosen]
    )


def _model_file(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise ModelError(f"RapidOCR was installed without its model {name}.", hint="Install rapidocr 3.10 again.")
    return path


def _sha256(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _run(step: Callable[[A], R], argument: A) -> R:
    """One of RapidOCR's steps, whose errors are of many kinds."""
    try:
        return step(argument)
    except LimnerError:
        raise
    except Exception as error:
        raise ModelError(f"RapidOCR could not do its work: {error}") from error


#: The runtime of the built-in models for text.
RAPIDOCR = RapidOcrRuntime()
