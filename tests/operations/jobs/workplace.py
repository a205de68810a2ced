"""Everything that jobs need, for real: a database, a blob store, models, an engine, a library to fetch from."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from limner.annotations.annotation import Annotation
from limner.annotations.shapes import Box
from limner.core.settings import Settings
from limner.models.bundle import Bundle
from limner.models.bundle_files import read_bundle
from limner.models.protocol import Options, Pixels, RuntimeOptions
from limner.operations.documents.desk import DocumentDesk
from limner.operations.documents.uploads import Upload
from limner.operations.jobs.desk import JobDesk, JobRequest
from limner.operations.jobs.engine import LimnerEngine, make_engine
from limner.operations.services import Services
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.jobs import Job
from limner.storage.pages import JobPages
from limner.storage.workspaces import Workspaces

BASE = "http://limner.test"
#: Width and height of the pages.
SIZE = (320, 320)


@dataclass(frozen=True)
class Workplace:
    settings: Settings
    database: Database
    blobs: Blobs
    services: Services
    engine: LimnerEngine
    workspace_id: str

    def desk(self, workspace: str | None = None) -> JobDesk:
        return JobDesk(
            database=self.database,
            blobs=self.blobs,
            services=self.services,
            engine=self.engine,
            workspace_id=workspace or self.workspace_id,
        )

    def documents(self) -> DocumentDesk:
        return DocumentDesk(self.database, self.blobs, self.services.sources, self.workspace_id)

    def submit(self, source: object = None, **wishes: object) -> Job:
        return self.desk().submit(JobRequest(source=source, **wishes), BASE)

    def done(self, job: Job, timeout: float = 60.0) -> Job:
        return self.engine.wait(self.workspace_id, job.id, timeout)

    def pages(self, job: Job) -> list[tuple[str, str, str | None]]:
        """Name, status and code of the error of each page."""
        found = JobPages(self.database, self.workspace_id).list(job.id, limit=1000)
        return [(page.name, page.status, page.error and page.error.code) for page in found]


@contextmanager
def opened(folder: Path, bright: Path, *, start: bool = True, **settings: object) -> Iterator[Workplace]:
    """A workplace with the model ``bright`` as its default."""
    defaults = {"data": folder, "source_networks": "127.0.0.0/8", "fetch_retries": 0, "threads": 1}
    chosen = Settings(**{**defaults, **settings})
    with ExitStack() as stack:
        database = Database(chosen.database)
        stack.callback(database.close)
        database.upgrade()
        services = stack.enter_context(Services(chosen))
        if "bright" not in {bundle.name for bundle in services.store.list()}:
            services.store.add(read_bundle(bright))
            services.store.alias("default", "bright")
        blobs = Blobs(chosen.storage)
        engine = make_engine(chosen, database, blobs, services)
        if start:
            engine.start()
        stack.callback(engine.stop, 0.5)
        yield Workplace(chosen, database, blobs, services, engine, Workspaces(database).ensure("Library").id)


def bright_page(*boxes: tuple[int, int, int, int]) -> Image.Image:
    """A dark page with bright boxes (left, top, right, bottom); the grid of the model has 20 pixels here."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 10, np.uint8)
    for left, top, right, bottom in boxes:
        pixels[top:bottom, left:right] = 250
    return Image.fromarray(pixels)


def image_bytes(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def upload(name: str, data: bytes) -> Upload:
    return Upload(name, io.BytesIO(data))


def save_pages(folder: Path, count: int) -> Path:
    """So many pages, the n-th with a box at another place."""
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        left, top = 20 * (n % 10), 20 * (n // 10 % 10)
        bright_page((left, top, left + 60, top + 40)).save(folder / f"p{n:04d}.png")
    return folder


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


class Slow:
    """A runtime whose models take their time, or until ``gate`` is set, and which counts how often they were asked."""

    name = "slow"

    def __init__(self, seconds: float, load_seconds: float = 0.0) -> None:
        self.seconds, self.load_seconds = seconds, load_seconds
        self.begun = self.ended = 0
        self.gate = threading.Event()

    def load(self, bundle: Bundle, options: RuntimeOptions) -> SlowPredictor:
        self.gate.wait(self.load_seconds)
        return SlowPredictor(bundle, self)

    def bundle(self) -> Bundle:
        return Bundle(name="slow", task="detect", runtime="slow", labels=("thing",))


class SlowPredictor:
    wanted_side = 64

    def __init__(self, bundle: Bundle, runtime: Slow) -> None:
        self.bundle, self.runtime = bundle, runtime

    def predict(self, pixels: Pixels, size: tuple[int, int], options: Options) -> list[Annotation]:
        self.runtime.begun += 1
        self.runtime.gate.wait(self.runtime.seconds)
        self.runtime.ended += 1
        return [Annotation(shape=Box(0, 0, *size), label="thing", score=0.9)]

    def close(self) -> None: ...
