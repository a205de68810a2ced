from __future__ import annotations

from pathlib import Path

import pytest

from limner.core.errors import BundleError
from limner.models.importers.detectron2_config import Detectron2Config, named_config, parse_config, read_config
from tests.models.parity import parity_folder


def test_an_empty_configuration_has_the_defaults_of_detectron2():
    assert parse_config({}) == Detectron2Config()
    assert parse_config({"_BASE_": "../Base-RCNN-FPN.yaml"}) == Detectron2Config()


def test_what_a_training_has_written():
    config = read_config(parity_folder() / "mask_rcnn_r50_fpn" / "config.yaml")
    assert config == Detectron2Config(shorter_side=400, longer_side=640)


def test_values_are_taken_over():
    tree = {
        "INPUT": {"FORMAT": "RGB", "MIN_SIZE_TEST": 0},
        "MODEL": {
            "ANCHOR_GENERATOR": {"SIZES": [[16, 24]], "ASPECT_RATIOS": [[0.5]] * 5},
            "ROI_BOX_HEAD": {"BBOX_REG_WEIGHTS": "(1.0, 2.0, 3.0, 4.0)", "POOLER_TYPE": "ROIAlign"},
            "ROI_MASK_HEAD": {"POOLER_TYPE": "ROIAlign"},
            "FPN": {"FUSE_TYPE": "avg"},
        },
    }
    assert parse_config(tree) == Detectron2Config(
        channels="rgb",
        shorter_side=0,
        anchor_sizes=((16.0, 24.0),) * 5,
        anchor_ratios=((0.5,),) * 5,
        box_weights=(1.0, 2.0, 3.0, 4.0),
        aligned=False,
        averages=True,
    )


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("mask_rcnn_R_50_FPN_3x", 1),
        ("COCO-Detection/faster_rcnn_R_101_FPN_3x.yaml", 1),
        ("mask_rcnn_X_101_32x8d_FPN_3x", 32),
    ],
)
def test_the_zoo_is_known_by_name(name, groups):
    config = named_config(name)
    assert (config.groups, config.stride_in_1x1) == (groups, groups == 1)


@pytest.mark.parametrize(
    "name", ["mask_rcnn_R_50_C4_1x", "keypoint_rcnn_R_50_FPN_3x", "mask_rcnn_X_50_FPN_1x", "../../etc/passwd", ""]
)
def test_other_names_are_refused(name):
    with pytest.raises(BundleError, match="There is no configuration"):
        named_config(name)


def nested(key: str, value: object) -> dict:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("_BASE_", "mine.yaml", "builds on 'mine.yaml'"),
        ("MODEL.META_ARCHITECTURE", "RetinaNet", "the architecture, RetinaNet"),
        ("MODEL.RESNETS.RES5_DILATION", 2, "dilation"),
        ("MODEL.RESNETS.DEFORM_ON_PER_STAGE", [True], "deformable"),
        ("MODEL.ROI_BOX_HEAD.POOLER_TYPE", "ROIPool", "the pooling, ROIAlignV2 and ROIPool"),
        ("MODEL.RESNETS.STRIDE_IN_1X1", "yes", "STRIDE_IN_1X1 cannot be 'yes'"),
        ("MODEL.RPN.NMS_THRESH", float("nan"), "NMS_THRESH cannot be 'nan'"),
        ("MODEL.PIXEL_STD", [1, 2], "PIXEL_STD cannot be"),
        ("MODEL.PIXEL_STD", "(1, __import__('os'), 2)", "PIXEL_STD cannot be"),
        ("MODEL.ANCHOR_GENERATOR.SIZES", [[32], [64]], "SIZES cannot be"),
        ("TEST.DETECTIONS_PER_IMAGE", 10**9, "DETECTIONS_PER_IMAGE cannot be"),
        ("INPUT.FORMAT", "L", "the order of colours"),
    ],
)
def test_what_cannot_be_is_named(key, value, message):
    with pytest.raises(BundleError, match=message):
        parse_config(nested(key, value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("!!python/object/apply:os.system ['touch limner-was-here']", "could not determine a constructor"),
        ("[1, 2]", "holds no table"),
        ("a: b: c", "cannot be read"),
        ("x" * 1_000_001, "larger than any configuration"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, text, message):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(BundleError, match=message):
        read_config(tmp_path / "config.yaml")
    assert not Path("limner-was-here").exists()
