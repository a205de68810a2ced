"""Training and testing as extractorAPI's clients ask for it: with the files of weights and datasets that they know."""

from __future__ import annotations

import re
from dataclasses import dataclass

from limner.core.errors import BundleError, LimnerError, UsageError
from limner.operations.datasets.gathering import Wishes
from limner.operations.datasets.received import import_received
from limner.operations.foreign.model_files import known_name, stem_of
from limner.operations.runs.desk import RunDesk
from limner.operations.runs.prepare import architecture_of, model_name
from limner.operations.runs.promotion import map50
from limner.storage.jobs import Job
from limner.training.datasets.dataset import Split

_SENT = re.compile(r"[0-9a-f]{32}")
#: Files that describe a dataset; its name is that of the file, or of its folder.
_DESCRIPTIONS = re.compile(r"(?:^|/)(?:data(?:set)?|custom)?\.ya?ml$|\.ya?ml$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that was begun for a client."""

    job: Job
    #: What became of its wishes.
    message: str


def begin_training(
    desk: RunDesk, *, model: str | None, dataset: str, epochs: int | None, save_dir: str | None, base: str
) -> Begun:
    """Begin a run; weights that training cannot go on from are passed over, and the message says so.

    ``dataset`` is the id that `/send-dataset` answered with, or the name of a dataset here; ``save_dir`` becomes the
    name of the model. Raises as `RunDesk.create` does.
    """
    ref = _dataset(desk, dataset)
    begins, note = _base(desk, model)
    values: dict[str, object] = {"dataset": ref, "epochs": epochs, "base": begins}
    last = (save_dir or "").replace("\\", "/").rstrip("/").rpartition("/")[2]
    values["name"] = model_name(last or (stem_of(model) if model else ref.partition("@")[0]))
    job = desk.create(values, base)
    return Begun(job, f"Training task triggered: run {job.id} learns from {ref}, and becomes {values['name']}.{note}")


def test_model(desk: RunDesk, *, model: str | None, dataset: str) -> str:
    """How good a model is on the held-out pages of a dataset, in a sentence."""
    data = desk.place.datasets.get(_dataset(desk, dataset))
    splits: tuple[Split, ...] = ("test", "val", "train")
    split = next(each for each in splits if data.split(each))
    library = desk.services.libraries.of(desk.workspace_id)
    with library.use(known_name(model, library) if model else "default") as predictor:
        figure = map50(predictor, data, split, desk.services.settings)
        ref = predictor.bundle.ref
    return f"{ref} on {len(data.split(split))} pages of {data.ref} ({split}): mAP50 {figure:.4f}"


def _base(desk: RunDesk, model: str | None) -> tuple[str | None, str]:
    """The model to begin with, and what to say where it is none that training can go on from."""
    if not model:
        return None, ""
    library = desk.services.libraries.of(desk.workspace_id)
    name = known_name(model, library)
    try:
        architecture_of(library.get(name))
    except LimnerError as error:
        if isinstance(error, BundleError) or not library.store.versions(name):
            return None, f" It begins from chance: {stem_of(model)} has no weights here that training can go on from."
        raise
    return name, f" It begins with {name}."


def _dataset(desk: RunDesk, told: str) -> str:
    """The dataset that a client means; one that it has sent is taken in now. Raises `DatasetNotFoundError`."""
    name = told.strip()
    if not name:
        raise UsageError("There is no dataset.", hint="Send the id that /send-dataset answered with, as `data`.")
    store = desk.place.datasets
    if _SENT.fullmatch(name):
        own = f"sent-{name[:12]}"
        if not store.versions(own):
            context = desk.services.sources
            import_received(desk.blobs, desk.workspace_id, name, store, Wishes(name=own), context)
        return own
    return _DESCRIPTIONS.sub("", name.replace("\\", "/")).rstrip("/").rpartition("/")[2] or name
