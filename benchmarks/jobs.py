"""The job path: 1,000 pages of a model that does nothing, from the submit to the end, on SQLite and PostgreSQL.

Also how long a job of one page waits before it begins, and what a worker costs before it has work.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from _pytest.outcomes import Skipped

from limner.jobs.engine import JobEngine
from limner.jobs.protocol import Context, Done, Outcome
from limner.storage.database import Database
from limner.storage.jobs import Job, NewJob
from limner.storage.pages import JobPage, PlannedPage
from limner.storage.workspaces import Workspaces
from tests import postgres

PAGES = 1000
AIMS = {"sqlite": 150, "postgresql": 200}
#: What a page of a manuscript gives.
ANNOTATIONS = [
    {"id": f"p-{n}", "label": "illustration", "box": [7.3 * n, 11.1 * n, 200.5, 300.25], "score": 0.91234}
    for n in range(50)
]


class Nothing:
    """A model that is done at once."""

    kind = "nothing"

    def plan(self, job: Job, context: Context) -> Sequence[PlannedPage]:
        return [PlannedPage(f"{number}.jpg") for number in range(job.payload["pages"])]

    def run(self, job: Job, pages: Sequence[JobPage], context: Context) -> Iterator[Outcome]:
        return iter([Done({"annotations": ANNOTATIONS})] * len(pages))

    def finish(self, job: Job, context: Context) -> None:
        """Nothing to finish."""


def main() -> None:
    """Measure and print."""
    cost()
    with tempfile.TemporaryDirectory() as folder:
        measure("sqlite", f"sqlite:///{folder}/limner.db", Path(folder))
    try:
        with ExitStack() as stack:
            url = stack.enter_context(postgres.database(stack.enter_context(postgres.cluster(durable=True))))
            measure("postgresql", url, Path(stack.enter_context(tempfile.TemporaryDirectory())))
    except Skipped as reason:
        print(f"postgresql: not measured. {reason}")


def measure(name: str, url: str, folder: Path) -> None:
    """One database: latency first, then throughput, the best of three."""
    database = Database(url)
    database.upgrade()
    home = Workspaces(database).ensure("bench").id
    engine = JobEngine(database, [Nothing()], folder=folder)
    engine.start()
    waits = [began(engine.wait(home, submit(engine, home, 1))) for _ in range(10)]
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        job = engine.wait(home, submit(engine, home, PAGES))
        rates.append(PAGES / (time.perf_counter() - start))
        assert job.pages.done == PAGES, job
    engine.stop()
    database.close()
    print(f"{name}: from submit to the first page {1000 * statistics.median(waits):.0f} ms (median of 10)")
    print(f"{name}: {PAGES} pages with 50 annotations each, one after another: {max(rates):.0f} pages/s")
    print(f"{name}: ratio: {max(rates) / AIMS[name]:.2f} of the aim of {AIMS[name]} pages/s (>= 1.00)")


def submit(engine: JobEngine, home: str, pages: int) -> str:
    return engine.submit(home, NewJob(kind="nothing", queue="nothing", payload={"pages": pages})).id


def began(job: Job) -> float:
    """Seconds from the submit to the first page."""
    assert job.started_at is not None
    return (job.started_at - job.created_at).total_seconds()


IDLE = """
import resource, sys, time
from pathlib import Path
start = time.perf_counter()
from limner.jobs.engine import JobEngine
from limner.storage.database import Database
folder = Path(sys.argv[1])
database = Database(folder / "limner.db")
database.upgrade()
imported = time.perf_counter()
engine = JobEngine(database, [], folder=folder)
engine.start()
ready = time.perf_counter()
time.sleep(2)
before = time.process_time()
time.sleep(5)
print(imported - start, ready - imported, (time.process_time() - before) / 5)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
engine.stop()
"""


def cost() -> None:
    """A worker that has nothing to do; the second start counts, when the tables are there."""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", IDLE, folder], check=True, capture_output=True, text=True, timeout=60
            )
    storage, engine, idle, memory = (float(value) for value in done.stdout.split())
    print(f"a worker: storage ready after {storage:.2f} s, the engine after {engine:.2f} s more")
    print(f"a worker with nothing to do: {100 * idle:.1f} % of a core, {memory:.0f} MB")


if __name__ == "__main__":
    main()
