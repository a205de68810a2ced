"""Checkpoints of effdet: its own network with drawn weights, compared with its own bench."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from limner.core.errors import BundleError, CheckpointError, MissingExtraError
from limner.models.importers.checkpoints import state_dict
from limner.models.importers.efficientdet import (
    EFFICIENTDET,
    Kind,
    candidates_apart,
    export_efficientdet,
    read_efficientdet,
)
from limner.models.importers.protocol import Wishes, importer_for
from limner.models.runtimes.onnx import answers
from limner.models.tasks.decoders import Reading, decode
from limner.models.tasks.nms import nms
from limner.models.tasks.specs import Boxes

SIDE = 128


def network(config: str = "tf_efficientdet_d0", classes: int = 3) -> torch.nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from effdet import get_efficientdet_config
        from effdet.factory import create_model_from_config

        settings = get_efficientdet_config(config)
        settings.image_size = (SIDE, SIDE)
        torch.manual_seed(2)
        made = create_model_from_config(
            settings, bench_task="predict", num_classes=classes, pretrained=False, pretrained_backbone=False
        )
        # A fresh network is equally sure of everything.
        for each in (made.model.class_net.predict.conv_pw, made.model.box_net.predict.conv_pw):
            torch.nn.init.normal_(each.weight, 0, 0.3)
        torch.nn.init.normal_(made.model.class_net.predict.conv_pw.bias, -2, 1)
    return made.eval()


def test_the_same_detections_as_effdets_own_bench(tmp_path: Path) -> None:
    bench = network()
    side = export_efficientdet(
        bench.model.state_dict(), Kind("tf_efficientdet_d0", 3), tmp_path / "model.onnx", side=SIDE
    )
    assert side == SIDE
    image = np.random.default_rng(4).normal(0, 1, (1, 3, SIDE, SIDE)).astype(np.float32)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = bench(torch.from_numpy(image))[0].numpy()
    outputs = answers(tmp_path / "model.onnx", {"images": image})
    found = decode(outputs, Boxes(outputs=("boxes", "scores", "labels"), nms=True), Reading(3, 0.0, (SIDE, SIDE)))
    kept = nms(found.boxes, found.scores, found.classes, 0.5, 100)
    assert len(kept) == len(wanted) == 100
    np.testing.assert_allclose(found.scores[kept], wanted[:, 4], atol=2e-3)
    # Scores of a drawn network lie so close that their order may differ.
    rows = np.column_stack([found.boxes[kept], 100 * found.classes[kept]])
    apart = [np.abs(rows - [*row[:4], 100 * (row[5] - 1)]).max(axis=1).min() for row in wanted]
    assert np.mean(np.array(apart) < 0.1) >= 0.97


@pytest.mark.parametrize("prefix", ["", "model."])
def test_a_checkpoint_tells_what_it_is(tmp_path: Path, prefix: str) -> None:
    for config in ("tf_efficientdet_d0", "efficientdet_d0"):
        path = tmp_path / "epoch-3.pth.tar"
        table = {f"{prefix}{name}": each for name, each in network(config).model.state_dict().items()}
        torch.save({"epoch": 3, "arch": config, "state_dict": table}, path)
        assert importer_for(path) is EFFICIENTDET
        weights, kind = read_efficientdet(path)
        assert kind == Kind(config, 3)
        assert len(weights) == len(table)
        with pytest.raises(BundleError, match="knows 3 labels, and none were given"):
            EFFICIENTDET.convert(path, tmp_path / "b", Wishes())


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"fpn.cell.0.fnode.0.after_combine.conv.conv_pw.weight": torch.zeros(7, 1)}, path)
    assert not EFFICIENTDET.accepts(path)
    with pytest.raises(CheckpointError, match="no weights of an EfficientDet"):
        EFFICIENTDET.convert(path, tmp_path / "b", Wishes(labels=("a",)))
    names = ("fpn.cell.0.fnode.0.after_combine.conv.conv_pw.weight", "class_net.predict.conv_pw.bias")
    torch.save({name: torch.zeros(9) for name in names}, path)
    with pytest.raises(CheckpointError, match="9 channels"):
        EFFICIENTDET.convert(path, tmp_path / "b", Wishes(labels=("a",)))


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    weights = state_dict(network().model.state_dict())
    del weights["backbone.conv_stem.weight"]
    with pytest.raises(CheckpointError, match=r"has no backbone\.conv_stem\.weight"):
        export_efficientdet(weights, Kind("tf_efficientdet_d0", 3), tmp_path / "m.onnx", side=SIDE)


def test_without_effdet_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import limner.models.importers.extras as extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "effdet" else object())
    with pytest.raises(MissingExtraError, match=r"limner\[effdet\]"):
        EFFICIENTDET.convert(tmp_path / "x.pth", tmp_path / "b", Wishes())


def test_candidates_are_compared_whatever_their_order() -> None:
    boxes, scores, labels = np.array([[0, 0, 9, 9], [5, 5, 7, 7]], float), np.array([0.9, 0.8]), np.array([0, 1])
    one, turned = [boxes, scores, labels], [boxes[::-1], scores[::-1], labels[::-1]]
    assert candidates_apart(one, turned) == 0
    assert candidates_apart(one, [boxes + 1, scores, labels]) == pytest.approx(1 / 8)
    assert candidates_apart(one, [boxes, scores, labels + 1]) == float("inf")
