"""A run's model among the others: the next version of its name, and the alias that moves where it is better."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from limner.annotations.annotation import Json
from limner.core.errors import ConflictError, ModelNotFoundError
from limner.core.settings import Settings
from limner.models.bundle import Bundle
from limner.models.bundle_files import read_bundle, write_text
from limner.models.protocol import Predictor
from limner.models.store import ModelStore
from limner.operations.evaluation.running import look
from limner.operations.library import WorkspaceStore
from limner.training.datasets.dataset import Dataset, Split
from limner.training.evaluation.figures import label_finds
from limner.training.evaluation.matching import match
from limner.training.evaluation.pages import found_of, truth_of
from limner.training.fitting.folder import RunFolder

#: Lends a loaded model by its name.
Use = Callable[[str], AbstractContextManager[Predictor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """What came of a promotion."""

    #: Name and version of the run's model.
    model: str
    alias: str
    #: Whether the alias stands for it now.
    moved: bool
    #: What the alias stood for, if anything.
    before: str | None
    #: Mean average precision at IoU 0.5 of both on the same pages; None where it was not measured.
    map50: float | None = None
    map50_before: float | None = None
    #: Those pages: the split, and how many.
    split: str | None = None
    pages: int = 0

    def plain(self) -> dict[str, Json]:
        """As JSON."""
        return {**asdict(self)}

    @property
    def sentence(self) -> str:
        """What came of it, for people."""
        if self.before is None:
            return f"{self.alias} stands for {self.model}."
        if self.map50 is None or self.map50_before is None:
            return f"{self.alias} stands for {self.model}, as it was told; before it stood for {self.before}."
        figures = f"mAP50 {self.map50:.3f} against {self.map50_before:.3f} on {self.pages} pages ({self.split})"
        if self.moved:
            return f"{self.alias} stands for {self.model} and no longer for {self.before}: {figures}."
        return f"{self.alias} still stands for {self.before}: {self.model} is no better, {figures}."


def register(folder: RunFolder, store: ModelStore) -> Bundle:
    """The run's model as the next version of its name; once, however often it is asked for.

    An alias that follows the newest version is held where it is: it moves when the model is better.
    Raises `ConflictError` where the run has no model yet, and `BundleError`.
    """
    if not folder.result.is_file():
        raise ConflictError("The run has no model: it is not finished.")
    bundle = read_bundle(folder.bundle)
    for known in store.list():
        if known.name == bundle.name and known.sha256 == bundle.sha256:
            return known
    for alias, target in store.aliases().items():
        if target == bundle.name:
            store.alias(alias, store.resolve(target))
    return store.add(bundle.changed(version=next_version(store, bundle.name)))


def next_version(store: ModelStore, name: str) -> str:
    """The number after the highest of a model's versions, those shared by all included."""
    known = [*store.versions(name)]
    if isinstance(store, WorkspaceStore):
        known += store.shared.versions(name)
    return str(max((int(each) for each in known if each.isdigit()), default=0) + 1)


@dataclass(frozen=True, slots=True)
class Promoter:
    """Compares models on the held-out pages of a run's dataset."""

    store: ModelStore
    use: Use
    settings: Settings

    def promote(self, folder: RunFolder, dataset: Dataset, alias: str, *, force: bool = False) -> Promotion:
        """Let an alias stand for a run's model where it is better than what it stands for, or when told so.

        Raises `ConflictError`, `BundleError`, or `UsageError` for what can be no alias.
        """
        new = register(folder, self.store)
        try:
            before = self.store.resolve(alias)
        except ModelNotFoundError:
            before = None
        if before == new.ref:
            return Promotion(model=new.ref, alias=alias, moved=False, before=before)
        if before is None or force:
            self.store.alias(alias, new.ref)
            return Promotion(model=new.ref, alias=alias, moved=True, before=before)
        split, figures = self._compared(folder, dataset, new, self.store.get(before))
        better = figures[0] > figures[1]
        if better:
            self.store.alias(alias, new.ref)
        return Promotion(
            model=new.ref,
            alias=alias,
            moved=better,
            before=before,
            map50=figures[0],
            map50_before=figures[1],
            split=split,
            pages=len(dataset.split(split)),
        )

    def _compared(
        self, folder: RunFolder, dataset: Dataset, new: Bundle, old: Bundle
    ) -> tuple[Split, tuple[float, float]]:
        """The split that nobody learnt from, and both figures there; what was measured once is kept in the folder."""
        split: Split = "test" if dataset.split("test") else "val"
        if not dataset.split(split):
            raise ConflictError(
                f"The dataset {dataset.ref} holds nothing out, so that nobody can say which model is better.",
                hint="Give it a split `val` or `test`, or promote it without comparing (force).",
            )
        path = folder.path / "compared.json"
        known: dict[str, float] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        for bundle in (new, old):
            key = f"{bundle.ref} {bundle.sha256} {split}"
            if key not in known:
                with self.use(bundle.ref) as predictor:
                    known[key] = map50(predictor, dataset, split, self.settings)
        write_text(path, json.dumps(known, indent=2) + "\n")
        figures = [known[f"{bundle.ref} {bundle.sha256} {split}"] for bundle in (new, old)]
        return split, (figures[0], figures[1])


def map50(predictor: Predictor, dataset: Dataset, split: Split, settings: Settings) -> float:
    """Mean of the labels' average precision at IoU 0.5, by boxes, as the model is served; 0 for what it never finds."""
    truth, found = [], []
    for page in dataset.split(split):
        size = (page.page.width, page.page.height)
        truth.append(truth_of(page, dataset.labels))
        found.append(found_of(page.page.name, look(predictor, dataset, page, settings), dataset.labels, size))
    matches = [match(there, finds) for there, finds in zip(truth, found, strict=True)]
    finds = label_finds(truth, found, matches, len(dataset.labels))
    known = [each for each in (label.average_precision() for label in finds) if each is not None]
    return round(sum(known) / len(known), 4) if known else 0.0


def promotion_of(folder: RunFolder) -> Mapping[str, Json] | None:
    """What came of a run's last promotion, as JSON; None where there was none."""
    path = _promotion_file(folder)
    found: Mapping[str, Json] | None = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    return found


def note_promotion(folder: RunFolder, promotion: Promotion) -> None:
    """Keep what came of it with the run."""
    write_text(_promotion_file(folder), json.dumps(promotion.plain(), indent=2) + "\n")


def _promotion_file(folder: RunFolder) -> Path:
    return folder.path / "promotion.json"
