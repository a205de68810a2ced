from pathlib import Path

from limner.operations.jobs.desk import JobRequest
from limner.operations.jobs.queue import queue_report
from limner.storage.workspaces import Workspaces
from tests.operations.jobs.workplace import opened

MANIFEST = "https://library.example/manifest.json"


def test_what_waits_is_counted_for_all_and_for_the_workspace(tmp_path: Path, bright: Path) -> None:
    with opened(tmp_path / "data", bright, start=False) as place:
        other = Workspaces(place.database).ensure("Museum").id
        empty = queue_report(place.database, place.engine, place.workspace_id)
        assert (empty.waiting, empty.running, empty.oldest, len(empty.workers)) == (0, 0, 0.0, 0)
        jobs = [place.desk(who).submit(JobRequest(source=MANIFEST), "") for who in (other, place.workspace_id, other)]
        report = queue_report(place.database, place.engine, place.workspace_id)
        assert (report.waiting, report.jobs_queued, report.jobs_running) == (3, 1, 0)
        assert queue_report(place.database, place.engine, other).jobs_queued == 2
        place.desk(other).cancel(jobs[0].id)
        later = queue_report(place.database, place.engine, place.workspace_id)
        assert later.waiting == 2
        assert later.oldest > 0


def test_those_who_work_are_listed(tmp_path: Path, bright: Path) -> None:
    with opened(tmp_path / "data", bright) as place:
        (worker,) = queue_report(place.database, place.engine, place.workspace_id).workers
        assert worker.kinds == ("annotate", "evaluate", "train")
