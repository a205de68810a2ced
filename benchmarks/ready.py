"""How soon ``limner serve`` is ready, and how much memory it holds before a model is loaded.

Each start is a process of its own, on a data folder of its own (the first start makes the tables) and
then on the same folder again. Ready is the first 200 of ``/healthz``; ``/readyz``, which asks for a
canary inference and so loads a model, comes after the memory is read.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

LIMNER = Path(sys.executable).with_name("limner")
AIM_SECONDS, AIM_MEGABYTES = 2.5, 200.0
#: Starts on the same folder.
STARTS = 5


def start(data: Path) -> tuple[float, float, float, float]:
    """Seconds until the server answers, the processor's part in them, its memory in MB when idle, and seconds until
    it says that it is ready.
    """
    environment = {**os.environ, "LIMNER_DATA": str(data)}
    began = time.perf_counter()
    with (data.parent / "log.txt").open("w") as log:
        command = [str(LIMNER), "serve", "--port", "0", "--no-auth"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        url = address(process)
        answered(f"{url}/healthz")
        seconds, busy = time.perf_counter() - began, processor(process.pid)
        time.sleep(2.0)
        megabytes = resident(process.pid)
        answered(f"{url}/readyz")
        return seconds, busy, megabytes, time.perf_counter() - began - 2.0
    finally:
        process.terminate()
        process.wait(30)


def address(process: subprocess.Popen[str]) -> str:
    """What the server prints when it is ready."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"ready at (\S+)", line):
            return found[1]
    raise SystemExit("limner serve did not start")


def answered(url: str) -> None:
    """Wait for a 200."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if httpx.get(url, timeout=30, trust_env=False).status_code == 200:
            return
        time.sleep(0.01)
    raise SystemExit(f"{url} is not there after 60 s")


def processor(pid: int) -> float:
    """Seconds of processor time that a process has taken: what a start costs, however busy the machine is otherwise."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Resident memory of a process, MB."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        first, *_ = start(data)
        runs = [start(data) for _ in range(STARTS)]
    seconds, busy, megabytes, ready = (statistics.median(column) for column in zip(*runs, strict=True))
    print(f"first start, with an empty folder: {first:.2f} s")
    print(f"ready: {seconds:.2f} s after the start of the process, median of {STARTS} (aim <= {AIM_SECONDS:g})")
    print(f"of these, {busy:.2f} s of processor time")
    print(f"/readyz is 200 after {ready:.2f} s")
    print(f"memory before a model is loaded: {megabytes:.0f} MB (aim <= {AIM_MEGABYTES:g})")
    print(
        f"ratio to the aim: {seconds / AIM_SECONDS:.2f} for time, {megabytes / AIM_MEGABYTES:.2f} for memory (<= 1.00)"
    )


if __name__ == "__main__":
    main()
