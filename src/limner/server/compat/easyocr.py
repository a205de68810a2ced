"""The EasyOCR service (contracts, 3): an image goes in, its text comes out."""

from __future__ import annotations

from fastapi import APIRouter, UploadFile
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from limner.annotations.annotation import Annotation
from limner.annotations.formats.text import page_text
from limner.annotations.masks import shape_to_polygons
from limner.models.protocol import Options
from limner.operations.candidates import ImageInput
from limner.operations.foreign.choice import model_for
from limner.operations.foreign.once import annotate_image
from limner.operations.instant import InstantResult
from limner.server.compat.front import browser_refusal, front_page
from limner.server.deps import AnnotatorDep, StateDep
from limner.server.foreign import ForeignAPI

#: Where the original keeps the times of its extractions in MLflow.
EXPERIMENT = "EASYOCR"

router = APIRouter(tags=["easyocr"])
API = ForeignAPI(router=router, tokenless=True, refusal=browser_refusal)

router.add_api_route("/", front_page, name="greet", summary="Be greeted")


class ReadLine(BaseModel):
    """A line of text."""

    text: str
    box: list[float] = Field(description="Left, top, right and bottom, in pixels of the image.")
    polygon: list[list[float]] = Field(description="Its outline as points x, y, in pixels of the image.")
    confidence: float | None = Field(description="0 to 1.")


class ReadText(BaseModel):
    """What is written on an image."""

    text: str = Field(description="The whole text in reading order, a line feed after each line.")
    lines: list[ReadLine]
    seconds: float = Field(description="How long it took to read.")
    model: str


@router.post("/extract", summary="Read the text of an image")
async def extract(state: StateDep, caller: AnnotatorDep, file: UploadFile) -> ReadText:
    """Reads with the model of the route `easyocr`, or the workspace's default where that reads, or `text`.

    Parameters for languages, as `lang` and `languages`, are let through and count for nothing: the model knows its own.
    """
    at = caller.workspace_id
    bundle = await run_in_threadpool(model_for, "easyocr", ("ocr",), state.database, state.services, workspace_id=at)
    image = ImageInput(file.file, file.filename or "")
    result = await annotate_image(image, bundle, Options(), state.services, workspace_id=at, experiment=EXPERIMENT)
    return _shown(result)


def _shown(result: InstantResult) -> ReadText:
    found = [annotation for page in result.pages for annotation in page.annotated.annotations]
    text = "".join(page_text(page.annotated) for page in result.pages)
    seconds = sum(result.seconds.get(stage, 0.0) for stage in ("decode", "model"))
    return ReadText(text=text, lines=[_line(each) for each in found if each.text], seconds=seconds, model=result.model)


def _line(annotation: Annotation) -> ReadLine:
    outline = shape_to_polygons(annotation.shape)[0].exterior
    return ReadLine(
        text=annotation.text or "",
        box=[*annotation.shape.bounds.corners],
        polygon=[[*point] for point in outline],
        confidence=annotation.score,
    )
