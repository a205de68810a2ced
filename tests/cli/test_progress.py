"""What people see while and after pages are annotated."""

from collections import Counter

import pytest

from limner.annotations.document import AnnotatedPage
from limner.annotations.page import Page
from limner.cli.progress import ProgressReporter, print_summary
from limner.operations.annotate import DocumentSummary, Summary
from limner.operations.pipeline import PageOutcome


def _summary() -> DocumentSummary:
    failed = [(f"{n}.jpg", "The server said 404.") for n in range(30)]
    return DocumentSummary(
        id="d", title="Ms. [22]", total=40, done=10, failed=failed, labels=Counter(text=7), warnings=["Mind the gap."]
    )


def test_a_failure_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    page = Page(id="p", name="[odd].jpg", index=0)
    with ProgressReporter(shown=True) as reporter:
        reporter.document_started(_summary())
        reporter.page_finished(PageOutcome(AnnotatedPage(page, error="It is gone."), None, {}))
        reporter.document_finished(_summary())
    captured = capsys.readouterr()
    assert "[odd].jpg: It is gone." in captured.err
    assert not captured.out


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressReporter(shown=False) as reporter:
        reporter.document_started(_summary())
        reporter.interrupted(resumable=True)
    assert capsys.readouterr() == ("", "")


def test_the_summary_names_documents_failures_and_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(Summary("text@1", [_summary()]), dry_run=False)
    text = capsys.readouterr().err
    assert "Ms. [22]" in text
    assert "7 text" in text
    assert "0.jpg: The server said 404." in text
    assert "and 10 more" in text
    assert "Mind the gap." in text


def test_how_to_go_on_is_said_where_one_can(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressReporter(shown=True) as reporter:
        reporter.interrupted(resumable=True)
        reporter.interrupted(resumable=False)
    first, second = capsys.readouterr().err.strip().splitlines()
    assert "--resume" in first
    assert "--resume" not in second
