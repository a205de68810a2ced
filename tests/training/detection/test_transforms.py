import torch

from limner.training.detection.transforms import pasted


def test_a_mask_fills_its_box() -> None:
    masks = torch.ones(2, 28, 28)
    masks[1, :, :14] = 0
    found = pasted(masks, torch.tensor([[2.0, 3, 10, 9], [4.4, 0, 12.4, 20]]), (12, 16))
    assert found.shape == (2, 12, 16)
    assert found[0].nonzero().amin(dim=0).tolist() == [3, 2]
    assert found[0].sum() == 6 * 8
    # The right half of 4.4 to 12.4, cut at the image's lower edge: pixels with their centres from 8.4 on.
    assert found[1].any(dim=0).nonzero()[:, 0].tolist() == [8, 9, 10, 11]
    assert found[1].sum() == 4 * 12


def test_a_box_between_pixels_has_none() -> None:
    assert not pasted(torch.ones(1, 28, 28), torch.tensor([[3.6, 3.6, 4.4, 4.4]]), (8, 8)).any()
    assert pasted(torch.zeros(0, 28, 28), torch.zeros(0, 4), (8, 8)).shape == (0, 8, 8)
