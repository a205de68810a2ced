"""Decode and letterbox a large JPEG: ours against the fastest of three others, in one run.

Each side turns the bytes of a 3000 × 4000 photograph into a 640 × 640 RGB array with grey borders, as a
detector takes it. The turns of the sides are mixed, and the median of each is taken, so that a slow phase of the
machine hits all of them. The last line is the ratio of our time to that of the fastest other.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from limner.core.settings import Settings
from limner.sources.decode import decode_bytes
from limner.sources.protocol import Want

SIDE, ROUNDS = 640, 25
Pixels = npt.NDArray[np.uint8]


def photograph(width: int = 3000, height: int = 4000) -> bytes:
    """A JPEG with the detail of a photograph: soft shapes, fine lines and noise; always the same."""
    random = np.random.default_rng(1)
    soft = cv2.resize(
        random.integers(0, 256, (40, 30, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC
    )
    pixels = soft.astype(np.int16) + random.integers(-9, 10, soft.shape, dtype=np.int16)
    pixels[::50] //= 2
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()


def letterbox(pixels: Pixels) -> Pixels:
    """The image scaled into a grey square."""
    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    width, height = round(width * scale), round(height * scale)
    square = np.full((SIDE, SIDE, 3), 114, np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    cv2.resize(
        pixels, (width, height), dst=square[top : top + height, left : left + width], interpolation=cv2.INTER_LINEAR
    )
    return square


def ours(data: bytes, settings: Settings) -> Pixels:
    return decode_bytes(data, Want(SIDE), settings).pixels


def pillow_draft(data: bytes) -> Pixels:
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (SIDE, SIDE))
    return np.asarray(image)


def opencv_reduced(data: bytes) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_4)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def simple_jpeg(data: bytes) -> Pixels:
    return simplejpeg.decode_jpeg(
        data, "RGB", fastdct=True, fastupsample=True, min_height=SIDE, min_width=SIDE * 3 // 4
    )


def medians(sides: dict[str, Callable[[], Pixels]]) -> dict[str, float]:
    """Median seconds of each side."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS + 2):
        for name, side in sides.items():
            start = time.perf_counter()
            letterbox(side())
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken[2:]) for name, taken in times.items()}


def main() -> None:
    data, settings = photograph(), Settings()
    took = medians(
        {
            "limner": lambda: ours(data, settings),
            "Pillow draft": lambda: pillow_draft(data),
            "OpenCV reduced": lambda: opencv_reduced(data),
            "simplejpeg": lambda: simple_jpeg(data),
        }
    )
    print(f"JPEG of 3000 × 4000 pixels, {len(data) / 1e6:.1f} MB, decoded and letterboxed to {SIDE}:")
    for name, seconds in took.items():
        print(f"  {name:<15} {seconds * 1000:6.1f} ms")
    fastest = min(seconds for name, seconds in took.items() if name != "limner")
    print(f"ratio: {took['limner'] / fastest:.2f} (aim <= 1.30)")


if __name__ == "__main__":
    main()
