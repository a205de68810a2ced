"""The two models that need no file of weights."""

from __future__ import annotations

import pytest

from limner.models.builtin import TEXT, TEXT_REGIONS
from limner.models.bundle import parse_bundle, render_bundle
from limner.models.runtimes.rapidocr import Parameters

BOTH = pytest.mark.parametrize("bundle", [TEXT, TEXT_REGIONS], ids=lambda bundle: bundle.name)


def test_names_tasks_and_labels():
    assert (TEXT.ref, TEXT.task, TEXT.labels) == ("text@1", "ocr", ("line",))
    assert (TEXT_REGIONS.ref, TEXT_REGIONS.task, TEXT_REGIONS.labels) == ("text-regions@1", "detect", ("text",))


@BOTH
def test_the_runtime_brings_the_weights(bundle):
    assert bundle.runtime == "rapidocr"
    assert bundle.weights is None
    assert bundle.folder is None


@BOTH
def test_the_runtime_understands_the_parameters(bundle):
    parameters = Parameters.model_validate(bundle.parameters)
    assert (parameters.recogniser is not None) == (bundle.task == "ocr")


def test_no_larger_image_is_wanted_than_helps():
    assert (TEXT.wanted_side, TEXT_REGIONS.wanted_side) == (2000, 1600)


@BOTH
def test_people_can_read_what_it_is_and_under_which_licence(bundle):
    assert bundle.licence == "Apache-2.0"
    assert bundle.title
    assert bundle.description.endswith(".")
    assert bundle.provenance.url.startswith("https://")


@BOTH
def test_it_can_be_written_and_read_as_any_other_bundle(bundle):
    assert parse_bundle(render_bundle(bundle)) == bundle
