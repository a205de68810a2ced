import pickle

import pytest
import torch

from limner.core.errors import UnknownNameError
from limner.training.augment.presets import NAMES, Jpeg, Texture, augment_by_name
from limner.training.data.targets import Target


def _target() -> Target:
    return Target(
        boxes=torch.tensor([[30.0, 30, 60, 60]]),
        labels=torch.tensor([0]),
        ignore=torch.zeros(0, 4),
        exhaustive=torch.ones(1, dtype=torch.bool),
    )


@pytest.mark.parametrize("name", [name for name in NAMES if name != "none"])
def test_the_same_seed_does_the_same_and_another_something_else(name: str) -> None:
    augment = augment_by_name(name)
    assert augment is not None
    image = torch.randint(0, 255, (3, 96, 96), dtype=torch.uint8)
    before = torch.get_rng_state()
    first, again, other = (augment(image, _target(), seed) for seed in (5, 5, 6))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1].boxes, again[1].boxes)
    assert not torch.equal(first[0], other[0])
    assert first[0].dtype == torch.uint8
    assert first[0].shape[0] == 3
    assert max(first[0].shape) <= 96
    assert torch.equal(torch.get_rng_state(), before)
    assert pickle.loads(pickle.dumps(augment))(image, _target(), 5)[0].equal(first[0])


def test_names() -> None:
    assert augment_by_name("none") is None
    with pytest.raises(UnknownNameError, match="page"):
        augment_by_name("pages")


def test_texture_changes_light_and_not_size() -> None:
    image = torch.full((3, 50, 70), 128, dtype=torch.uint8)
    torch.manual_seed(0)
    out = Texture(0.3)(image)
    assert out.shape == image.shape
    assert out.float().std() > 1
    assert abs(out.float().mean() - 128) < 40


def test_compression_keeps_the_colours() -> None:
    image = torch.zeros(3, 40, 56, dtype=torch.uint8)
    image[0], image[2, :, 28:] = 200, 90
    torch.manual_seed(0)
    out = Jpeg((60, 60))(image)
    assert (out.shape, out.dtype) == (image.shape, torch.uint8)
    assert not torch.equal(out, image)
    assert (out.float() - image.float()).abs().mean() < 6
