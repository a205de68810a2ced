"""Our way from torchvision's modules to detections, against torchvision's own, and both against the ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from limner.models.architectures.torchvision_networks import detector
from limner.models.importers.detectors import detections_differ, export_detector
from limner.models.importers.exporting import sample_pixels
from limner.models.importers.torchvision import detector_input
from limner.models.runtimes.onnx import answers
from limner.models.tasks.letterbox import Buffers, plan_input, prepare
from tests.models.architectures.tiny_torchvision import dense, single_shot, two_stage

NETWORKS = {
    "faster": lambda: two_stage(masks=False),
    "mask": lambda: two_stage(masks=True),
    "retinanet": lambda: dense("retinanet"),
    "fcos": lambda: dense("fcos"),
    "ssd": single_shot,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_detections_as_torchvision(name: str, tmp_path: Path):
    torch.manual_seed(1)
    model = NETWORKS[name]()
    spec, network = detector_input(model.transform), detector(model)
    roles = ("boxes", "scores", "labels", "masks")[: 3 + (name == "mask")]
    sizes = [(128, 96)] * 2 if name == "ssd" else [(150, 170), (120, 100)]
    export_detector(network, spec, roles, tmp_path / "model.onnx", widths=sizes)
    for width, height in ((200, 131), (90, 270)):
        pixels = sample_pixels(width, height)
        plan = plan_input(spec, (width, height))
        image = prepare(pixels, spec, plan, Buffers()).copy()
        theirs = said_by_torchvision(model, pixels, first=0 if name in ("retinanet", "fcos") else 1)
        assert len(theirs[1]) > 5
        with torch.no_grad():
            ours = [each.numpy() for each in network(torch.from_numpy(image))]
        for answer in (ours, answers(tmp_path / "model.onnx", {"image": image})):
            boxes = plan.transform.to_image(answer[0])
            assert detections_differ(theirs, [boxes, *answer[1:3]]) == 0


def said_by_torchvision(model, pixels, first: int) -> list[np.ndarray]:
    """Boxes, scores and labels (from 0) of a page, scaled and normalised as torchvision does it."""
    image = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
    with torch.no_grad():
        said = model([image])[0]
    return [said["boxes"].numpy(), said["scores"].numpy(), said["labels"].numpy() - first]


def test_what_is_no_detector_is_refused():
    with pytest.raises(TypeError, match="Linear is no detector"):
        detector(torch.nn.Linear(1, 1))
