"""The Mask R-CNN page (contracts, 4): an image goes in, a page with masks, boxes and names drawn into it comes out."""

from __future__ import annotations

import base64
from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response, UploadFile
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from limner.annotations.annotation import Annotation
from limner.core.errors import LimnerError
from limner.models.protocol import Options
from limner.operations.candidates import ImageInput
from limner.operations.foreign.choice import model_for
from limner.operations.foreign.drawn import draw_found, encoded
from limner.operations.foreign.once import annotate_image, first_page
from limner.operations.instant import InstantPage
from limner.server.compat.front import browser_refusal, front_page, render_page, wants_page
from limner.server.deps import AnnotatorDep, StateDep
from limner.server.foreign import ForeignAPI
from limner.server.problems import status_of

router = APIRouter(tags=["maskrcnn"])
API = ForeignAPI(router=router, tokenless=True, refusal=browser_refusal)

#: Longest side of the picture on the page, pixels.
_SIDE = 1600

router.add_api_route("/", front_page, name="form", summary="See a form for an image")


@router.post(
    "/segment", summary="Segment an image and see it", response_class=HTMLResponse, responses={200: {"model": None}}
)
async def segment(
    request: Request,
    state: StateDep,
    caller: AnnotatorDep,
    image: UploadFile,
    threshold: Annotated[float, Form(ge=0, le=1, description="Least score.")] = 0.5,
) -> Response:
    """A page that holds the image with masks, boxes and names of classes drawn in.

    It is done by the model of the route `maskrcnn`, or the workspace's default where that segments, or the newest that
    does.
    """
    at = caller.workspace_id
    name = (image.filename or "The image")[:200]
    try:
        bundle = await run_in_threadpool(
            model_for, "maskrcnn", ("segment",), state.database, state.services, workspace_id=at
        )
        file = ImageInput(image.file, name)
        chosen = Options(threshold)
        result = await annotate_image(file, bundle, chosen, state.services, workspace_id=at, picture_side=_SIDE)
        page = first_page(result)
    except LimnerError as error:
        if not wants_page(request, by_default=False):
            raise
        return render_page("failed.html", status_of(error), reason=str(error), threshold=f"{threshold:g}")
    picture = await run_in_threadpool(_data_url, page)
    return render_page(
        "segment.html",
        name=name,
        image=picture,
        width=page.annotated.page.width,
        height=page.annotated.page.height,
        model=result.model,
        threshold=f"{threshold:g}",
        seconds=result.seconds.get("model", 0.0),
        found=[_row(each) for each in page.annotated.annotations],
        summary=_summary(page.annotated.annotations),
    )


def _data_url(page: InstantPage) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(encoded(draw_found(page, _SIDE), 'JPEG')).decode()}"


def _row(annotation: Annotation) -> dict[str, str]:
    bounds = annotation.shape.bounds
    score = "" if annotation.score is None else f"{annotation.score:.2f}"
    return {
        "label": annotation.label,
        "score": score,
        "width": f"{bounds.width:.0f}",
        "height": f"{bounds.height:.0f}",
    }


def _summary(found: tuple[Annotation, ...]) -> str:
    """``2 cats, 1 dog`` without the plural: the names of classes may be of any language."""
    counts = Counter(each.label for each in found)
    return ", ".join(f"{label} × {count}" for label, count in counts.items()) or "nothing"
