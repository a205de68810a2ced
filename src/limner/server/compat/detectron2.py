"""detectron2-flask-api (contracts, 5): boxes, crops and drawn images as base64, and as files below the data folder."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from limner.annotations.annotation import Json
from limner.core.errors import DecodeError, LimnerError, TooLargeError, UsageError
from limner.operations.foreign.choice import model_for
from limner.operations.foreign.detectron2 import Detector, Folders
from limner.server.auth import Caller
from limner.server.deps import AnnotatorDep, StateDep
from limner.server.foreign import ForeignAPI
from limner.server.problems import answer_to
from limner.server.state import AppState

#: The original's answer to whatever it cannot use, with status 200 of HTTP: clients look at the one in the body.
WRONG_PAYLOAD = {"data": "Wrong payload", "status_code": 500}

Number = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, description="Least score.")]


class Payload(BaseModel):
    """What all three calls take."""

    model_config = ConfigDict(extra="ignore")

    threshold_value: Number


class SentImage(Payload):
    """An image, and what it and its copy with boxes are to be called."""

    image_string: Annotated[str, Field(min_length=1, description="Base64.")]
    input_image_name: str
    output_image_name: str


class NamedImages(Payload):
    """Images that lie in the folder for input."""

    image_names: list[str]


P = TypeVar("P", bound=Payload)


class Answer(BaseModel):
    """What the original answers everything with."""

    data: Any
    status_code: int


def _in_its_form(error: LimnerError) -> Response:
    """An error as the original's clients read it: in the body. The status of HTTP says the same."""
    answer = answer_to(error)
    body = {"data": str(error), "status_code": answer.status_code}
    headers = {name: answer.headers[name] for name in ("WWW-Authenticate", "Retry-After") if name in answer.headers}
    return JSONResponse(body, answer.status_code, headers=headers)


router = APIRouter(tags=["detectron2"])
API = ForeignAPI(router=router, tokenless=True, refusal=_in_its_form)


def _takes(model: type[BaseModel]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}


@router.post(
    "/api/detect-area-base64",
    summary="Find things on an image sent as base64",
    openapi_extra=_takes(SentImage),
    response_model=Answer,
)
async def sent(request: Request, state: StateDep, caller: AnnotatorDep) -> Response:
    """Boxes, crops and the image with the boxes drawn in, which are also written below the data folder."""

    async def answer() -> Response:
        payload = await _payload(request, SentImage)
        detector = await _detector(state, caller, payload)
        return _whole(await detector.sent(payload.image_string, payload.input_image_name, payload.output_image_name))

    return await _in_its_words(answer())


@router.post(
    "/api/detect-area-all",
    summary="Find things on all images in the folder for input",
    openapi_extra=_takes(Payload),
    response_model=Answer,
)
async def every(request: Request, state: StateDep, caller: AnnotatorDep) -> Response:
    """The same for each file of `input/images`; the answer grows while they are looked at."""

    async def answer() -> Response:
        detector = await _detector(state, caller, await _payload(request, Payload))
        names = await run_in_threadpool(detector.folders.names)
        return _growing(detector.lying(names)) if names else _whole({"message": "no input files"})

    return await _in_its_words(answer())


@router.post(
    "/api/detect-area-by-name",
    summary="Find things on some images in the folder for input",
    openapi_extra=_takes(NamedImages),
    response_model=Answer,
)
async def by_name(request: Request, state: StateDep, caller: AnnotatorDep) -> Response:
    """The same for the images of these names; nothing is done where one of them is not there."""

    async def answer() -> Response:
        payload = await _payload(request, NamedImages)
        detector = await _detector(state, caller, payload)
        known = set(await run_in_threadpool(detector.folders.names))
        for name in payload.image_names:
            if name not in known:
                return _whole({"message": f"no such image {name}"})
        return _growing(detector.lying(payload.image_names))

    return await _in_its_words(answer())


async def _payload(request: Request, model: type[P]) -> P:
    """The body; raises `UsageError` for what no page of another site could send without being asked first."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UsageError("The body is no JSON.", hint="Set its Content-Type.")
    return model.model_validate_json(await request.body())


async def _detector(state: AppState, caller: Caller, payload: Payload) -> Detector:
    at = caller.workspace_id
    folders = Folders.of(state.settings.data, at, state.home)
    await run_in_threadpool(folders.make)
    bundle = await run_in_threadpool(
        model_for, "detectron2", ("segment", "detect", "ocr"), state.database, state.services, workspace_id=at
    )
    return Detector(
        folders=folders, bundle=bundle, threshold=payload.threshold_value, services=state.services, workspace_id=at
    )


async def _in_its_words(answer: Awaitable[Response]) -> Response:
    """An answer, or what went wrong as the original would say it."""
    try:
        return await answer
    except (ValidationError, UsageError, DecodeError, TooLargeError):
        return JSONResponse(WRONG_PAYLOAD)
    except LimnerError as error:
        return _in_its_form(error)


def _whole(data: Json) -> Response:
    return JSONResponse({"data": data, "status_code": 200})


def _growing(found: AsyncIterator[dict[str, Json]]) -> Response:
    """A list that is never in memory as a whole: each image of it is there several times as base64."""

    async def pieces() -> AsyncIterator[str]:
        first = True
        yield '{"data":['
        async for each in found:
            yield ("" if first else ",") + json.dumps(each, ensure_ascii=False, separators=(",", ":"))
            first = False
        yield '],"status_code":200}'

    return StreamingResponse(pieces(), media_type="application/json")
