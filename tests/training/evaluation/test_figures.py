"""Precision–recall curves against values that were reckoned by hand, or stand in scikit-learn's documentation."""

import numpy as np
import pytest

from limner.training.evaluation.figures import LabelFinds


def _finds(scores, right, things, pages=None, things_by_page=None):
    return LabelFinds(
        things,
        np.array(scores, dtype=float),
        np.array(right, dtype=bool),
        np.where(right, 0.8, 0.0),
        np.array(pages if pages is not None else [0] * len(scores), dtype=np.int64),
        np.array(things_by_page or [things], dtype=np.int64),
    )


def test_the_example_of_scikit_learn():
    """Of ``precision_recall_curve``: truth 0 0 1 1, scores 0.1 0.4 0.35 0.8; it goes the other way and adds (1, 0)."""
    finds = _finds([0.8, 0.4, 0.35, 0.1], [1, 0, 1, 0], 2)
    recall, precision, thresholds = finds.curve()
    assert precision.tolist() == pytest.approx([1, 0.5, 2 / 3, 0.5])
    assert recall.tolist() == [0.5, 0.5, 1, 1]
    assert thresholds.tolist() == [0.8, 0.4, 0.35, 0.1]
    assert finds.best_threshold() == 0.35
    # 51 recalls up to 0.5 are read at a precision of 1, the other 50 at 2/3.
    assert finds.average_precision() == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_what_is_never_found_has_no_precision():
    finds = _finds([0.9], [1], 2)
    assert finds.curve()[0].tolist() == [0.5]
    assert finds.average_precision() == pytest.approx(51 / 101)


def test_a_wrong_find_that_is_surer_costs_and_one_that_is_less_sure_does_not():
    assert _finds([0.9, 0.8], [0, 1], 1).average_precision() == pytest.approx(0.5)
    assert _finds([0.9, 0.8], [1, 0], 1).average_precision() == pytest.approx(1.0)


def test_between_equal_scores_no_threshold_is_drawn():
    finds = _finds([0.9, 0.5, 0.5, 0.5], [0, 1, 0, 0], 1)
    assert finds.best_threshold() == 0.5
    at = finds.at(0.5)
    assert (at.finds, at.right, at.precision, at.f1) == (4, 1, 0.25, 0.4)


def test_pages_that_are_drawn_twice_count_twice_and_others_not_at_all():
    """On page 0 the thing is found, on page 1 only something wrong is."""
    finds = _finds([0.9, 0.8], [0, 1], 2, pages=[1, 0], things_by_page=[1, 1])
    assert finds.average_precision() == pytest.approx(51 * 0.5 / 101)
    assert finds.average_precision(np.array([2.0, 0.0])) == pytest.approx(1.0)
    assert finds.average_precision(np.array([0.0, 2.0])) == 0.0
    assert finds.average_precision(np.array([0.0, 0.0])) is None


def test_nothing_found_and_nothing_there():
    assert _finds([], [], 3).average_precision() == 0.0
    assert _finds([], [], 3).best_threshold() is None
    nothing_there = _finds([0.9], [0], 0)
    assert nothing_there.average_precision() is None
    assert nothing_there.at(0.5).precision == 0.0
    assert nothing_there.at(0.5).recall is None
