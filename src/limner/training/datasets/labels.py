"""Other names for labels, labels left out, and annotations that only say where nothing is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from limner.annotations.annotation import Annotation
from limner.annotations.shapes import Box
from limner.core.errors import UsageError
from limner.training.datasets.dataset import Dataset, DatasetPage

#: Attributes that mark a zone nobody annotated: COCO's crowds, and ``ignore`` of labelling tools.
IGNORED = frozenset({"ignore", "iscrowd"})
#: VOC's mark of what is too hard to be asked for.
DIFFICULT = "difficult"


@dataclass(frozen=True, slots=True)
class LabelMap:
    """What labels become: another label, or None where their annotations are left out."""

    changes: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def parse(cls, rules: Iterable[str]) -> LabelMap:
        """Read ``old=new`` and ``old=`` (left out); raises `UsageError` for what is neither, or said twice."""
        changes: dict[str, str | None] = {}
        for rule in rules:
            old, equals, new = (part.strip() for part in rule.partition("="))
            if not equals or not old:
                raise UsageError(f"{rule!r} changes no label.", hint="Write OLD=NEW, or OLD= to leave a label out.")
            if old in changes:
                raise UsageError(f"The label {old!r} is changed twice.")
            changes[old] = new or None
        return cls(changes)

    def of(self, label: str) -> str | None:
        """What a label becomes; None where it is left out."""
        return self.changes.get(label, label)

    def annotations(self, annotations: Iterable[Annotation]) -> tuple[Annotation, ...]:
        """Annotations with their new labels, less those left out."""
        out = []
        for each in annotations:
            label = self.of(each.label)
            if label is not None:
                out.append(each if label == each.label else replace(each, label=label))
        return tuple(out)

    def labels(self, labels: Iterable[str]) -> tuple[str, ...]:
        """The labels that some become, each once, in their order."""
        return tuple(dict.fromkeys(new for label in labels if (new := self.of(label)) is not None))


def renamed(dataset: Dataset, changes: LabelMap) -> Dataset:
    """A dataset with other labels and no version yet; raises `UsageError` for a label that it does not have."""
    unknown = sorted(set(changes.changes) - set(dataset.labels))
    if unknown:
        raise UsageError(
            f"{dataset.ref} has no label {', '.join(unknown)}.", hint=f"It has {', '.join(dataset.labels)}."
        )
    pages = tuple(_renamed_page(page, changes) for page in dataset.pages)
    return replace(dataset, version="", labels=changes.labels(dataset.labels), pages=pages)


def _renamed_page(page: DatasetPage, changes: LabelMap) -> DatasetPage:
    looked_for = None if page.exhaustive is None else frozenset(changes.labels(page.exhaustive))
    return replace(page, annotations=changes.annotations(page.annotations), exhaustive=looked_for)


def told_apart(
    annotations: Iterable[Annotation], *, difficult: bool = False
) -> tuple[tuple[Annotation, ...], tuple[Box, ...]]:
    """What is known of a page, and the zones of which nothing is known.

    With ``difficult``, what VOC calls so is such a zone as well.
    """
    marks = IGNORED | ({DIFFICULT} if difficult else frozenset())
    known, zones = [], []
    for each in annotations:
        if any(_is_set(each.attributes.get(mark)) or _is_flagged(each, mark) for mark in marks):
            zones.append(each.shape.bounds)
        else:
            known.append(each)
    return tuple(known), tuple(zones)


def _is_set(value: object) -> bool:
    """Whether an attribute says yes, as XML, JSON and forms write it."""
    return value in (1, True) or (isinstance(value, str) and value.strip().lower() in ("1", "true", "yes"))


def _is_flagged(annotation: Annotation, mark: str) -> bool:
    """Whether labelme's flags of a shape have a mark."""
    flags = annotation.attributes.get("flags")
    return isinstance(flags, Mapping) and _is_set(flags.get(mark))
