"""``POST /v1/annotate`` against a bare loop: the same image, model and cores.

The server is ``limner serve`` in a process of its own, with tokens, logs and metrics as always. Eight
client threads (httpx) send a JPEG of 1.5 megapixels to a network of the cost of YOLOv5n at 640 × 640.
The bare loop decodes, letterboxes, infers and reads the outputs, one image after the other, in this
process, with nothing around it. All are measured in turns, three times; the best counts.

The clients take their share of the same cores, which is no work of the server: what they used is
measured, and the throughput is given as it was and for the cores that they left.

LitServe serves the same model with the same decoding and the same reading of outputs, where the
variable ``LITSERVE`` names a folder that it was installed in (it is no dependency of ours):
``uv pip install --target FOLDER --no-deps litserve pyzmq httptools uvloop psutil``.
"""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from limner.core.settings import Settings
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX, cores
from limner.models.store import ModelStore
from limner.operations.models import add_model
from limner.operations.tokens import HOME, create_token
from limner.sources.decode import decode_bytes
from limner.sources.protocol import Want
from limner.storage.database import Database
from limner.storage.workspaces import Workspaces
from tests.models.networks import yolov5n_like_bundle

CLIENTS, ROUNDS = 8, 3
#: How long a server is warmed up, and each side measured.
WARM, SECONDS = 3.0, 7.0
SIZE = (1500, 1000)
LIMNER = Path(sys.executable).with_name("limner")
PEER = Path(__file__).parent / "peers" / "litserve_server.py"


@dataclass(frozen=True)
class Load:
    """What came of sending requests for a while."""

    #: Images a second, as counted.
    throughput: float
    #: The same for the cores that the clients left to the server.
    corrected: float
    #: 95 of 100 requests were answered within these seconds.
    p95: float
    median: float
    #: Processor time of the server for one request, seconds.
    server_cpu: float


@dataclass(frozen=True)
class Server:
    """A server that is running."""

    url: str
    process: int
    token: str = ""


def picture() -> bytes:
    """A page-like JPEG of 1.5 megapixels."""
    rng = np.random.default_rng(7)
    page = Image.fromarray(rng.integers(120, 255, (SIZE[1] // 8, SIZE[0] // 8, 3), dtype=np.uint8)).resize(SIZE)
    out = io.BytesIO()
    page.save(out, "JPEG", quality=88)
    return out.getvalue()


def bare_loop(store: ModelStore, settings: Settings, jpeg: bytes) -> float:
    """Images a second of decoding and predicting alone."""
    predictor = ONNX.load(store.get("default"), RuntimeOptions())
    want = Want(predictor.wanted_side)

    def one() -> None:
        image = decode_bytes(jpeg, want, settings)
        predictor.predict(image.pixels, (image.width, image.height), Options())

    for _ in range(5):
        one()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        one()
        count += 1
    speed = count / (time.perf_counter() - start)
    predictor.close()
    return speed


def loaded(server: Server, jpeg: bytes, seconds: float) -> Load:
    """Send requests from all clients at once and measure."""
    times: list[float] = []
    until = time.perf_counter() + seconds

    def client() -> None:
        with httpx.Client(headers={"X-API-Key": server.token}, timeout=60) as http:
            while time.perf_counter() < until:
                start = time.perf_counter()
                http.post(server.url, files={"file": ("page.jpg", jpeg, "image/jpeg")}).raise_for_status()
                times.append(time.perf_counter() - start)

    own, before, start = time.process_time(), cpu_of(server.process), time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.perf_counter() - start
    share = 1 - (time.process_time() - own) / (spent * cores())
    times.sort()
    return Load(
        throughput=len(times) / spent,
        corrected=len(times) / spent / share,
        p95=times[int(len(times) * 0.95)],
        median=statistics.median(times),
        server_cpu=(cpu_of(server.process) - before) / len(times),
    )


def cpu_of(process: int) -> float:
    """Processor time that a process has used, seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(data: Path, **settings: str) -> Iterator[Server]:
    """Limner, running, with some settings more."""
    environment = {
        **os.environ,
        "LIMNER_DATA": str(data),
        "LIMNER_RATE_LIMIT": "0",
        "PYTHONUNBUFFERED": "1",
        **settings,
    }
    with started([str(LIMNER), "serve", "--port", "0"], environment, data / "serve.log") as process:
        assert process.stdout is not None
        said = ""
        while not (found := re.search(r"http://\S+", said)):
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"The server did not start: {(data / 'serve.log').read_text()}")
            said += line
        yield Server(f"{found[0]}/v1/annotate", process.pid, made_token(data))


def made_token(data: Path) -> str:
    """A token for the running server."""
    database = Database(Settings(data=data).database)
    secret = create_token(database, Workspaces(database).ensure(HOME).id, name="benchmark", scopes=["annotate"]).secret
    database.close()
    return secret


@contextmanager
def lit_served(data: Path, workers: int, threads: int) -> Iterator[Server]:
    """LitServe, running, with so many copies of the model, and threads for each."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = os.pathsep.join(filter(None, [os.environ["LITSERVE"], os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, str(PEER), str(data), str(port), str(workers), str(threads)]
    with started(command, {**os.environ, "PYTHONPATH": path}, data / "lit.log") as process:
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            if process.poll() is not None:
                raise SystemExit(f"LitServe did not start: {(data / 'lit.log').read_text()}")
            with suppress(httpx.TransportError):
                if httpx.get(f"{url}/health").status_code == 200:
                    break
            time.sleep(0.2)
        yield Server(f"{url}/predict", process.pid)


@contextmanager
def started(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own, ended with all its children."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def measured(start: AbstractContextManager[Server], jpeg: bytes) -> Load:
    """Start a server, warm it up, and measure it."""
    with start as server:
        loaded(server, jpeg, WARM)
        return loaded(server, jpeg, SECONDS)


def report(loop: list[float], ours: list[Load], theirs: dict[int, list[Load]]) -> None:
    """Print the best of each side."""

    def best(loads: list[Load]) -> Load:
        return max(loads, key=lambda load: load.throughput)

    def each(speeds: Iterable[float]) -> str:
        return f"{max(speeds := [*speeds]):6.1f} images/s   (each: {', '.join(f'{speed:.1f}' for speed in speeds)})"

    limner = best(ours)
    print(f"bare loop      {each(loop)}")
    print(f"POST /annotate {each(load.throughput for load in ours)}")
    print(
        f"  for the cores that the clients left {limner.corrected:.1f}; CPU for each {limner.server_cpu * 1000:.0f} ms"
    )
    print(f"  median {limner.median * 1000:.0f} ms, p95 {limner.p95 * 1000:.0f} ms")
    for workers, loads in theirs.items():
        print(f"LitServe       {each(load.throughput for load in loads)} with {workers} copies of the model")
    print(f"server / bare loop: ratio: {limner.throughput / max(loop):.2f} (aim >= 0.90)")
    if theirs:
        lit = best([load for loads in theirs.values() for load in loads])
        print(f"server / LitServe: ratio: {limner.throughput / lit.throughput:.2f} (aim >= 1.00)")
    else:
        print("LitServe was not measured: set LITSERVE")


def main() -> None:
    """Measure and print."""
    jpeg = picture()
    print(f"image: {SIZE[0]} × {SIZE[1]}, {len(jpeg):,} bytes of JPEG; {cores()} cores; {CLIENTS} clients")
    loop, ours = list[float](), list[Load]()
    # One copy of the model that uses all cores, or one for each core.
    arrangements = {1: 0, cores(): 1} if os.environ.get("LITSERVE") else {}
    theirs: dict[int, list[Load]] = {workers: [] for workers in arrangements}
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "data"
        settings = Settings(data=data)
        store = ModelStore(settings.models_dir)
        added = add_model(store, yolov5n_like_bundle(Path(temporary) / "yolov5n"))
        store.alias("default", added.bundle.ref)
        for _ in range(ROUNDS):
            loop.append(bare_loop(store, settings, jpeg))
            ours.append(measured(served(data), jpeg))
            for workers, threads in arrangements.items():
                theirs[workers].append(measured(lit_served(data, workers, threads), jpeg))
    report(loop, ours, theirs)


if __name__ == "__main__":
    main()
