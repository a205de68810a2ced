"""Write the lock files: every requirement pinned with hashes, no host named.

The same files install from any index or mirror, which is why there is no ``uv.lock``.
"""

import subprocess
import sys
from pathlib import Path

UV = Path(sys.executable).with_name("uv")
COMPILE = [
    str(UV), "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes",
    "--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate", "--upgrade",
]  # fmt: skip
#: Within the bounds of onnxruntime in pyproject.toml.
GPU = "onnxruntime-gpu[cuda,cudnn]>=1.26,<1.29\n"


def compile_lock(target: str, *arguments: str, stdin: str | None = None) -> None:
    """Resolve some requirements into one lock file."""
    subprocess.run([*COMPILE, *arguments, "--output-file", target], check=True, input=stdin, text=True)


if __name__ == "__main__":
    groups = [f"--group={name}" for name in ("test", "check", "docs")]
    # The tests' requirements come first: what serves is what was tested.
    compile_lock("requirements-dev.lock", "pyproject.toml", "--all-extras", *groups)
    tested = ("--constraints", "requirements-dev.lock")
    compile_lock("requirements-server.lock", "pyproject.toml", "--extra=server", *tested)
    compile_lock("requirements.lock", "pyproject.toml", *tested)
    # What the images of deploy/ hold: CUDA comes with onnxruntime-gpu, which takes the place of onnxruntime.
    served = ("pyproject.toml", "--extra=server", "--extra=s3", *tested)
    compile_lock("deploy/requirements-cpu.lock", *served)
    compile_lock("deploy/requirements-gpu.lock", "-", *served, "--no-emit-package=onnxruntime", stdin=GPU)
    compile_lock("deploy/requirements-mlflow.lock", "-", *tested, stdin="mlflow\npsycopg[binary]\n")
    compile_lock("requirements-uv.lock", "-", stdin="uv\n")
    compile_lock("requirements-build.lock", "-", stdin="hatchling\neditables\n")
