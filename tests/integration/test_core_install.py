"""The core install: what a stranger gets who installs the wheel and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not UV.exists(), reason="uv is not beside python: run the tests by `make test`"),
]


def _run(*command: object, **environment: str) -> str:
    words = [str(part) for part in command]
    done = subprocess.run(
        words, check=False, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the locked core and our wheel."""
    folder = tmp_path_factory.mktemp("core")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist")
    _run(UV, "venv", "--quiet", "--python", sys.executable, folder / "env")
    python = folder / "env" / "bin" / "python"
    _run(UV, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", "requirements.lock")
    (wheel,) = (folder / "dist").glob("*.whl")
    _run(UV, "pip", "install", "--quiet", "--python", python, "--no-deps", wheel)
    return folder / "env"


def _packages(environment: Path) -> Path:
    (folder,) = environment.glob("lib/python3*/site-packages")
    return folder


def test_it_stays_under_350_megabytes_without_torch(environment: Path) -> None:
    packages = _packages(environment)
    size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file() and not path.is_symlink())
    assert size < 350 * 2**20, f"{size / 2**20:.0f} MiB"
    names = {path.name.split("-")[0].lower() for path in packages.glob("*.dist-info")}
    assert "limner" in names
    assert not names & {"torch", "torchvision", "fastapi", "sqlalchemy", "dbos"}


def test_the_command_works_in_it(environment: Path, tmp_path: Path) -> None:
    limner = environment / "bin" / "limner"
    assert _run(limner, "--version").startswith("limner ")
    listed = _run(limner, "models", "list", LIMNER_DATA=str(tmp_path))
    assert "text" in listed
    assert "text-regions" in listed


def test_importing_limner_pulls_in_nothing_heavy(environment: Path) -> None:
    code = "import sys, limner; print([n for n in ('onnxruntime', 'httpx', 'numpy', 'cv2', 'PIL') if n in sys.modules])"
    assert _run(environment / "bin" / "python", "-c", code).strip() == "[]"
