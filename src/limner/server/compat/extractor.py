"""extractorAPI, as the clients of EiDA and VHS call it (``contracts.md``, 1)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.concurrency import run_in_threadpool

from limner.core.errors import LimnerError
from limner.operations.foreign.extraction import LARGEST_LIST, Extraction, extract, manifests_in
from limner.operations.foreign.model_files import SUFFIX, changed_at, models_by_name
from limner.operations.foreign.training import begin_training, test_model
from limner.operations.foreign.yolo_uploads import keep_dataset
from limner.server.addresses import base_of
from limner.server.api.jobs import desk_of
from limner.server.api.runs import run_desk
from limner.server.auth import WrongTokenError
from limner.server.deps import AnnotatorDep, CallerDep, StateDep, TrainerDep
from limner.server.foreign import ForeignAPI
from limner.server.values import ShortText, Text

router = APIRouter(tags=["extractor"], default_response_class=PlainTextResponse)

#: What clients get when a manifest was taken. They were written for a server that has Celery.
TRIGGERED = "Detection task triggered with Celery!"
#: How modification times are written.
_TIME = "%Y-%m-%d %H:%M:%S"
Address = Annotated[Text, Form(max_length=2000, description="Address of a IIIF manifest.")]
ModelFile = Annotated[ShortText | None, Form(description="File name of the model, with or without `.pt`.")]
DocumentType = Annotated[
    ShortText | None, Form(description="`manuscript`, `print`, …: chooses the model where none is named.")
]
Callback = Annotated[
    Text | None,
    Form(max_length=2000, description="Where the annotation file goes, with the manifest's reference after it."),
]


@router.post("/run_detect", summary="Annotate a manifest")
async def run_detect(
    request: Request,
    state: StateDep,
    caller: AnnotatorDep,
    manifest_url: Address,
    model: ModelFile = None,
    document_type: DocumentType = None,
    callback: Callback = None,
) -> PlainTextResponse:
    """The annotation file goes to the callback when the queue has done it; `Location` is the job's address."""
    how = Extraction(model=model or None, document_type=document_type or None, callback=callback or None)
    base = base_of(request, state.settings)
    (job,) = await run_in_threadpool(extract, desk_of(state, caller), [manifest_url], how, base)
    return PlainTextResponse(TRIGGERED, headers={"Location": f"{base}/v1/jobs/{job.id}"})


@router.post("/detect_all", summary="Annotate a list of manifests")
async def detect_all(
    request: Request,
    state: StateDep,
    caller: AnnotatorDep,
    url_file: Annotated[UploadFile, File(description="A text file with the address of one manifest a line.")],
    model: ModelFile = None,
    document_type: DocumentType = None,
    callback: Callback = None,
) -> str:
    """Each manifest is a job of its own, and sends its own annotation file."""
    manifests = manifests_in(await url_file.read(LARGEST_LIST + 1))
    how = Extraction(model=model or None, document_type=document_type or None, callback=callback or None)
    base = base_of(request, state.settings)
    await run_in_threadpool(extract, desk_of(state, caller), manifests, how, base)
    return "Success"


@router.post("/delete_detect", summary="Annotate a manifest with images fetched anew")
async def delete_detect(
    request: Request,
    state: StateDep,
    caller: AnnotatorDep,
    manifest_url: Address,
    model: ModelFile = None,
    document_type: DocumentType = None,
    callback: Callback = None,
) -> PlainTextResponse:
    """What was kept of its images is forgotten; `Location` is the job's address."""
    how = Extraction(model=model or None, document_type=document_type or None, callback=callback or None, fresh=True)
    base = base_of(request, state.settings)
    (job,) = await run_in_threadpool(extract, desk_of(state, caller), [manifest_url], how, base)
    said = "The images are forgotten. Detection task triggered with Celery!"
    return PlainTextResponse(said, headers={"Location": f"{base}/v1/jobs/{job.id}"})


@router.get("/models", summary="List the models as files", response_class=JSONResponse)
def models(state: StateDep, caller: CallerDep) -> dict[str, str]:
    """Names and aliases with `.pt` behind them, and when each was installed."""
    found = models_by_name(state.services.libraries.of(caller.workspace_id))
    return {f"{name}{SUFFIX}": f"{changed_at(bundle):{_TIME}}" for name, bundle in found.items()}


@router.post("/send-dataset", summary="Send a dataset")
def send_dataset(
    state: StateDep,
    caller: TrainerDep,
    dataset_zip: Annotated[UploadFile, File(description="Images and labels in YOLO's layout.")],
    yaml_file: Annotated[UploadFile, File(description="YOLO's description of the dataset.")],
) -> str:
    """It is checked and kept for training."""
    kept = keep_dataset(state.blobs, caller.workspace_id, dataset_zip.file, yaml_file.file)
    return f"Dataset {kept.id} received: {kept.images} images, {kept.label_files} files of labels."


DatasetName = Annotated[
    Text | None, Form(max_length=2000, description="Id that `/send-dataset` answered with, or the name of a dataset.")
]


@router.post("/train-model", summary="Train a model")
def train(
    request: Request,
    state: StateDep,
    caller: TrainerDep,
    model: ModelFile = None,
    data: DatasetName = None,
    dataset: DatasetName = None,
    epochs: Annotated[int | None, Form(ge=1, le=10_000)] = None,
    save_dir: Annotated[Text | None, Form(max_length=2000, description="Becomes the name of the model.")] = None,
) -> PlainTextResponse:
    """It becomes a version of its name when it is there; `Location` is the run's address."""
    base = base_of(request, state.settings)
    begun = begin_training(
        run_desk(state, caller),
        model=model or None,
        dataset=data or dataset or "",
        epochs=epochs,
        save_dir=save_dir,
        base=base,
    )
    return PlainTextResponse(begun.message, headers={"Location": f"{base}/v1/runs/{begun.job.id}"})


@router.post("/test-model", summary="Test a model")
def evaluate(
    state: StateDep,
    caller: TrainerDep,
    model: ModelFile = None,
    data: DatasetName = None,
    dataset: DatasetName = None,
) -> str:
    """How good it is on the held-out pages of a dataset."""
    with state.one_at_a_time:
        return test_model(run_desk(state, caller), model=model or None, dataset=data or dataset or "")


def _refusal(error: LimnerError) -> PlainTextResponse:
    """400 where there is no key, 403 where it is not known."""
    return PlainTextResponse(str(error), 403 if isinstance(error, WrongTokenError) else 400)


#: Clients send the key with all but the request for the models.
API = ForeignAPI(router=router, tokenless_paths=frozenset({"/models"}), refusal=_refusal)
