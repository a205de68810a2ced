"""`deploy/compose.yaml`, the Dockerfile and the units, held against the package and by the tools that read them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from limner.core.settings import Settings, load_settings
from limner.server.api import ROUTERS
from tests.deploy.commands import DEPLOY, ROOT, parse

CONTAINER = DEPLOY / "container"
STEPS = re.compile(
    r"^(FROM|COPY|ENV|CMD|ENTRYPOINT|USER|RUN|ARG|HEALTHCHECK|EXPOSE|VOLUME|WORKDIR)\b(.*)$", re.MULTILINE
)
#: A version, and more than a major one.
PINNED = re.compile(r"^[\w./-]+:v?\d+\.\d+[\w.-]*$")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """The steps of the Dockerfile, each on one line."""
    text = re.sub(r"\\\n\s*", " ", (DEPLOY / "Dockerfile").read_text())
    return [(step, rest.strip()) for step, rest in STEPS.findall(text)]


def stages(dockerfile: list[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    """The steps of each stage, without those of the stage that it is made from."""
    out: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for step, rest in dockerfile:
        if step == "FROM":
            name = rest.rpartition(" AS ")[2]
        if name:
            out.setdefault(name, []).append((step, rest))
    return out


def images(compose: dict[str, Any], dockerfile: list[tuple[str, str]]) -> set[str]:
    """Every image that comes from elsewhere."""
    own = {service["image"] for service in compose["services"].values() if "build" in service}
    (python,) = (rest.partition("=")[2] for step, rest in dockerfile if step == "ARG")
    bases = {rest.split(" ")[0] for step, rest in dockerfile if step == "FROM"} - set(stages(dockerfile))
    assert bases == {"${PYTHON}"}
    return {service["image"] for service in compose["services"].values()} - own | {python}


def test_every_image_from_elsewhere_is_pinned(compose: dict[str, Any], dockerfile: list[tuple[str, str]]) -> None:
    for image in images(compose, dockerfile):
        assert PINNED.match(image), image


def test_every_target_of_the_compose_files_is_a_stage(
    compose: dict[str, Any], dockerfile: list[tuple[str, str]]
) -> None:
    gpu = yaml.safe_load((DEPLOY / "compose.gpu.yaml").read_text())
    builds = [
        service["build"] for file in (compose, gpu) for service in file["services"].values() if "build" in service
    ]
    assert {build["target"] for build in builds} == {"cpu", "gpu", "mlflow"}
    assert {build["target"] for build in builds} <= set(stages(dockerfile))
    assert all((DEPLOY / build["context"] / build["dockerfile"]).is_file() for build in builds)
    assert set(gpu["services"]) <= set(compose["services"])
    assert list(stages(dockerfile))[-1] == "cpu", "what is built where no target is named"


def test_every_command_of_a_service_is_one_of_ours_or_known(
    compose: dict[str, Any], dockerfile: list[tuple[str, str]]
) -> None:
    commands = [service["command"] for service in compose["services"].values() if "command" in service]
    commands += [json.loads(rest) for step, rest in dockerfile if step == "CMD"]
    ours = [command[1:] for command in commands if command[0] == "limner"]
    assert len(ours) == 3
    for command in ours:
        parse(command)
    assert {command[0] for command in commands} == {"limner", "mlflow", "server", "python"}


def test_every_unit_runs_a_command_of_ours() -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        (line,) = re.findall(r"^ExecStart=/opt/limner/bin/limner (.+)$", unit.read_text(), re.MULTILINE)
        parse(line.split())
        assert "User=limner" in unit.read_text()


def test_every_address_of_a_health_check_is_there(compose: dict[str, Any], dockerfile: list[tuple[str, str]]) -> None:
    tests = [str(service.get("healthcheck", "")) for service in compose["services"].values()]
    tests += [rest for step, rest in dockerfile if step == "HEALTHCHECK"]
    found = {address for test in tests for address in re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", test)}
    paths = {getattr(route, "path", "") for router in ROUTERS for route in router.routes}
    assert {path for port, path in found if port == "8400"} == {"/healthz"}
    assert "/healthz" in paths
    assert {port for port, _ in found} == {"8400", "5000", "8333"}
    assert Settings().port == 8400
    assert any(step == "EXPOSE" and rest == "8400" for step, rest in dockerfile)


def test_every_service_is_looked_after(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert {"server", "worker", "database", "storage", "mlflow"} <= set(services)
    for name, service in services.items():
        assert service["networks"] == ["limner"], name
        assert "healthcheck" in service, name
        assert all(port.startswith("${PUBLISH") and ":-127.0.0.1:" in port for port in service.get("ports", ())), name
        for other, wanted in service.get("depends_on", {}).items():
            ends = services[other]["restart"] == "no"
            assert wanted["condition"] == ("service_completed_successfully" if ends else "service_healthy"), name
    used = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    assert used - {"./database.sql"} == set(compose["volumes"])


def test_our_containers_have_no_rights(compose: dict[str, Any], dockerfile: list[tuple[str, str]]) -> None:
    for name in ("server", "worker", "mlflow"):
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    runtime = stages(dockerfile)["runtime"]
    assert ("USER", "limner") in runtime
    assert not any(
        step == "USER" for name, steps in stages(dockerfile).items() if name != "runtime" for step, _ in steps
    )


def test_nothing_that_builds_is_in_the_images(dockerfile: list[tuple[str, str]]) -> None:
    for name in ("limner", "cpu", "gpu", "mlflow"):
        steps = stages(dockerfile)[name]
        assert not [rest for step, rest in steps if step == "RUN"]
        copied = [rest.split()[1:] for step, rest in steps if step == "COPY"]
        assert all(source == target and source.startswith("/opt/") for source, target in copied)
    removed = next(rest for step, rest in stages(dockerfile)["runtime"] if step == "RUN")
    assert "site-packages/*" in removed
    assert "pip*" in removed


def test_everything_that_is_installed_is_locked(dockerfile: list[tuple[str, str]]) -> None:
    installs = [
        part for step, rest in dockerfile if step == "RUN" for part in rest.split("&&") if "pip install" in part
    ]
    assert len(installs) == 6
    for install in installs:
        assert "--require-hashes" in install or install.strip().endswith("--no-deps /wheel/*.whl"), install


def test_what_is_copied_is_there_and_reaches_the_builder(dockerfile: list[tuple[str, str]]) -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = [
        source
        for step, rest in dockerfile
        if step == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert {"src", "pyproject.toml", "deploy/requirements-cpu.lock"} <= set(sources)
    assert sorted(kept) == sorted(set(sources))
    for source in sources:
        assert (ROOT / source).exists(), source


def test_the_locks_name_hashes_and_no_hosts_and_one_onnxruntime() -> None:
    names = {}
    for image in ("cpu", "gpu", "mlflow"):
        text = (DEPLOY / f"requirements-{image}.lock").read_text()
        assert "://" not in text
        found = re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE)
        assert len(re.findall(r"--hash=sha256:", text)) >= len(found)
        names[image] = dict(found)
    assert {name for name in names["cpu"] if name.startswith("onnxruntime")} == {"onnxruntime"}
    assert {name for name in names["gpu"] if name.startswith("onnxruntime")} == {"onnxruntime-gpu"}
    assert not [name for image in ("cpu", "gpu") for name in names[image] if name.startswith(("torch", "mlflow"))]
    tested = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE))
    different = {name for name in names["cpu"] if name in tested and names["cpu"][name] != tested[name]}
    assert different == set(), "what serves is what was tested"
    assert set(names["cpu"]) - {"onnxruntime"} <= set(names["gpu"])
    assert "s3fs" in names["cpu"]
    assert "psycopg" in names["mlflow"]


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], check=False, capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], **environment},
    )  # fmt: skip


def test_secrets_are_generated_once_and_give_settings_that_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [run(sys.executable, CONTAINER / "make_secrets.py", tmp_path)]
    before = {file.name: file.read_text() for file in tmp_path.iterdir()}
    made.append(run(sys.executable, CONTAINER / "make_secrets.py", tmp_path))
    assert [each.returncode for each in made] == [0, 0], made
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == before
    assert set(before) == {"limner.env", "mlflow.env", "database-password", "storage.json"}
    password = before["database-password"]
    assert len(password) == 48
    assert not any(secret in made[0].stdout for secret in (password,))
    (identity,) = json.loads(before["storage.json"])["identities"]
    values = dict(line.partition("=")[::2] for line in before["limner.env"].splitlines())
    assert identity["credentials"][0]["secretKey"] == values["AWS_SECRET_ACCESS_KEY"]
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.database == f"postgresql://limner:{password}@database:5432/limner"
    assert settings.storage == "s3://limner/main"
    assert f":{password}@database:5432/mlflow" in before["mlflow.env"]


def test_the_secrets_that_services_read_are_those_that_are_made(compose: dict[str, Any], tmp_path: Path) -> None:
    run(sys.executable, CONTAINER / "make_secrets.py", tmp_path)
    read = set(re.findall(r"/secrets/([\w.-]+)", json.dumps(compose["services"])))
    assert read == {file.name for file in tmp_path.iterdir()}


def test_the_entrypoint_puts_secrets_into_the_environment_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "own.env").write_text("LIMNER_STORAGE_URL=s3://limner/main\n")
    script = [str(CONTAINER / "entrypoint.sh"), "sh", "-c", 'echo "$LIMNER_STORAGE_URL" "$1"; exit 7', "-", "two words"]
    done = run("sh", *script, SECRETS_FILE=str(tmp_path / "own.env"))
    assert (done.stdout, done.returncode) == ("s3://limner/main two words\n", 7)
    assert run("sh", *script).stdout == " two words\n"
    missing = run("sh", *script, SECRETS_FILE=str(tmp_path / "none.env"))
    assert missing.returncode != 0
    assert missing.stdout == ""


def test_the_health_check_succeeds_for_a_200_alone(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("well")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        assert run(sys.executable, CONTAINER / "healthy.py", address).returncode == 0
        missing = run(sys.executable, CONTAINER / "healthy.py", f"{address}/nothing")
        server.shutdown()
    gone = run(sys.executable, CONTAINER / "healthy.py", address)
    for failed in (missing, gone):
        assert failed.returncode == 1
        assert address in failed.stderr


def _composer() -> list[str]:
    """The command that reads compose files, where there is one."""
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0:
        return [docker, "compose"]
    if old := shutil.which("docker-compose"):
        return [old]
    message = "Docker Compose is not installed: ITS TEST DOES NOT RUN."
    sys.stderr.write(f"\n*** {message} ***\n")
    pytest.skip(message)


@pytest.mark.parametrize("more", [(), ("compose.gpu.yaml",)], ids=["cpu", "gpu"])
def test_compose_itself_takes_the_files(more: tuple[str, ...], tmp_path: Path) -> None:
    composer = _composer()
    for name in ("compose.yaml", *more):
        text = (DEPLOY / name).read_text()
        if "docker-compose" in composer[0]:  # its last release knows no name at the top
            text = re.sub(r"^name:.*\n", "", text, flags=re.MULTILINE)
        (tmp_path / name).write_text(text)
    shutil.copy(DEPLOY / "limner.env", tmp_path)
    files = [word for name in ("compose.yaml", *more) for word in ("-f", name)]
    done = subprocess.run(
        [*composer, *files, "config"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert services["server"]["build"]["target"] == ("gpu" if more else "cpu")
    assert services["server"]["environment"]["LIMNER_MLFLOW_URL"] == "http://mlflow:5000"


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd is not installed: its test of the units does not run")
    for unit in (DEPLOY / "systemd").iterdir():
        (tmp_path / unit.name.replace("@", "@1")).write_text(
            unit.read_text().replace("/opt/limner/bin/limner", sys.executable)
        )
    done = run(analyze, "verify", *tmp_path.iterdir())
    assert done.returncode == 0, done.stderr
    assert "limner" not in done.stderr, done.stderr
