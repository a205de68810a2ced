from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from limner.models.tasks.letterbox import Buffers, Transform, plan_input, prepare
from limner.models.tasks.specs import (
    Fixed,
    Input,
    Keep,
    Letterbox,
    Longest,
    PerImage,
    Shortest,
    Stretch,
    TotalPixels,
)
from tests.models.parity import expected, image_size

SIDES = st.integers(1, 5000)


def image(width: int, height: int, seed: int = 0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def fed(pixels, spec: Input):
    """The network's input, in a buffer of its own."""
    plan = plan_input(spec, (pixels.shape[1], pixels.shape[0]))
    return prepare(pixels, spec, plan, Buffers()), plan


@pytest.mark.parametrize(
    ("resize", "dynamic", "size", "inner", "canvas", "at"),
    [
        (Letterbox(width=640, height=640), False, (1000, 500), (640, 320), (640, 640), (0, 160)),
        (Letterbox(width=640, height=640), True, (1000, 500), (640, 320), (640, 320), (0, 0)),
        (Letterbox(width=640, height=640), True, (350, 512), (438, 640), (448, 640), (5, 0)),
        (Letterbox(width=640, height=640, enlarge=False), False, (100, 50), (100, 50), (640, 640), (270, 295)),
        (Letterbox(width=640, height=640, anchor="corner"), False, (500, 1000), (320, 640), (640, 640), (0, 0)),
        (Letterbox(width=320, height=640), False, (1000, 1000), (320, 320), (320, 640), (0, 160)),
        (Stretch(width=300, height=301), False, (50, 900), (300, 301), (300, 301), (0, 0)),
        (Longest(side=512), False, (1000, 600), (512, 307), (512, 512), (0, 0)),
        (Longest(side=512), True, (1000, 600), (512, 307), (512, 320), (0, 0)),
        (Shortest(side=800, longest=1333), True, (640, 480), (1067, 800), (1088, 800), (0, 0)),
        (Shortest(side=800, longest=1333), True, (2000, 600), (1333, 400), (1344, 416), (0, 0)),
        (Shortest(side=800, longest=1333, rounding="floor"), True, (640, 480), (1066, 800), (1088, 800), (0, 0)),
        # 131 × (160 ÷ 131) is 160, and 131 × (255 ÷ 131) a hair less than 255.
        (Shortest(side=160, longest=256, rounding="torchvision"), True, (200, 131), (244, 160), (256, 160), (0, 0)),
        (TotalPixels(pixels=220_000), True, (350, 512), (388, 567), (416, 576), (0, 0)),
        (Keep(), True, (333, 100), (333, 100), (352, 128), (0, 0)),
        (Keep(longest=200), True, (400, 100), (200, 50), (224, 64), (0, 0)),
        (Longest(side=640), True, (10_000, 1), (640, 1), (640, 32), (0, 0)),
    ],
)
def test_sizes(resize, dynamic, size, inner, canvas, at):
    plan = plan_input(Input(resize=resize, dynamic=dynamic), size)
    assert (plan.inner, plan.canvas, (plan.left, plan.top)) == (inner, canvas, at)


def test_the_input_has_the_size_that_yolov5_gives_it():
    spec = Input(resize=Letterbox(mapping="yolov5"), dynamic=True)
    for each in expected("yolov5n")["images"]:
        size = image_size(each["image"])
        assert plan_input(spec, size).canvas[::-1] == tuple(each["input"])


def test_the_input_has_the_size_that_docextractor_gives_it():
    spec = Input(resize=TotalPixels(pixels=220_000), stride=1, dynamic=True)
    for each in expected("docextractor")["images"]:
        size = image_size(each["image"])
        assert plan_input(spec, size).canvas == tuple(each["network_size"])


@settings(deadline=None)
@given(SIDES, SIDES, st.sampled_from(["exact", "yolov5", "ultralytics"]), st.booleans())
def test_a_letterbox_keeps_the_aspect_fits_and_maps_corners_to_corners(width, height, mapping, dynamic):
    plan = plan_input(Input(resize=Letterbox(mapping=mapping), dynamic=dynamic), (width, height))
    assert max(plan.inner) == 640
    assert plan.left + plan.inner[0] <= plan.canvas[0] <= 640
    assert plan.top + plan.inner[1] <= plan.canvas[1] <= 640
    assert plan.canvas[0] % 32 == plan.canvas[1] % 32 == 0
    whole = plan.transform.to_network(np.array([[0, 0, width, height]]))[0]
    wanted = (plan.left, plan.top, plan.left + plan.inner[0], plan.top + plan.inner[1])
    # Those programs reckon with the padded size: a side that is rounded away shifts the other.
    gain = min(plan.canvas[0] / width, plan.canvas[1] / height)
    shift = max(abs(width * gain - plan.inner[0]), abs(height * gain - plan.inner[1]))
    slack = 1e-6 if mapping == "exact" else 1.1 + shift
    assert np.abs(whole - wanted).max() <= slack


@settings(deadline=None)
@given(SIDES, SIDES, st.floats(-100, 5000), st.floats(-100, 5000), st.floats(1, 900))
def test_boxes_come_back_where_they_were(width, height, x, y, side):
    transform = plan_input(Input(), (width, height)).transform.for_part(17.5, -3)
    box = np.array([[x, y, x + side, y + side]])
    assert np.allclose(transform.to_image(transform.to_network(box)), box, atol=1e-6)


def test_a_transform_for_a_part_and_for_other_units():
    transform = Transform(0.5, 0.25, 10, 20)
    box = np.array([[4.0, 8.0, 6.0, 12.0]])
    assert np.allclose(
        transform.for_part(100, 200).to_network(box + np.array([100, 200] * 2)), transform.to_network(box)
    )
    assert np.allclose(transform.rescaled(2, 3).to_network(box / [2, 3, 2, 3]), transform.to_network(box))


def test_pixels_are_scaled_and_padded():
    tensor, plan = fed(image(200, 100), Input(resize=Letterbox(width=64, height=64)))
    assert (tensor.shape, tensor.dtype) == ((1, 3, 64, 64), np.float32)
    small = cv2.resize(image(200, 100), (64, 32), interpolation=cv2.INTER_LINEAR)
    assert plan.top == 16
    assert np.array_equal(tensor[0, :, 16:48], (small.transpose(2, 0, 1) / 255).astype(np.float32))
    assert (tensor[0, :, :16] == np.float32(114 / 255)).all()
    assert (tensor[0, :, 48:] == np.float32(114 / 255)).all()


@pytest.mark.parametrize("layout", ["nchw", "nhwc", "chw", "hwc"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_layout_type_and_order_of_colours(layout, dtype, channels):
    pixels = image(60, 32)
    spec = Input(layout=layout, dtype=dtype, channels=channels, resize=Keep(), pad=50)
    tensor, _ = fed(pixels, spec)
    assert tensor.dtype == dtype
    assert tensor.flags.c_contiguous
    assert tensor.ndim == len(layout)
    single = tensor[0] if layout[0] == "n" else tensor
    planes = single if "chw" in layout else single.transpose(2, 0, 1)
    wanted = np.full((3, 32, 64), 50.0)
    wanted[:, :, :60] = pixels[:, :, :: 1 if channels == "rgb" else -1].transpose(2, 0, 1)
    assert np.allclose(planes, wanted if dtype == "uint8" else wanted / 255, atol=1e-3)


def test_detectron2_subtracts_in_bgr_and_pads_with_zero_afterwards():
    pixels = image(60, 32)
    spec = Input(
        channels="bgr",
        resize=Keep(),
        normalisation=Fixed(scale=1, mean=(103.53, 116.28, 123.675)),
        pad=None,
        dynamic=True,
    )
    tensor, _ = fed(pixels, spec)
    wanted = pixels[:, :, ::-1].astype(np.float32) - np.array([103.53, 116.28, 123.675], np.float32)
    assert np.allclose(tensor[0, :, :, :60], wanted.transpose(2, 0, 1), atol=1e-4)
    assert (tensor[0, :, :, 60:] == 0).all()


def test_deviations_divide():
    pixels = image(32, 32)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    tensor, _ = fed(pixels, Input(resize=Keep(), normalisation=Fixed(mean=mean, std=std)))
    assert np.allclose(tensor[0].transpose(1, 2, 0), (pixels / 255 - mean) / std, atol=1e-5)


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_each_image_by_its_own_mean(channels):
    pixels = image(64, 32) // np.array([1, 2, 4], np.uint8)
    tensor, _ = fed(pixels, Input(channels=channels, resize=Keep(), normalisation=PerImage(), pad=None))
    values = pixels[:, :, :: 1 if channels == "rgb" else -1] / 255
    wanted = (values - values.mean(axis=(0, 1))) / (values.std(axis=(0, 1)) + 1e-7)
    assert np.allclose(tensor[0].transpose(1, 2, 0), wanted, atol=1e-4)


def test_an_image_of_one_colour_has_no_deviation():
    tensor, _ = fed(np.full((32, 32, 3), 200, np.uint8), Input(resize=Keep(), normalisation=PerImage()))
    assert np.isfinite(tensor).all()


@pytest.mark.parametrize(
    ("name", "resample"),
    [
        ("pillow-bilinear", Image.Resampling.BILINEAR),
        ("pillow-bicubic", Image.Resampling.BICUBIC),
        ("pillow-lanczos", Image.Resampling.LANCZOS),
    ],
)
def test_pillows_filters_are_pillows(name, resample):
    pixels = image(200, 100)
    tensor, _ = fed(pixels, Input(resize=Stretch(width=64, height=64), filter=name, dtype="uint8", layout="hwc"))
    assert np.array_equal(tensor, np.asarray(Image.fromarray(pixels).resize((64, 64), resample)))


@pytest.mark.parametrize("name", ["nearest", "linear", "cubic", "area"])
def test_opencvs_filters_keep_a_flat_image_flat(name):
    flat = np.full((90, 70, 3), (10, 120, 230), np.uint8)
    tensor, _ = fed(flat, Input(resize=Stretch(width=64, height=64), filter=name, dtype="uint8", layout="hwc"))
    assert (tensor == (10, 120, 230)).all()


@pytest.mark.parametrize(
    "view",
    [lambda a: a[10:90, 20:80], lambda a: a[::-1], lambda a: a[:, ::-1], lambda a: a[..., ::-1], lambda a: a[::2, ::3]],
)
def test_views_are_read_as_what_they_show(view):
    pixels = view(image(120, 100))
    spec = Input(resize=Stretch(width=32, height=32))
    assert np.array_equal(fed(pixels, spec)[0], fed(np.ascontiguousarray(pixels), spec)[0])


def test_one_buffer_serves_all_inputs_of_a_thread():
    buffers, spec = Buffers(), Input(resize=Letterbox(width=64, height=64), dynamic=True)
    sizes = [(200, 100), (100, 200), (64, 64), (640, 20)]
    starts = set()
    for size in [(64, 64), *sizes]:
        pixels = image(*size, seed=size[0])
        tensor = prepare(pixels, spec, plan_input(spec, size), buffers)
        starts.add(tensor.ctypes.data)
        assert np.array_equal(tensor, fed(pixels, spec)[0])  # nothing is left of the one before
    assert len(starts) == 1


def test_threads_do_not_share_a_buffer():
    buffers, found = Buffers(), []
    threads = [threading.Thread(target=lambda: found.append(buffers.take((4, 4), "float32"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.ctypes.data for each in found}) == 4


def test_linear_without_rounding_is_between_the_pixels():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[:, 1] = 1
    rounded, exact = (
        fed(pixels, Input(resize=Stretch(width=4, height=2), filter=how, normalisation=Fixed(scale=1.0)))[0]
        for how in ("linear", "linear-exact")
    )
    assert np.unique(rounded).tolist() == [0, 1]
    assert exact[0, 0, 0].tolist() == [0, 0.25, 0.75, 1]
