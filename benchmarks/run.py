"""Run all benchmarks, or those named: ``python benchmarks/run.py [NAME…]``.

Each is a script of its own that measures both sides in one run and prints a ratio with its aim.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run them one after another; the exit code is that of the worst."""
    names = sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.py") if path.stem != "run")
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}  # they draw on the tests' servers and networks
    worst = 0
    for name in names:
        print(f"── {name} " + "─" * (60 - len(name)), flush=True)
        start = time.perf_counter()
        worst = max(
            worst, subprocess.run([sys.executable, str(HERE / f"{name}.py")], check=False, env=environment).returncode
        )
        print(f"({time.perf_counter() - start:.0f} s)\n", flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main())
