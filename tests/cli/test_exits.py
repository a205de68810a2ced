"""Ending a process that something holds up."""

import subprocess
import sys

_STUCK = """
import sys, threading
from limner.cli.exits import ending
threading.Thread(target=threading.Event().wait).start()
print("through")
sys.exit(ending(3, 0.1))
"""
_FREE = "import sys; from limner.cli.exits import ending; sys.exit(ending(3, 600))"


def test_a_thread_that_never_ends_does_not_hold_up_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", _STUCK], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (3, "through\n")


def test_nobody_waits_where_nothing_is_stuck() -> None:
    assert subprocess.run([sys.executable, "-c", _FREE], timeout=60, check=False).returncode == 3
