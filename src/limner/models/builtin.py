"""The models that work at once: their weights ship inside the wheel of RapidOCR."""

from __future__ import annotations

from pydantic import JsonValue

from limner.models.bundle import Bundle, Provenance
from limner.models.tasks.specs import Fixed, Input, Keep, Thresholds

#: What the detector of lines takes. Measured with ``benchmarks/ocr.py``: lines of a page are read as
#: well from 2,000 pixels as from 3,500, and found as well in 1,600.
_INPUT = Input(
    name="x",
    channels="bgr",
    resize=Keep(longest=2000),
    filter="area",
    normalisation=Fixed(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    dynamic=True,
)
_DETECTOR: dict[str, JsonValue] = {"detector": "PP-OCRv6_det_small.onnx", "detector_side": 1600, "unclip_ratio": 1.6}
_LICENCE = "Apache-2.0"
_ORIGIN = Provenance(
    source="RapidOCR 3.10, PP-OCRv6 small",
    url="https://github.com/RapidAI/RapidOCR",
    training_data="The text collections of PaddleOCR's PP-OCRv6, in many scripts; see its documentation.",
)

#: Reads text: every line with its shape.
TEXT = Bundle(
    name="text",
    task="ocr",
    runtime="rapidocr",
    labels=("line",),
    input=_INPUT,
    thresholds=Thresholds(score=0.5, max_detections=3000),
    parameters={**_DETECTOR, "recogniser": "PP-OCRv6_rec_small.onnx", "region_score": 0.5},
    memory=400_000_000,
    page_seconds=5.0,
    title="Text (OCR)",
    description="Finds and reads the lines of printed pages, in Latin letters with their accents and in other scripts.",
    licence=_LICENCE,
    provenance=_ORIGIN,
)

#: Finds text without reading it.
TEXT_REGIONS = Bundle(
    name="text-regions",
    task="detect",
    runtime="rapidocr",
    labels=("text",),
    input=_INPUT.model_copy(update={"resize": Keep(longest=1600)}),
    thresholds=Thresholds(score=0.5, max_detections=3000),
    parameters={**_DETECTOR},
    memory=200_000_000,
    page_seconds=0.6,
    title="Regions of text",
    description="Finds the lines of printed and written pages, without reading them.",
    licence=_LICENCE,
    provenance=_ORIGIN,
)
