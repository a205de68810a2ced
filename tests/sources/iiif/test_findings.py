from __future__ import annotations

from limner.sources.iiif.findings import Findings
from limner.sources.protocol import Skipped


def test_the_same_problem_on_many_canvases_is_one_sentence():
    findings = Findings()
    findings.mend("A canvas has no size", "c1")
    findings.mend("A canvas has no size", "c2")
    findings.mend("A canvas has no size", "c2")
    findings.mend("An image is odd", "c3")
    findings.mend("There is no id")
    assert findings.problems == (
        "A canvas has no size: 2 canvases, the first is c1.",
        "An image is odd: c3.",
        "There is no id.",
    )


def test_everything_skipped_is_kept_in_order():
    findings = Findings()
    findings.skip("c2", "It is a film.")
    findings.skip("c1", "It is empty.")
    assert findings.skipped == (Skipped("c2", "It is a film."), Skipped("c1", "It is empty."))
