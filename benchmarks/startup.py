"""What it costs to start: processor time of ``limner --help``, and what ``import limner`` pulls in."""

import resource
import subprocess
import sys
from pathlib import Path

LIMNER = Path(sys.executable).with_name("limner")
HEAVY = ("onnxruntime", "httpx", "cv2", "torch", "numpy", "PIL")


def cpu_seconds(command: list[str]) -> float:
    """Processor time of a command, the least of five runs."""
    best = float("inf")
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return best


def main() -> None:
    """Measure and print."""
    bare = cpu_seconds([sys.executable, "-c", "pass"])
    help_ = cpu_seconds([str(LIMNER), "--help"])
    code = f"import sys, limner; print(','.join(name for name in {HEAVY} if name in sys.modules))"
    pulled = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    print(f"python -c pass: {bare:.3f} s of CPU; limner --help: {help_:.3f} s of CPU (aim <= 0.300)")
    print(f"import limner pulls in: {pulled or 'nothing heavy'} (aim: no onnxruntime, no httpx)")
    print(f"ratio: {help_ / 0.3:.2f} of the aim (<= 1.00)")


if __name__ == "__main__":
    main()
