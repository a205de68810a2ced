from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from limner.models.filelock import locked

#: Reads a number, waits, and writes the next: without a lock, some would be lost.
COUNT = """
import sys, time
from pathlib import Path
from limner.models.filelock import locked
lock, counter = map(Path, sys.argv[1:])
for _ in range(20):
    with locked(lock):
        value = int(counter.read_text())
        time.sleep(0.001)
        counter.write_text(str(value + 1))
"""


def test_processes_exclude_each_other(tmp_path: Path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    run = [sys.executable, "-c", COUNT, str(tmp_path / "deep" / "lock"), str(counter)]
    processes = [subprocess.Popen(run) for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert counter.read_text() == "60"


def test_threads_exclude_each_other_and_an_error_lets_go(tmp_path: Path):
    inside, most = 0, []

    def work():
        nonlocal inside
        for _ in range(20):
            try:
                with locked(tmp_path / "lock"):
                    inside += 1
                    most.append(inside)
                    inside -= 1
                    raise KeyError
            except KeyError:
                continue

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 80
