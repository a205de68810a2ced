"""From what somebody wishes to a run that can be carried out: everything is checked that can be before it begins."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from limner.core.errors import BundleError, MissingExtraError, TrainingError, UsageError
from limner.models.bundle import NAME_PATTERN, Bundle
from limner.models.bundle_files import TRAINING
from limner.models.store import DEFAULT, ModelStore
from limner.operations.runs.places import TrainingPlace
from limner.training.architectures.offered import OFFERED
from limner.training.architectures.protocol import ARCHITECTURES
from limner.training.config import RunConfig, make_config, render_config
from limner.training.datasets.dataset import Dataset
from limner.training.datasets.store import DatasetStore
from limner.training.fitting.folder import RunFolder
from limner.training.process import RunJob

#: Of each package of the extra ``train`` that cannot be done without, the module.
_MODULES = ("torch", "torchvision", "lightning", "safetensors", "faster_coco_eval")
#: What a run learns with where nobody says.
ARCHITECTURE = "lite"
_LONGEST_HEADER = 100_000_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that can be carried out."""

    #: Only what was asked for is set; the architecture fills the rest when it is loaded.
    config: RunConfig
    datasets: Path
    #: Folder of the bundle that it begins with, or a name of torchvision's weights.
    base: Path | None

    def write(self, folder: RunFolder) -> None:
        """Make the run's folder; one that is there already stays as it is."""
        if folder.config.exists():
            return
        folder.path.mkdir(parents=True, exist_ok=True)
        RunJob(str(self.datasets), "" if self.base is None else str(self.base)).write(folder)
        partial = folder.config.with_suffix(".partial")
        partial.write_text(render_config(self.config, asked=True), encoding="utf-8")
        partial.replace(folder.config)


def missing_modules() -> list[str]:
    """What training needs that is not installed here."""
    return [name for name in _MODULES if importlib.util.find_spec(name) is None]


def need_train_extra() -> None:
    """Raise `MissingExtraError` where the extra ``train`` is not installed."""
    if missing := missing_modules():
        raise MissingExtraError(
            f"Training needs packages that are not installed ({', '.join(missing)}).",
            hint="Install them with: pip install 'limner[train]'",
        )


def prepare(values: Mapping[str, object], place: TrainingPlace) -> Prepared:
    """Check the choices of a run (those of `RunConfig`; ``dataset`` alone is needed), and fix what they name.

    Raises `UsageError`, `UnknownNameError`, `DatasetNotFoundError`, `TrainingError`, `ModelNotFoundError` or
    `BundleError`.
    """
    asked = {key: value for key, value in values.items() if value is not None}
    dataset = _dataset(asked, place.datasets)
    wished = str(asked.get("base") or "")
    base = place.models.get(wished) if wished and wished not in OFFERED else None
    asked["architecture"] = _architecture(asked, OFFERED.get(wished) if base is None else architecture_of(base))
    asked |= {"dataset": dataset.ref, "dataset_sha256": dataset.sha256}
    asked.setdefault("name", dataset.name)
    if base is not None:
        asked["base"] = base.ref
    config = make_config(asked)
    check_name(config.name, place.models)
    folder = None if base is None else base.folder
    return Prepared(config, place.datasets.folder, Path(wished) if wished in OFFERED else folder)


def _dataset(asked: Mapping[str, object], datasets: DatasetStore) -> Dataset:
    dataset = datasets.get(str(asked.get("dataset") or ""))
    if not dataset.split("train"):
        raise TrainingError(f"The dataset {dataset.ref} has no page to learn from.", hint="`limner datasets split`.")
    if not dataset.labels:
        raise TrainingError(f"The dataset {dataset.ref} has no label to learn.")
    return dataset


def _architecture(asked: Mapping[str, object], of_base: str | None) -> str:
    """The one that was asked for, else that of the model to begin with, else a light one."""
    name = str(asked.get("architecture") or of_base or ARCHITECTURE)
    ARCHITECTURES.check(name)
    if of_base is not None and of_base != name:
        raise UsageError(
            f"The model to begin with is a {of_base}, and a {name} cannot begin with its weights.",
            hint=f"Leave the architecture out, or take {of_base}.",
        )
    return name


def architecture_of(bundle: Bundle) -> str:
    """The architecture of a model that can be trained further; raises `BundleError` for any other."""
    path = None if bundle.folder is None else bundle.folder / TRAINING
    if path is None or not path.is_file():
        raise BundleError(
            f"The model {bundle.ref} has no weights to go on from.",
            hint="Only models that were trained by Limner can be trained further.",
        )
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size)) if size < _LONGEST_HEADER else {}
        return str(header["__metadata__"]["architecture"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"The weights in {TRAINING} of {bundle.ref} do not say what they are of.") from error


def check_name(name: str, models: ModelStore) -> None:
    """Raise `UsageError` where no model can be called so: after hours of learning would be late to say it."""
    if name == DEFAULT or name in models.aliases():
        raise UsageError(f"{name!r} is an alias, so no model can be called so.", hint="Give the run another name.")


def model_name(text: str) -> str:
    """A name that a model can have, from any text: ``my-nuts`` for ``My nuts!``."""
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("._-")[:64].strip("._-")
    return name if re.fullmatch(NAME_PATTERN, name) else "model"
