"""The pages of a dataset as a torch dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from limner.training.data.pictures import PictureCache
from limner.training.data.targets import Target, target_of
from limner.training.datasets.dataset import Dataset, DatasetPage, image_file, parse_page, render_page

#: An image (float32 [3, height, width], RGB from 0 to 1) and what is on it.
Sample: TypeAlias = tuple[Tensor, Target]
#: The same before anything is changed: uint8.
Plain: TypeAlias = tuple[Tensor, Target]
#: Images and targets of a batch; images differ in size.
Batch: TypeAlias = tuple[list[Tensor], list[Target]]


@dataclass(frozen=True, slots=True)
class Others:
    """The pages that an image may be mixed with."""

    count: int
    #: A page as it is, by its number.
    plain: Callable[[int], Plain]

    def draw(self) -> Plain:
        """One of them, by torch's chance."""
        return self.plain(int(torch.randint(self.count, ())))


@runtime_checkable
class Mixing(Protocol):
    """An `Augment` that would see other pages too."""

    def mixed(self, image: Tensor, target: Target, seed: int, others: Others) -> Plain:
        """A changed copy; ``seed`` decides how, and which others are asked for."""


#: Changes an image (uint8 [3, height, width]) and its target together; ``seed`` decides how.
Augment: TypeAlias = Callable[[Tensor, Target, int], Plain] | Mixing


class PageSamples(TorchDataset[Sample]):
    """Some pages of a dataset, each scaled so that its longer side is at most the cache's length.

    A page is asked for by its number and the epoch. What augmentation does to it follows from ``seed`` and these
    two alone, so that a run that is taken up again sees the same.
    """

    def __init__(
        self,
        dataset: Dataset,
        pages: Sequence[DatasetPage],
        pictures: PictureCache,
        *,
        augment: Augment | None = None,
        masks: bool = False,
        seed: int = 0,
    ) -> None:
        self.labels = dataset.labels
        self.pages = tuple(pages)
        self._images = dataset.images
        self._pictures = pictures
        self._augment = augment
        self._masks = masks
        self._seed = seed
        self._places = {label: at for at, label in enumerate(dataset.labels)}

    def __len__(self) -> int:
        return len(self.pages)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        number, epoch = key
        image, target = self.changed(number, epoch, self._augment)
        return image.float().div_(255), target

    def changed(self, number: int, epoch: int, augment: Augment | None) -> Plain:
        """A page as it is seen in some epoch: uint8 [3, height, width], and what is on it."""
        image, target = self.plain(number)
        if augment is None:
            return image, target
        lot = self._lot(number, epoch)
        if isinstance(augment, Mixing):
            return augment.mixed(image, target, lot, Others(len(self), self.plain))
        return augment(image, target, lot)

    def plain(self, number: int) -> Plain:
        """A page as it is: uint8 [3, height, width], and what is on it."""
        page = self.pages[number]
        pixels = self._pictures.pixels(image_file(self._images, page.image), page)
        size = (pixels.shape[1], pixels.shape[0])
        target = target_of(page, self._places, size, masks=self._masks, number=number)
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1), target

    def __getstate__(self) -> dict[str, object]:
        # Processes that read images get the pages as text: it is smaller, and annotations cannot be pickled.
        return self.__dict__ | {"pages": [render_page(page) for page in self.pages]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"pages": tuple(parse_page(line) for line in state["pages"])})

    def _lot(self, number: int, epoch: int) -> int:
        return int(np.random.SeedSequence([self._seed, epoch, number]).generate_state(1)[0])


def collate(samples: Sequence[Sample]) -> Batch:
    """A batch, images as they are."""
    return [image for image, _ in samples], [target for _, target in samples]
