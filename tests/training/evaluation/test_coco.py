import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from limner.core.errors import UsageError
from limner.training.evaluation.coco import coco_figures, coco_found, coco_truth
from tests.training.evaluation.scenes import scenes


def _by_pycocotools(truth, found, labels, kind):
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = coco_truth(truth, labels, kind)
        known.createIndex()
        evaluation = COCOeval(known, known.loadRes(coco_found(found, kind)), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("kind", ["bbox", "segm"])
@pytest.mark.parametrize("unknown", [False, True])
def test_the_figures_are_those_of_pycocotools(kind, unknown):
    labels = ("a", "b", "c")
    truth, found = scenes(12 if kind == "segm" else 40, 6, 3, seed=3, masks=kind == "segm", unknown=unknown)
    figures = coco_figures(truth, found, labels, kind)
    peer = _by_pycocotools(truth, found, labels, kind)
    ours = [figures.ap, figures.ap50, figures.ap75, figures.recall]
    assert ours == pytest.approx([peer.stats[at] for at in (0, 1, 2, 8)], abs=1e-6)
    precision = peer.eval["precision"][:, :, :, 0, -1]
    for at, (ap, ap50) in enumerate(figures.by_label):
        assert ap == pytest.approx(precision[:, :, at].mean(), abs=1e-6)
        assert ap50 == pytest.approx(precision[0, :, at].mean(), abs=1e-6)
    assert 0.2 < figures.ap < 0.95


def test_unknown_zones_change_the_figures():
    truth, found = scenes(40, 6, 3, seed=3, unknown=True)
    plain, _ = scenes(40, 6, 3, seed=3)
    assert coco_figures(truth, found, "abc").ap50 != coco_figures(plain, found, "abc").ap50


def test_nothing_found_is_nought_and_nothing_to_be_found_is_none():
    truth, found = scenes(4, 3, 2)
    nothing = [each.above(2.0) for each in found]
    figures = coco_figures(truth, nothing, ("a", "b", "never"))
    assert (figures.ap, figures.ap50, figures.by_label[2]) == (0.0, 0.0, (None, None))
    empty, finds = scenes(3, 0, 2)
    assert coco_figures(empty, finds, ("a", "b")).ap is None


def test_finds_of_other_pages_are_refused():
    truth, found = scenes(3, 2, 2)
    with pytest.raises(UsageError, match="not of the pages"):
        coco_figures(truth, found[::-1], ("a", "b"))
    assert np.array([each.name == other.name for each, other in zip(truth, found, strict=True)]).all()
