"""Datasets of the workspace: taken in, looked at, handed out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi import Path as PathParam
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from limner.annotations.formats.protocol import WRITERS
from limner.operations.datasets.desk import opened, page_at, plain_card, split_anew, thumbnail, workspace_datasets
from limner.operations.datasets.exporting import zip_name, zipped
from limner.server.api.dataset_fields import (
    FORM_READERS,
    OPENAPI,
    DatasetAnswer,
    DatasetPageAnswer,
    FullDatasetAnswer,
    ImportedAnswer,
    NewDatasetFields,
    PairAnswer,
    SplitFields,
)
from limner.server.api.dataset_intake import take_in
from limner.server.auth import Caller
from limner.server.bodies import read_body
from limner.server.deps import AnnotatorDep, PageDep, StateDep, TrainerDep
from limner.server.paging import Listed, part_of
from limner.server.state import AppState
from limner.server.values import PageIndex, ShortText, number_cursor
from limner.training.datasets.dataset import Split
from limner.training.datasets.phash import duplicates
from limner.training.datasets.statistics import plain_pair, statistics
from limner.training.datasets.store import DatasetStore

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])

#: Longest JSON that asks for a dataset, bytes.
_MOST_JSON = 1_000_000

Ref = Annotated[
    str,
    PathParam(
        max_length=200,
        description="Name (its newest version) or `name@version`.",
        json_schema_extra={"example": "initials@2"},
    ),
]


def _store(state: AppState, caller: Caller) -> DatasetStore:
    return workspace_datasets(state.settings, caller.workspace_id)


@router.post("", status_code=201, response_model=ImportedAnswer, summary="Take a dataset in", openapi_extra=OPENAPI)
async def create(request: Request, state: StateDep, caller: TrainerDep) -> Response:
    """From a zip file that is sent, its address, the reviewed pages of documents, what was sent to `/send-dataset`,
    or other datasets. A name that exists gets its next version; the same content is not kept twice.
    """
    async with read_body(request, NewDatasetFields, most_json=_MOST_JSON, readers=FORM_READERS) as body:
        done = await run_in_threadpool(take_in, state, caller, body)
    ref = done.dataset.ref
    answer = ImportedAnswer.model_validate(
        {
            **plain_card(_store(state, caller).card(ref)),
            "format": done.format,
            "kept_splits": done.kept_splits,
            "problems": done.problems,
        }
    )
    return JSONResponse(answer.model_dump(mode="json"), 201, {"Location": f"/v1/datasets/{ref}"})


@router.get("", summary="List the datasets")
def list_all(state: StateDep, caller: AnnotatorDep, page: PageDep) -> Listed[DatasetAnswer]:
    """Every version of each, by name."""
    cards = [DatasetAnswer.model_validate(plain_card(card)) for card in _store(state, caller).list()]
    return part_of(cards, page, key=lambda card: card.ref)


@router.get("/{dataset}", summary="One dataset")
def show(dataset: Ref, state: StateDep, caller: AnnotatorDep) -> FullDatasetAnswer:
    """With its figures: labels, sizes, empty pages, documents."""
    store = _store(state, caller)
    found = opened(store, dataset)
    card = plain_card(store.card(found.ref))
    figures = {"versions": store.versions(found.name), "statistics": statistics(found).plain()}
    return FullDatasetAnswer.model_validate({**card, **figures})


@router.get("/{dataset}/duplicates", summary="Find pages that look the same")
def find_duplicates(
    dataset: Ref,
    state: StateDep,
    caller: AnnotatorDep,
    page: PageDep,
    within: Annotated[int, Query(ge=0, le=128, description="How unlike they may be, bits of 256.")] = 16,
    across: Annotated[bool, Query(description="Only those in different splits.")] = True,
) -> Listed[PairAnswer]:
    """Copies of any size and quality, the likest first. The first time takes a while: every image is looked at."""
    start = number_cursor(page.cursor) + 1
    pairs = duplicates(opened(_store(state, caller), dataset), within=within, across=across)
    items = [PairAnswer.model_validate(plain_pair(pair)) for pair in pairs[start : start + page.limit]]
    more = start + page.limit < len(pairs)
    return Listed(items=items, next=str(start + page.limit - 1) if more else None)


@router.get("/{dataset}/pages", summary="List the pages of a dataset")
def pages(
    dataset: Ref,
    state: StateDep,
    caller: AnnotatorDep,
    page: PageDep,
    split: Annotated[Split | None, Query(description="Only those of one split.")] = None,
    label: Annotated[ShortText | None, Query(description="Only those that have this label.")] = None,
) -> Listed[DatasetPageAnswer]:
    """In their order, with the address of a picture of each."""
    after, found = number_cursor(page.cursor), opened(_store(state, caller), dataset)
    fitting = [
        each
        for each in found.pages
        if each.page.index > after
        and split in (None, each.split)
        and (label is None or any(annotation.label == label for annotation in each.annotations))
    ]
    items = [DatasetPageAnswer.of(found.ref, each) for each in fitting[: page.limit]]
    return Listed(items=items, next=str(items[-1].index) if len(fitting) > page.limit else None)


@router.get(
    "/{dataset}/pages/{index}/image",
    summary="Get a picture of a page",
    response_class=Response,
    responses={200: {"description": "A JPEG.", "content": {"image/jpeg": {}}}},
)
def image(
    dataset: Ref,
    index: PageIndex,
    state: StateDep,
    caller: AnnotatorDep,
    side: Annotated[int, Query(ge=32, le=2048, description="Longer side, pixels.")] = 320,
    marked: Annotated[bool, Query(description="Whether what is on it is drawn in.")] = True,
    if_none_match: Annotated[str | None, Header(description="The tag of the picture that the client has.")] = None,
) -> Response:
    """Small, with what is on the page drawn in."""
    store = _store(state, caller)
    sha256 = store.card(dataset).sha256
    headers = {"ETag": f'"{sha256[:16]}-{index}-{side}-{marked:d}"', "Cache-Control": "private, no-cache"}
    if if_none_match is not None and headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    found = opened(store, dataset)
    drawn = thumbnail(found, page_at(found, index), state.settings, side, marked=marked)
    return Response(drawn, media_type="image/jpeg", headers=headers)


@router.get(
    "/{dataset}/export",
    summary="Get a dataset in an output format",
    response_class=Response,
    responses={200: {"description": "A zip file with its images.", "content": {"application/zip": {}}}},
)
def export(
    dataset: Ref,
    state: StateDep,
    caller: AnnotatorDep,
    form: Annotated[str, Query(alias="format", max_length=50, description="Name of an output format.")] = "coco",
) -> StreamingResponse:
    """With its images and splits, made while it is sent."""
    found = _store(state, caller).get(dataset)
    WRITERS.get(form)
    headers = {"Content-Disposition": f'attachment; filename="{zip_name(found, form)}"'}
    return StreamingResponse(zipped(found, form), media_type="application/zip", headers=headers)


@router.post("/{dataset}/split", status_code=201, summary="Split a dataset anew")
def split(dataset: Ref, wanted: SplitFields, state: StateDep, caller: TrainerDep, response: Response) -> DatasetAnswer:
    """It becomes the next version. Pages of one document stay together."""
    store = _store(state, caller)
    made = split_anew(store, dataset, wanted.shares_wanted(), wanted.seed)
    response.headers["Location"] = f"/v1/datasets/{made.ref}"
    return DatasetAnswer.model_validate(plain_card(store.card(made.ref)))


@router.delete("/{dataset}", status_code=204, summary="Delete a dataset")
def remove(dataset: Ref, state: StateDep, caller: TrainerDep) -> None:
    """One version, with the images that no other needs; `name` alone where it has one version."""
    _store(state, caller).remove(dataset)
