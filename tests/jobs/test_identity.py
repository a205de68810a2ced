import subprocess
import sys
from pathlib import Path

import pytest

from limner.core.errors import ConflictError
from limner.jobs import identity
from limner.jobs.identity import Identity

_SCRIPT = """
import sys
from pathlib import Path
from limner.jobs.identity import Identity
mine = Identity(Path(sys.argv[1]))
print(mine.id, flush=True)
sys.stdin.read()
"""


def _other_process(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, process.stdout.readline().strip()


def test_it_is_the_same_each_time_and_never_two_have_it(tmp_path: Path) -> None:
    first = Identity(tmp_path)
    second = Identity(tmp_path)
    assert first.id != second.id
    assert first.id.startswith(first.host)
    names = {first.id, second.id}
    second.release()
    first.release()
    again = Identity(tmp_path)
    assert again.id in names
    again.release()


def test_a_process_that_was_killed_finds_its_name_again(tmp_path: Path) -> None:
    process, name = _other_process(tmp_path)
    mine = Identity(tmp_path)
    assert mine.id != name
    process.kill()
    process.communicate(timeout=60)
    back, again = _other_process(tmp_path)
    assert again == name
    back.communicate("", timeout=60)
    mine.release()


def test_another_folder_is_another_worker(tmp_path: Path) -> None:
    one, two = Identity(tmp_path / "one"), Identity(tmp_path / "two")
    assert one.id != two.id
    one.release()
    two.release()


def test_there_are_only_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_MOST", 2)
    held = [Identity(tmp_path) for _ in range(2)]
    with pytest.raises(ConflictError, match="2 workers"):
        Identity(tmp_path)
    for one in held:
        one.release()
