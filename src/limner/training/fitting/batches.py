"""Which pages stand in which batch: the same for the same seed, from wherever a run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Batches of page numbers and epochs, one epoch after the other without a break.

    Each epoch is shuffled anew. The last batch of an epoch is filled from the beginning of its own order,
    so that all batches are of one size. Of several processes each takes every so manieth batch.
    """

    pages: int
    size: int
    #: Batches in all, and the first of them, counted from 0.
    total: int
    start: int = 0
    seed: int = 0
    process: int = 0
    processes: int = 1

    @property
    def per_epoch(self) -> int:
        """Batches of one epoch in each process."""
        return batches_per_epoch(self.pages, self.size, self.processes)

    def __len__(self) -> int:
        return self.total - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, order = -1, np.zeros(0, dtype=np.int64)
        for number in range(self.start, self.total):
            if number // self.per_epoch != epoch:
                epoch = number // self.per_epoch
                order = self._order(epoch)
            at = (number % self.per_epoch) * self.processes + self.process
            places = np.arange(at * self.size, (at + 1) * self.size) % self.pages
            yield [(int(page), epoch) for page in order[places]]

    def _order(self, epoch: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.random.default_rng([self.seed, epoch]).permutation(self.pages)


def batches_per_epoch(pages: int, size: int, processes: int = 1) -> int:
    """Batches in each process until every page was seen once, at least 1."""
    return max(1, -(-pages // (size * processes)))
