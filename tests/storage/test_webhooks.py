from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from limner.core.errors import NotFoundError
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.jobs import Jobs, NewJob
from limner.storage.webhooks import Deliveries, Delivery, note_attempt, take_due
from limner.storage.workspaces import Workspace

MINUTE = timedelta(minutes=1)


@pytest.fixture
def deliveries(database: Database, workspace: Workspace) -> Deliveries:
    return Deliveries(database, workspace.id)


def _add(deliveries: Deliveries, body: bytes = b"{}", **options: object) -> Delivery:
    return deliveries.add("job.finished", "https://app.example/hook", body, content_type="application/json", **options)


def _note(database: Database, delivery: Delivery, error: str | None, again: timedelta | None = None) -> None:
    again_at = None if again is None else now() + again
    note_attempt(database, delivery, status_code=500 if error else 200, error=error, seconds=0.1, again_at=again_at)


def test_what_is_due_is_taken_once_until_its_lease_is_over(database: Database, deliveries: Deliveries) -> None:
    first, second = _add(deliveries), _add(deliveries, bytes(range(256)))
    taken = take_due(database, limit=5, lease=MINUTE)
    assert {one.id for one in taken} == {first.id, second.id}
    assert next(one.body for one in taken if one.id == second.id) == bytes(range(256))
    assert take_due(database, limit=5, lease=MINUTE) == []
    _add(deliveries)
    assert len(take_due(database, limit=5, lease=timedelta(seconds=-1))) == 1  # whoever took it died
    assert len(take_due(database, limit=5, lease=MINUTE)) == 1


def test_many_at_once_take_each_once(database: Database, deliveries: Deliveries) -> None:
    made = {_add(deliveries).id for _ in range(12)}
    with ThreadPoolExecutor(4) as threads:
        taken = [
            one.id
            for part in threads.map(lambda _: take_due(database, limit=3, lease=MINUTE), range(8))
            for one in part
        ]
    assert len(taken) == len(set(taken))
    assert set(taken) <= made


def test_attempts_are_written_down_until_it_is_delivered(database: Database, deliveries: Deliveries) -> None:
    delivery = _add(deliveries)
    _note(database, delivery, "The receiver answered 500.", again=timedelta(0))
    delivery = deliveries.get(delivery.id)
    assert (delivery.status, delivery.attempts, delivery.finished_at) == ("pending", 1, None)
    _note(database, delivery, None)
    delivery = deliveries.get(delivery.id)
    assert (delivery.status, delivery.attempts, delivery.next_at) == ("delivered", 2, None)
    attempts = deliveries.attempts(delivery.id)
    assert [(one.number, one.status_code, one.error) for one in attempts] == [
        (1, 500, "The receiver answered 500."),
        (2, 200, None),
    ]
    assert take_due(database, limit=5, lease=MINUTE) == []
    assert delivery.plain()["status"] == "delivered"


def test_what_was_given_up_can_be_sent_again(database: Database, deliveries: Deliveries) -> None:
    delivery = _add(deliveries, b"payload")
    _note(database, delivery, "gone")
    assert deliveries.get(delivery.id).status == "failed"
    again = deliveries.replay(delivery.id)
    assert (again.status, again.attempts, again.finished_at) == ("pending", 0, None)
    (taken,) = take_due(database, limit=5, lease=MINUTE)
    assert taken.body == b"payload"
    _note(database, taken, None)
    assert [one.number for one in deliveries.attempts(delivery.id)] == [1, 2]


def test_they_are_listed_by_job_and_outlive_it(
    database: Database, workspace: Workspace, deliveries: Deliveries
) -> None:
    jobs = Jobs(database, workspace.id)
    job = jobs.cancel(jobs.add(NewJob(kind="k", queue="q")).id)
    of_job, _ = _add(deliveries, job_id=job.id), _add(deliveries)
    assert [one.id for one in deliveries.list(job_id=job.id)] == [of_job.id]
    assert len(deliveries.list()) == 2
    jobs.delete(job.id)
    assert deliveries.get(of_job.id).job_id is None


def test_a_workspace_has_no_way_to_the_webhooks_of_another(
    database: Database, other: Workspace, deliveries: Deliveries
) -> None:
    delivery, theirs = _add(deliveries), Deliveries(database, other.id)
    for act in (theirs.get, theirs.attempts, theirs.replay):
        with pytest.raises(NotFoundError):
            act(delivery.id)
    assert theirs.list() == []


def _told(deliveries: Deliveries, event: str, job_id: str, url: str = "https://app.example/notify") -> Delivery:
    return deliveries.add(event, url, b"{}", content_type="application/json", job_id=job_id)


def test_messages_of_a_job_for_one_address_go_one_after_another(
    database: Database, workspace: Workspace, deliveries: Deliveries
) -> None:
    job = Jobs(database, workspace.id).add(NewJob(kind="annotate", queue="q"))
    first, second = (_told(deliveries, event, job.id) for event in ("job.started", "job.finished"))
    elsewhere = _told(deliveries, "job.finished", job.id, "https://other.example")
    assert {one.id for one in take_due(database, limit=5, lease=MINUTE)} == {first.id, elsewhere.id}
    assert take_due(database, limit=5, lease=MINUTE) == []
    _note(database, first, None)
    assert [one.id for one in take_due(database, limit=5, lease=MINUTE)] == [second.id]


def test_word_of_the_progress_is_not_sent_again_when_later_word_follows_it(
    database: Database, workspace: Workspace, deliveries: Deliveries
) -> None:
    job = Jobs(database, workspace.id).add(NewJob(kind="annotate", queue="q"))
    first = _told(deliveries, "job.started", job.id)
    _note(database, first, "The receiver answered 500.", again=MINUTE)
    assert deliveries.get(first.id).status == "pending"  # nothing has followed it yet
    last = _told(deliveries, "job.finished", job.id)
    _note(database, first, "The receiver answered 500.", again=MINUTE)
    _note(database, last, "The receiver answered 500.", again=MINUTE)
    _told(deliveries, "job.finished", job.id)
    assert [deliveries.get(one.id).status for one in (first, last)] == ["failed", "pending"]
    assert [one.id for one in deliveries.list(job_id=job.id, event="job.started")] == [first.id]
