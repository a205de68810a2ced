from concurrent.futures import ThreadPoolExecutor

import pytest

from limner.core.errors import ConflictError, UsageError
from limner.storage.database import Database
from limner.storage.idempotency import Answer, IdempotencyKeys
from limner.storage.workspaces import Workspace

ANSWER = Answer(202, {"Location": "/v1/jobs/1"}, b'{"id": "1"}')


def test_the_second_time_the_first_answer_is_given(database: Database, workspace: Workspace) -> None:
    keys = IdempotencyKeys(database, workspace.id)
    assert keys.begin("k", "request") is None
    keys.finish("k", ANSWER)
    assert keys.begin("k", "request") == ANSWER


def test_while_the_first_is_carried_out_the_second_is_refused(database: Database, workspace: Workspace) -> None:
    keys = IdempotencyKeys(database, workspace.id)
    keys.begin("k", "request")
    with pytest.raises(ConflictError, match="still"):
        keys.begin("k", "request")


def test_a_key_goes_with_one_request(database: Database, workspace: Workspace) -> None:
    keys = IdempotencyKeys(database, workspace.id)
    keys.begin("k", "request")
    with pytest.raises(UsageError, match="another request"):
        keys.begin("k", "another")


def test_what_came_to_nothing_may_be_tried_again_and_an_answer_is_never_abandoned(
    database: Database, workspace: Workspace
) -> None:
    keys = IdempotencyKeys(database, workspace.id)
    keys.begin("k", "request")
    keys.abandon("k")
    assert keys.begin("k", "other request") is None
    keys.finish("k", ANSWER)
    keys.abandon("k")
    assert keys.begin("k", "other request") == ANSWER


def test_workspaces_have_their_own(database: Database, workspace: Workspace, other: Workspace) -> None:
    IdempotencyKeys(database, workspace.id).begin("k", "request")
    assert IdempotencyKeys(database, other.id).begin("k", "another") is None


def test_of_many_at_once_one_carries_it_out(database: Database, workspace: Workspace) -> None:
    def begin(_: int) -> bool:
        try:
            return IdempotencyKeys(database, workspace.id).begin("k", "request") is None
        except ConflictError:
            return False

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(begin, range(6))) == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_a_length(database: Database, workspace: Workspace, key: str) -> None:
    with pytest.raises(UsageError):
        IdempotencyKeys(database, workspace.id).begin(key, "request")
