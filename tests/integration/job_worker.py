"""A worker process for the tests: ``job_worker.py DATABASE FOLDER LOG OPTIONS``; it works until it is killed."""

import json
import signal
import sys
import threading
from pathlib import Path

from limner.jobs.engine import JobEngine
from limner.jobs.lanes import Limits
from limner.jobs.runner import Patience
from limner.jobs.worker import EngineOptions
from limner.storage.database import Database
from tests.jobs.handlers import Scripted


def main() -> None:
    """Work until told to stop."""
    database, folder, log, options = sys.argv[1:]
    total = json.loads(options).pop("total", 1)
    rest = {name: value for name, value in json.loads(options).items() if name != "total"}
    engine = JobEngine(
        Database(database),
        [Scripted(Path(log))],
        folder=Path(folder),
        options=EngineOptions(limits=Limits(total=total), patience=Patience(first=0.05), **rest),
    )
    engine.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    stopped.wait()
    engine.stop(5)


if __name__ == "__main__":
    main()
