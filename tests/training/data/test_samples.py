import pickle
from pathlib import Path

import torch
from torch import Tensor

from limner.training.augment.presets import augment_by_name
from limner.training.data.pictures import PictureCache
from limner.training.data.samples import PageSamples, collate
from limner.training.data.targets import Target
from tests.training.datasets.made import a_store, dataset, page


def _samples(folder: Path, **options: object) -> PageSamples:
    store = a_store(folder)
    made = dataset(store, [page(store, at, [("a", 0, 0, 48, 64), ("b", 60, 8, 16, 16)]) for at in range(3)])
    return PageSamples(made, made.pages, PictureCache(folder / "cache", 48, 10**7), **options)  # type: ignore[arg-type]


def test_an_image_and_what_is_on_it(tmp_path: Path) -> None:
    samples = _samples(tmp_path)
    image, target = samples[1, 0]
    assert (len(samples), image.shape, image.dtype) == (3, (3, 32, 48), torch.float32)
    assert image[0, 16, 4] == 240 / 255
    assert target.boxes.tolist() == [[0, 0, 24, 32], [30, 4, 38, 12]]
    images, targets = collate([samples[0, 0], samples[2, 0]])
    assert [each.shape for each in images] == [image.shape] * 2
    assert [each.page for each in targets] == [0, 2]
    sent = pickle.loads(pickle.dumps(samples))
    assert sent.pages == samples.pages
    assert sent[1, 0][0].equal(image)


def test_chance_follows_from_seed_epoch_and_page(tmp_path: Path) -> None:
    lots: list[int] = []

    def augment(image: Tensor, target: Target, seed: int) -> tuple[Tensor, Target]:
        lots.append(seed)
        return image, target

    samples = _samples(tmp_path, augment=augment, seed=5)
    for epoch in (0, 1, 0):
        samples[0, epoch], samples[1, epoch]
    assert lots[:2] == lots[4:]
    assert len(set(lots)) == 4


def test_other_pages_follow_from_seed_epoch_and_page_too(tmp_path: Path) -> None:
    samples = _samples(tmp_path, augment=augment_by_name("strong"), seed=5, masks=True)
    seen = [[samples[page, epoch] for page in range(3)] for epoch in range(4)]
    again = pickle.loads(pickle.dumps(samples))
    for epoch, pages in enumerate(seen):
        for number, (image, target) in enumerate(pages):
            other = again[number, epoch]
            assert other[0].equal(image)
            assert other[1].boxes.equal(target.boxes)
            assert target.page == number
