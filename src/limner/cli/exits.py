"""What the exit codes of ``limner`` mean, and how a process ends that something holds up."""

import os
import sys
import threading

#: All was done.
ALL_DONE = 0
#: Nothing could be done.
NOTHING = 1
#: The command was not put right.
BAD_USAGE = 2
#: Some pages failed, the rest was done.
SOME_FAILED = 3
#: Stopped by Ctrl-C.
INTERRUPTED = 130

#: Seconds that threads have to end when all has been closed.
_PATIENCE = 5.0


def ending(code: int, seconds: float = _PATIENCE) -> int:
    """The code, for a process that is through: where it has not ended by itself within ``seconds``, it ends then.

    A thread that waits for a database which has gone, to write down how far a job is, cannot be told to stop.
    What it held is done again, here or elsewhere.
    """
    timer = threading.Timer(seconds, _end, (code,))
    timer.daemon = True
    timer.start()
    return code


def _end(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
