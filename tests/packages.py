"""Programs of the system that tests need, installed on Debian where that is possible."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from limner.models.filelock import locked


def install(package: str) -> bool:
    """Install a package with apt-get as root; whether it worked."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Two workers of the tests may come at once, and apt-get turns the second away.
    with locked(Path(tempfile.gettempdir()) / "limner-tests-apt.lock"):
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", package]):
            done = subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)
            if done.returncode:
                return False
    return True
