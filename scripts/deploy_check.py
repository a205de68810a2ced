"""Run what ``deploy/compose.yaml`` runs, by hand, where no container engine is: in bare virtual environments.

The wheel is built and installed with the locked requirements of the images; server, worker and MLflow are started
with the very commands of the compose file, through the image's entrypoint and with generated secrets, against a
private PostgreSQL and a private S3 (moto's). A job goes through all of it. Nothing of the development environment
is used but uv, the build tool, PostgreSQL's helper of the tests, and moto.

    PYTHONPATH=. .venv/bin/python scripts/deploy_check.py
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import yaml
from PIL import Image, ImageDraw, ImageFont

from tests import postgres, s3
from tests.limner_process import free_port

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UV = Path(sys.executable).with_name("uv")
PAGES = 6


@dataclass
class Place:
    """Where it all runs."""

    folder: Path
    services: Mapping[str, Any]
    #: What stands for the names and ports of the compose file's network.
    hosts: dict[str, str] = field(default_factory=dict)

    def environment(self, name: str) -> Path:
        """The virtual environment of an image."""
        return self.folder / name

    def here(self, text: str) -> str:
        """A text of the compose file with this machine's addresses."""
        for there, here in self.hosts.items():
            text = text.replace(there, here)
        return text

    def command(self, service: str) -> list[str]:
        """The command of a service, as the compose file has it."""
        return [self.here(str(word)) for word in self.services[service]["command"]]

    def variables(self, image: str, secrets: str) -> dict[str, str]:
        """The environment of a service: nothing of ours but what an image has."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        path = f"{self.environment(image) / 'bin'}:/usr/bin:/bin"
        data = self.folder / f"data-{image}"
        data.mkdir(exist_ok=True)
        own = {"LIMNER_DATA": str(data), **self.settings()} if image == "limner" else {"DO_NOT_TRACK": "true"}
        return {**kept, **own, "PATH": path, "SECRETS_FILE": str(self.folder / "secrets" / secrets), "NO_PROXY": "*"}

    def settings(self) -> dict[str, str]:
        """What stands in ``limner.env``."""
        lines = (DEPLOY / "limner.env").read_text().splitlines()
        pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
        return {name: self.here(value) for name, _, value in pairs}


def step(text: str, began: float) -> None:
    """Tell how far it is."""
    print(f"{time.perf_counter() - began:6.1f} s  {text}", flush=True)


def run(*command: object, **more: Any) -> str:  # noqa: ANN401 - whatever subprocess takes
    """Run a command to its end; its output."""
    done = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True, **more)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def installed(place: Place, image: str, lock: str, wheel: Path | None) -> str:
    """An environment with what a lock file names, as the Dockerfile makes it; its size in words."""
    folder = place.environment(image)
    run(UV, "venv", "--quiet", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    run(UV, "pip", "install", "--quiet", "--python", python, "--require-hashes", "--no-deps", "-r", DEPLOY / lock)
    if wheel is not None:
        run(UV, "pip", "install", "--quiet", "--python", python, "--no-deps", wheel)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return f"{image} installed from {lock}: {size / 2**20:.0f} MiB"


def started(stack: ExitStack, place: Place, image: str, secrets: str, command: Sequence[str], name: str) -> Service:
    """A service, through the entrypoint of the images."""
    log = (place.folder / f"{name}.log").open("w")
    stack.callback(log.close)
    process = subprocess.Popen(
        ["sh", str(DEPLOY / "container" / "entrypoint.sh"), *command],
        env=place.variables(image, secrets),
        stdout=log,
        stderr=log,
        cwd=place.folder,
        start_new_session=True,
    )
    service = Service(name, process, place.folder / f"{name}.log")
    stack.callback(service.end)
    return service


@dataclass(frozen=True)
class Service:
    """A process that is running."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def until(self, ready: Callable[[], object], seconds: float = 120) -> None:
        """Wait for something; where it ends before, so does everything."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            with suppress(httpx.TransportError):
                if ready():
                    return
            time.sleep(0.1)
        raise SystemExit(f"{self.name}: {self.process.poll()}\n{self.log.read_text()[-3000:]}")

    def stop(self) -> int:
        """Ask it to stop, as an engine does; its exit code."""
        self.process.terminate()
        return self.process.wait(60)

    def end(self) -> None:
        """End it and its children, whatever happens."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait(30)


def healthy(place: Place, service: str) -> bool:
    """Whether the health check of a service succeeds."""
    test = [place.here(str(word)) for word in place.services[service]["healthcheck"]["test"][1:]]
    words = [word.replace("/opt/container", str(DEPLOY / "container")) for word in test]
    words[0] = sys.executable
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def pages() -> list[tuple[str, tuple[str, bytes, str]]]:
    """Pages with a few lines of text, as a form sends them."""
    out = []
    for number in range(PAGES):
        image = Image.new("RGB", (900, 400), "white")
        font = ImageFont.load_default(48)
        for line in range(3):
            ImageDraw.Draw(image).text((60, 50 + 100 * line), f"page {number} line {line} of text", "black", font)
        data = io.BytesIO()
        image.save(data, "PNG")
        out.append(("file", (f"page-{number}.png", data.getvalue(), "image/png")))
    return out


def job_through(url: str, token: str, server: Service) -> dict[str, Any]:
    """Send pages, wait for the job, and look at what came of it."""
    with httpx.Client(base_url=url, headers={"X-API-Key": token}, timeout=60, trust_env=False) as http:
        made = http.post("/v1/jobs", files=pages(), data={"model": "text", "title": "The deployment's pages"})
        job = made.raise_for_status().json()["id"]
        server.until(lambda: http.get(f"/v1/jobs/{job}").raise_for_status().json()["finished_at"])
        text = http.get(f"/v1/jobs/{job}/results", params={"format": "text"}).raise_for_status().text
        queue = http.get("/v1/queue").raise_for_status().json()
        http.post("/v1/annotate", files=pages()[:1], data={"model": "text"}).raise_for_status()
        done: dict[str, Any] = http.get(f"/v1/jobs/{job}").json()
        alive = queue["workers"]
        return {**done, "lines": len(re.findall(r"page \d", text)), "workers": alive}


def noted(mlflow: str) -> dict[str, dict[str, float]]:
    """The runs that MLflow has, by name, with their figures."""
    with httpx.Client(base_url=f"{mlflow}/api/2.0/mlflow/", timeout=60, trust_env=False) as http:
        ids = [
            each["experiment_id"]
            for each in http.post("experiments/search", json={"max_results": 50}).json()["experiments"]
        ]
        found = http.post("runs/search", json={"experiment_ids": ids}).json().get("runs", ())
    return {
        run["info"]["run_name"]: {each["key"]: each["value"] for each in run["data"].get("metrics", ())}
        for run in found
    }


def main() -> None:
    """Do it all, and say what was seen."""
    began = time.perf_counter()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="limner-deploy-")))
        place = Place(folder, yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"])
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist", cwd=ROOT)
        (wheel,) = (folder / "dist").glob("*.whl")
        step(f"{wheel.name} is built", began)
        step(installed(place, "limner", "requirements-cpu.lock", wheel), began)
        step(installed(place, "mlflow", "requirements-mlflow.lock", None), began)

        cluster = stack.enter_context(postgres.cluster())
        storage = stack.enter_context(s3.server())
        server_port, mlflow_port = free_port(), free_port()
        address = cluster.partition("@")[2].partition("/")[0]
        place.hosts.update({
            "0.0.0.0": "127.0.0.1", "database:5432": address, "http://storage:8333": storage,
            "mlflow:5000": f"127.0.0.1:{mlflow_port}", "127.0.0.1:5000": f"127.0.0.1:{mlflow_port}",
            "--port=5000": f"--port={mlflow_port}", "127.0.0.1:8400": f"127.0.0.1:{server_port}",
            "destination=/data": f"destination={folder / 'artifacts'}",
        })  # fmt: skip
        (folder / "secrets").mkdir()
        run(sys.executable, DEPLOY / "container" / "make_secrets.py", folder / "secrets")
        for file in (folder / "secrets").iterdir():
            file.write_text(place.here(file.read_text()))
        with psycopg.connect(cluster, autocommit=True) as connection:
            connection.execute("CREATE DATABASE limner")
            connection.execute((DEPLOY / "database.sql").read_text())
        entry = ["sh", DEPLOY / "container" / "entrypoint.sh"]
        bucket = run(
            *entry, "python", DEPLOY / "container" / "make_bucket.py", env=place.variables("limner", "limner.env")
        )
        again = run(
            *entry, "python", DEPLOY / "container" / "make_bucket.py", env=place.variables("limner", "limner.env")
        )
        step(f"PostgreSQL and S3 are there; secrets are made. {bucket.strip()} {again.strip()}", began)

        mlflow = started(stack, place, "mlflow", "mlflow.env", place.command("mlflow"), "mlflow")
        server = started(
            stack, place, "limner", "limner.env", [*place.command("server"), "--port", str(server_port)], "server"
        )
        worker = started(stack, place, "limner", "limner.env", place.command("worker"), "worker")
        server.until(lambda: healthy(place, "server"))
        step("the server's health check succeeds", began)
        mlflow.until(lambda: healthy(place, "mlflow"))
        step("MLflow's health check succeeds", began)
        worker.until(lambda: "Working on the jobs" in worker.log.read_text())
        token = re.search(r"^\s+(limner_\S+)$", server.log.read_text(), re.MULTILINE)
        assert token is not None, "the first admin's token is in the log of the server"
        seen = job_through(f"http://127.0.0.1:{server_port}", token[1], server)
        step(
            f"the job: {seen['status']}, {seen['pages']}, {seen['lines']} lines read, {seen['workers']} worker(s)",
            began,
        )
        assert seen["status"] == "succeeded" and seen["lines"] == 3 * PAGES and seen["workers"] >= 1, seen  # noqa: PT018
        codes = worker.stop(), server.stop()
        runs = noted(f"http://127.0.0.1:{mlflow_port}")
        step(f"worker and server stopped with {codes}; MLflow has {sorted(runs)}", began)
        assert codes == (0, 0)
        assert runs["The deployment's pages"]["pages_done"] == PAGES
        assert len(runs) == 2, runs
        with psycopg.connect(cluster.rsplit("/", 1)[0] + "/limner") as connection:
            rows = connection.execute("SELECT count(*) FROM job_results").fetchone()
        kept = run(*entry, "python", "-c", "import s3fs; print(len(s3fs.S3FileSystem().find('limner')))",
                   env=place.variables("limner", "limner.env"))  # fmt: skip
        step(f"PostgreSQL has {rows and rows[0]} results, the storage {kept.strip()} files", began)
        assert rows == (PAGES,)
        assert int(kept) > 0


if __name__ == "__main__":
    main()
