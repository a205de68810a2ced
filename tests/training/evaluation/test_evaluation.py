import numpy as np
import pytest

from limner.training.evaluation.bootstrap import average_precision, difference, interval, weights
from limner.training.evaluation.confusion import confusion
from limner.training.evaluation.evaluation import evaluate
from limner.training.evaluation.figures import Ratios, label_finds, together
from limner.training.evaluation.matching import NOTHING, box_iou, match
from limner.training.evaluation.pages import PageFound, PageTruth
from tests.training.evaluation.scenes import scenes


def _truth(boxes, labels, *, ignore=(), exhaustive=(True, True)):
    return PageTruth(
        name="p",
        width=100,
        height=100,
        boxes=np.array(boxes, dtype=float).reshape(-1, 4),
        labels=np.array(labels, dtype=np.int64),
        ignore=np.array(ignore, dtype=float).reshape(-1, 4),
        exhaustive=np.array(exhaustive),
    )


def _found(boxes, labels, scores):
    return PageFound(
        name="p",
        boxes=np.array(boxes, dtype=float).reshape(-1, 4),
        labels=np.array(labels, dtype=np.int64),
        scores=np.array(scores, dtype=float),
    )


def match_all(truth, found):
    return [match(one, other) for one, other in zip(truth, found, strict=True)]


def test_overlaps_of_boxes():
    one = np.array([[0, 0, 10, 10], [20, 20, 30, 40]], dtype=float)
    assert box_iou(one, np.array([[5, 0, 15, 10], [50, 50, 60, 60.0]])) == pytest.approx(np.array([[1 / 3, 0], [0, 0]]))


def test_the_surest_find_takes_the_thing_and_the_second_is_wrong():
    truth = _truth([[0, 0, 10, 10], [50, 50, 60, 60]], [0, 1])
    found = _found([[0, 0, 10, 9], [0, 0, 10, 10], [50, 50, 60, 60]], [0, 0, 0], [0.9, 0.8, 0.7])
    matches = match(truth, found)
    assert matches.truth.tolist() == [0, NOTHING, NOTHING]
    assert matches.iou[0] == pytest.approx(0.9)
    assert match(truth, found, across_labels=True).truth.tolist() == [0, NOTHING, 1]


def test_what_lies_where_nothing_is_known_counts_for_nobody():
    found = _found([[0, 0, 10, 10], [0, 0, 10, 10], [80, 80, 90, 90]], [0, 1, 1], [0.9, 0.8, 0.7])
    ignored = match(_truth([], [], ignore=[[0, 0, 30, 30]]), found).ignored
    assert ignored.tolist() == [True, True, False]
    assert match(_truth([], [], exhaustive=(True, False)), found).ignored.tolist() == [False, True, True]
    figures = evaluate([_truth([[80, 80, 90, 90]], [1], ignore=[[0, 0, 30, 30]])], [found], ("a", "b"), threshold=0.1)
    assert (figures.ratios.finds, figures.ratios.precision, figures.ratios.recall) == (1, 1.0, 1.0)


def test_ratios_by_hand():
    finds = label_finds(
        [_truth([[0, 0, 10, 10], [20, 20, 30, 30]], [0, 0])],
        [found := _found([[0, 0, 10, 8], [60, 60, 70, 70], [20, 20, 30, 30]], [0, 0, 0], [0.9, 0.6, 0.4])],
        [match(_truth([[0, 0, 10, 10], [20, 20, 30, 30]], [0, 0]), found)],
        2,
    )[0]
    half = finds.at(0.5)
    assert (half.precision, half.recall, half.f1, half.mean_iou) == (0.5, 0.5, 0.5, pytest.approx(0.8))
    assert finds.at(0.4).f1 == pytest.approx(0.8)
    assert finds.best_threshold() == 0.4
    nothing = finds.at(0.95)
    assert (nothing.precision, nothing.recall, nothing.f1, nothing.mean_iou) == (None, 0.0, 0.0, None)
    assert together([half, Ratios(2, 0, 0, 0.0)]).recall == 0.25
    recall, precision, thresholds = finds.curve()
    assert recall.tolist() == [0.5, 0.5, 1.0]
    assert precision.tolist() == pytest.approx([1, 0.5, 2 / 3])
    assert thresholds.tolist() == [0.9, 0.6, 0.4]


def test_our_average_precision_is_coco_s():
    truth, found = scenes(60, 6, 3, seed=8)
    figures = evaluate(truth, found, "abc", rounds=0)
    for at, each in enumerate(figures.labels):
        assert figures.finds[at].average_precision() == pytest.approx(each.ap50, abs=1e-6)
    assert figures.ap50("b") == figures.labels[1].ap50
    assert figures.ap50_interval is None


def test_no_threshold_is_better_than_the_best():
    truth, found = scenes(30, 5, 2, seed=5)
    for finds in label_finds(truth, found, match_all(truth, found), 2):
        best = finds.at(finds.best_threshold()).f1
        assert best == pytest.approx(max(finds.at(each).f1 for each in np.linspace(0, 1, 101)))


def test_a_page_drawn_twice_counts_as_two_pages():
    truth, found = scenes(9, 4, 1, seed=2)
    finds = label_finds(truth, found, match_all(truth, found), 1)[0]
    drawn = [0, 0, 3, 5, 5, 5, 6, 7, 8]
    again = label_finds(*(some := ([truth[at] for at in drawn], [found[at] for at in drawn])), match_all(*some), 1)[0]
    many = np.bincount(drawn, minlength=9).astype(float)
    assert finds.average_precision(many) == pytest.approx(again.average_precision(), abs=1e-9)


def test_intervals_hold_the_figure_and_shrink_with_more_pages():
    wide, narrow = (_interval(pages) for pages in (10, 160))
    assert wide[0].low < wide[1] < wide[0].high
    assert narrow[0].low < narrow[1] < narrow[0].high
    assert narrow[0].high - narrow[0].low < wide[0].high - wide[0].low
    assert interval([None, None, 0.5]) is None


def _interval(pages):
    truth, found = scenes(pages, 5, 1, seed=4)
    finds = label_finds(truth, found, match_all(truth, found), 1)[0]
    return average_precision(finds, weights(pages)), finds.average_precision()


def test_the_difference_of_a_model_with_itself_is_nought():
    truth, found = scenes(12, 5, 2, seed=4)
    finds = label_finds(truth, found, match_all(truth, found), 2)
    same = difference(finds, finds, weights(12))
    assert (same.low, same.high) == (0.0, 0.0)
    worse = [each.above(0.9) for each in found]
    lost = difference(label_finds(truth, worse, match_all(truth, worse), 2), finds, weights(12))
    assert lost.high < 0


def test_confusion_counts_each_thing_and_each_find_once():
    truth = [_truth([[0, 0, 10, 10], [20, 20, 30, 30], [50, 50, 60, 60]], [0, 1, 1])]
    found = [_found([[0, 0, 10, 10], [20, 20, 30, 30], [80, 80, 99, 99]], [0, 0, 1], [0.9, 0.8, 0.7])]
    assert confusion(truth, found, 2, 0.5).tolist() == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]
    pages, finds = scenes(30, 5, 3, seed=6)
    table = confusion(pages, finds, 3, 0.3)
    assert table[:3].sum() == sum(len(page.labels) for page in pages)
    assert table[:, :3].sum() == sum((page.scores >= 0.3).sum() for page in finds)


def test_pages_say_what_went_wrong_on_them():
    truth = [_truth([[0, 0, 10, 10], [20, 20, 30, 30]], [0, 1])]
    found = [_found([[0, 0, 10, 10], [60, 60, 70, 70]], [0, 0], [0.9, 0.8])]
    page = evaluate(truth, found, ("a", "b")).pages[0]
    assert (page.right, page.wrong, page.missed, page.errors) == (1, 1, 1, 2)
