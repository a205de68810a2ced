from dataclasses import replace

import pytest
import torch

from limner.training.augment.mixing import mosaic, pasted_things
from limner.training.augment.presets import augment_by_name
from limner.training.data.samples import Others, Plain
from limner.training.data.targets import Target

#: Of every page: a grey ground of its own, and one bright thing.
SIZES = ((60, 80), (90, 50), (40, 40), (64, 64))


def page(number: int, *, masks: bool = True) -> Plain:
    height, width = SIZES[number]
    image = torch.full((3, height, width), 20 * (number + 1), dtype=torch.uint8)
    image[:, 10:30, 12:34] = 255
    shape = torch.zeros(1, height, width, dtype=torch.uint8)
    shape[0, 10:30, 12:34] = 1
    return image, Target(
        boxes=torch.tensor([[12.0, 10, 34, 30]]),
        labels=torch.tensor([number % 2]),
        masks=shape if masks else None,
        ignore=torch.zeros(0, 4),
        exhaustive=torch.tensor([True, number != 3]),
    )


def others(asked: list[int] | None = None, *, masks: bool = True) -> Others:
    def plain(number: int) -> Plain:
        if asked is not None:
            asked.append(number)
        return page(number, masks=masks)

    return Others(len(SIZES), plain)


@pytest.mark.parametrize("seed", range(6))
def test_four_pages_share_an_image(seed: int) -> None:
    torch.manual_seed(seed)
    asked: list[int] = []
    image, target = mosaic(*page(0), others(asked))
    assert image.shape == (3, 60, 80)
    assert len(asked) == 3
    assert len(target.boxes) == len(target.labels) == len(target.masks)
    assert target.exhaustive.tolist() == [True, 3 not in asked]
    limits = torch.tensor([80, 60] * 2)
    assert ((target.boxes >= 0) & (target.boxes <= limits)).all()
    for box, mask in zip(target.boxes, target.masks, strict=True):
        ys, xs = torch.nonzero(mask, as_tuple=True)
        seen = torch.tensor([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).float()
        assert (seen - box).abs().max() <= 2
        assert (image[0][mask > 0] > 130).float().mean() > 0.95


@pytest.mark.parametrize("masks", [True, False])
def test_things_are_put_where_their_boxes_are(masks: bool) -> None:
    torch.manual_seed(3)
    for _ in range(12):
        image, target = pasted_things(*page(0, masks=masks), others(masks=masks))
        assert len(target.boxes) >= 1
        for left, top, right, bottom in target.boxes.int().tolist()[-1:]:  # what lies on top
            assert (image[0, top:bottom, left:right] == 255).all()
            assert (right - left, bottom - top) == (22, 20)
        assert (target.masks is not None) == masks


def test_what_is_covered_is_gone_or_ignored() -> None:
    image, target = page(2)  # 40 × 40, on which a thing of 38 × 38 hides nearly all
    large, known = page(3)
    large[:, 0:38, 0:38] = 200
    known = replace(known, boxes=torch.tensor([[0.0, 0, 38, 38]]), masks=torch.zeros(1, 64, 64, dtype=torch.uint8))
    known.masks[0, :38, :38] = 1
    _, mixed = pasted_things(image, target, Others(1, lambda _: (large, known)))
    assert mixed.labels.tolist() == known.labels.tolist()
    assert mixed.masks.shape == (1, 40, 40)
    _, again = pasted_things(image, target, Others(1, lambda _: (large, replace(known, ignore=known.boxes))))
    assert again.labels.tolist() == target.labels.tolist()  # nobody knows what lies beside it


def test_a_mixing_preset_follows_from_its_seed() -> None:
    strong = augment_by_name("strong")
    differing = 0
    for seed in range(8):
        first = strong.mixed(*page(0), seed, others())
        again = strong.mixed(*page(0), seed, others())
        assert torch.equal(first[0], again[0])
        assert torch.equal(first[1].boxes, again[1].boxes)
        differing += not torch.equal(first[0], strong(*page(0), seed)[0])
    assert differing >= 2
