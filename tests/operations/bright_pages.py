"""Pages with a bright rectangle on the grid of `tests.models.networks.bright_boxes_bundle`, which finds it exactly."""

import io

from PIL import Image

#: Width and height of the pages; a cell of the network is 40 × 40 pixels.
SIZE = (640, 480)
#: Where the rectangle lies: x, y, width, height.
BOX = [80, 80, 160, 200]


def page(kind: str = "PNG", size: tuple[int, int] = SIZE) -> bytes:
    """An image file with one bright rectangle."""
    return encoded(drawn(size), kind)


def drawn(size: tuple[int, int] = SIZE) -> Image.Image:
    """The image itself."""
    image = Image.new("RGB", size, (10, 10, 10))
    x, y, width, height = BOX
    image.paste((250, 250, 250), (x, y, x + width, y + height))
    return image


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """An image as a file."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
