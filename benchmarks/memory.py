"""Peak memory of annotating a 2,000-page document beside that of a 20-page one.

The pages are small, drawn, and the same in both; the model is a tiny real network that finds their
bright boxes. Each run is the ``limner annotate`` command in a process of its own.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.models.networks import bright_boxes_bundle

LIMNER = Path(sys.executable).with_name("limner")


def draw_pages(folder: Path, count: int) -> None:
    """Dark pages with a bright box each."""
    folder.mkdir()
    for number in range(count):
        page = Image.new("RGB", (600, 800), (20, 20, 20))
        page.paste((250, 250, 250), (100 + number % 300, 200, 300 + number % 250, 500))
        page.save(folder / f"{number:05}.jpg", quality=80)


def peak(folder: Path, count: int, environment: dict[str, str]) -> tuple[float, int]:
    """Peak resident memory in MB of annotating some pages into several formats, and how many were done."""
    draw_pages(folder / f"in-{count}", count)
    command = [str(LIMNER), "annotate", str(folder / f"in-{count}"), "-m", "bright", "--json", "-q"]
    command += ["--to", "jsonl,coco,csv,extractor,iiif,yolo", "-o", str(folder / f"out-{count}")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    output = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"limner annotate failed with status {status}")
    done = json.loads(output)["documents"][0]["pages"]["done"]
    assert isinstance(usage, resource.struct_rusage)
    return usage.ru_maxrss / 1024, done


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        environment = {**os.environ, "LIMNER_DATA": str(folder / "data")}
        bundle = bright_boxes_bundle(folder / "bundle")
        subprocess.run([str(LIMNER), "models", "add", str(bundle), "--as", "bright"], check=True, env=environment)
        small, few = peak(folder, 20, environment)
        large, many = peak(folder, 2000, environment)
    print(f"{few} pages: {small:.0f} MB; {many} pages: {large:.0f} MB; {large - small:+.0f} MB (aim <= +64)")
    print(f"ratio: {large / small:.2f}")


if __name__ == "__main__":
    main()
