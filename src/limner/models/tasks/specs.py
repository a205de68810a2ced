"""What a bundle says of its network: how an image is prepared, and how the outputs are read.

These are the parts of ``bundle.json`` that tasks need. All are frozen, and a key that nobody knows
is an error.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: A length in pixels.
Side: TypeAlias = Annotated[int, Field(ge=1, le=16_384)]
#: A number between 0 and 1.
Fraction: TypeAlias = Annotated[float, Field(ge=0, le=1)]


class Spec(BaseModel):
    """Something that stands in ``bundle.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Letterbox(Spec):
    """Scale so that the image fits into a rectangle, keeping its aspect, and pad the rest."""

    rule: Literal["letterbox"] = "letterbox"
    width: Side = Field(default=640, description="Width of the rectangle, pixels.")
    height: Side = Field(default=640, description="Height of the rectangle, pixels.")
    enlarge: bool = Field(default=True, description="Whether smaller images are scaled up.")
    anchor: Literal["centre", "corner"] = Field(
        default="centre", description="Where the image lies: in the middle, or at the top left."
    )
    mapping: Literal["exact", "yolov5", "ultralytics"] = Field(
        default="exact",
        description="How boxes go back to the image. `exact` uses the size after rounding; the others repeat what "
        "those programs do, a fraction of a pixel away.",
    )


class Stretch(Spec):
    """Scale to a fixed size, whatever the aspect."""

    rule: Literal["stretch"] = "stretch"
    width: Side = Field(description="Width, pixels.")
    height: Side = Field(description="Height, pixels.")


class Longest(Spec):
    """Scale so that the longer side has a given length; the image lies at the top left."""

    rule: Literal["longest"] = "longest"
    side: Side = Field(description="Length of the longer side, pixels.")
    enlarge: bool = Field(default=True, description="Whether smaller images are scaled up.")


class Shortest(Spec):
    """Scale so that the shorter side has a given length and the longer one no more than another."""

    rule: Literal["shortest"] = "shortest"
    side: Side = Field(description="Length of the shorter side, pixels.")
    longest: Side = Field(description="Most that the longer side may have, pixels.")
    rounding: Literal["nearest", "floor", "torchvision"] = Field(
        default="nearest",
        description="How lengths become whole: Detectron2 rounds to the nearest, others cut off. `torchvision` cuts "
        "off as its detectors do, sometimes a pixel more.",
    )


class TotalPixels(Spec):
    """Scale so that the image has a given number of pixels in all, keeping its aspect."""

    rule: Literal["total"] = "total"
    pixels: int = Field(ge=1, le=100_000_000, description="Width times height, pixels.")


class Keep(Spec):
    """Leave the size as it is, unless the image is too large."""

    rule: Literal["keep"] = "keep"
    longest: Side | None = Field(default=None, description="Most that the longer side may have, pixels.")


Resize: TypeAlias = Annotated[
    Letterbox | Stretch | Longest | Shortest | TotalPixels | Keep, Field(discriminator="rule")
]


class Fixed(Spec):
    """``(value × scale − mean) / std`` with numbers that are the same for every image."""

    kind: Literal["fixed"] = "fixed"
    scale: float = Field(default=1 / 255, description="What the 0 to 255 of a pixel are multiplied with.")
    mean: tuple[float, float, float] = Field(default=(0.0, 0.0, 0.0), description="In the channel order of the input.")
    std: tuple[float, float, float] = Field(default=(1.0, 1.0, 1.0), description="In the channel order of the input.")

    @model_validator(mode="after")
    def _divisible(self) -> Fixed:
        if 0 in self.std:
            raise ValueError("std divides, so it cannot be 0")
        return self


class PerImage(Spec):
    """``(value × scale − mean) / (std + epsilon)`` with each image's own mean and deviation by channel."""

    kind: Literal["image"] = "image"
    scale: float = Field(default=1 / 255, description="What the 0 to 255 of a pixel are multiplied with.")
    epsilon: float = Field(default=1e-7, gt=0, description="Keeps an image of one colour from dividing by 0.")
    sums: Literal["exact", "float32"] = Field(
        default="exact",
        description="How mean and deviation are summed up. `float32` repeats what numpy does with such numbers, a few "
        "ten-thousandths away: for networks whose program did so.",
    )


Normalisation: TypeAlias = Annotated[Fixed | PerImage, Field(discriminator="kind")]

Filter: TypeAlias = Literal[
    "nearest", "linear", "linear-exact", "cubic", "area", "pillow-bilinear", "pillow-bicubic", "pillow-lanczos"
]


class Input(Spec):
    """How an image becomes the network's input."""

    name: str = Field(default="images", min_length=1, max_length=200, description="Name of the input in the network.")
    layout: Literal["nchw", "nhwc", "chw", "hwc"] = Field(default="nchw", description="Order of the axes.")
    dtype: Literal["float32", "float16", "uint8"] = Field(default="float32", description="Type of the numbers.")
    channels: Literal["rgb", "bgr"] = Field(default="rgb", description="Order of the colours.")
    resize: Resize = Field(default=Letterbox(), description="How the image is scaled.")
    filter: Filter = Field(
        default="linear",
        description="How it is sampled when scaled. OpenCV's filters (`linear-exact` gives numbers between whole "
        "ones), or Pillow's, which blur first.",
    )
    normalisation: Normalisation = Field(default=Fixed(), description="How pixels become numbers.")
    pad: float | None = Field(
        default=114.0,
        description="Value of the padding as a pixel, 0 to 255; null for 0 after the normalisation.",
    )
    stride: int = Field(default=32, ge=1, le=1024, description="Width and height are padded to a multiple of it.")
    dynamic: bool = Field(
        default=False,
        description="Whether the network takes any size. If so, the padding goes no further than the stride asks.",
    )
    size_input: str | None = Field(
        default=None, description="Name of a second input (1 × 2, int64) that gets the width and height of the first."
    )

    @property
    def wanted_side(self) -> int | None:
        """How long the longer side of an image has to be so that nothing is lost; None for full size."""
        match self.resize:
            case Letterbox(width=width, height=height):
                return max(width, height)
            case Stretch(width=width, height=height):
                return 2 * max(width, height)  # the longer side shrinks more: enough up to 2 : 1
            case Longest(side=side) | Shortest(longest=side):
                return side
            case TotalPixels(pixels=pixels):
                return 2 * math.isqrt(pixels)  # enough up to 4 : 1
            case Keep(longest=longest):
                return longest


class YoloV5(Spec):
    """Rows of centre x, centre y, width, height, objectness, a score a label, and mask coefficients."""

    name: Literal["yolov5"] = "yolov5"
    masks: int = Field(default=0, ge=0, le=256, description="Mask coefficients in a row; 0 when only boxes come.")


class YoloV8(Spec):
    """Columns of centre x, centre y, width, height, a score a label, and mask coefficients (YOLOv5u, v8, 11)."""

    name: Literal["yolov8"] = "yolov8"
    masks: int = Field(default=0, ge=0, le=256, description="Mask coefficients in a column; 0 when only boxes come.")


Column: TypeAlias = Literal["left", "top", "right", "bottom", "score", "label", "-"]
#: What a row has to hold.
ROW: tuple[Column, ...] = ("left", "top", "right", "bottom", "score", "label")


class Rows(Spec):
    """Rows of left, top, right, bottom, score, label and mask coefficients, best first, without repeats."""

    name: Literal["rows"] = "rows"
    columns: tuple[Column, ...] = Field(
        default=ROW,
        description="What stands in each column; `-` for one not needed. Mask coefficients come after these.",
    )
    first_label: int = Field(default=0, ge=0, description="Number of the first label; 1 where 0 is the background.")
    masks: int = Field(default=0, ge=0, le=256, description="Mask coefficients in a row; 0 when only boxes come.")

    @model_validator(mode="after")
    def _complete(self) -> Rows:
        if sorted(column for column in self.columns if column != "-") != sorted(ROW):
            raise ValueError("each of left, top, right, bottom, score and label needs one column")
        return self


Role: TypeAlias = Literal["boxes", "scores", "labels", "masks", "-"]


class Boxes(Spec):
    """Outputs for boxes, scores and labels, and perhaps masks, as torchvision and Detectron2 give them."""

    name: Literal["boxes"] = "boxes"
    outputs: tuple[Role, ...] = Field(
        default=("boxes", "labels", "scores"), description="What each output of the network is; `-` for one not needed."
    )
    form: Literal["xyxy", "yxyx", "xywh", "cxcywh"] = Field(
        default="xyxy", description="What the four numbers of a box are."
    )
    units: Literal["pixels", "fractions"] = Field(
        default="pixels", description="Whether boxes are in pixels of the input or in fractions of it."
    )
    first_label: int = Field(
        default=0, ge=0, description="Number of the first label; 1 where 0 is the background (torchvision)."
    )
    nms: bool = Field(default=False, description="Whether overlapping boxes still have to be removed.")
    mask_frame: Literal["box", "image"] = Field(
        default="box", description="Whether a mask covers its box (28 × 28, say) or the whole input."
    )
    mask_threshold: float = Field(default=0.5, description="Least value inside a mask.")

    @model_validator(mode="after")
    def _complete(self) -> Boxes:
        roles = [role for role in self.outputs if role != "-"]
        if len(roles) != len(set(roles)):
            raise ValueError("an output can be named only once")
        if not {"boxes", "scores"} <= set(roles):
            raise ValueError("there must be outputs for boxes and for scores")
        return self


class Detr(Spec):
    """Boxes (centre x, centre y, width, height, as fractions of the input) and logits for each query."""

    name: Literal["detr"] = "detr"
    outputs: tuple[Literal["boxes", "logits", "-"], ...] = Field(
        default=("logits", "boxes"), description="What each output of the network is; `-` for one not needed."
    )
    activation: Literal["sigmoid", "softmax"] = Field(
        default="sigmoid",
        description="How logits become scores; with softmax the last label means that there is nothing.",
    )
    first_label: int = Field(default=0, ge=0, description="Number of the first label among the logits.")

    @model_validator(mode="after")
    def _complete(self) -> Detr:
        if sorted(role for role in self.outputs if role != "-") != ["boxes", "logits"]:
            raise ValueError("there must be one output for boxes and one for logits")
        return self


class TinyYolo(Spec):
    """One vector: class probabilities by cell, confidences by box, then coordinates (YOLO version 1)."""

    name: Literal["tiny-yolo"] = "tiny-yolo"
    cells: int = Field(default=7, ge=1, le=64, description="Cells along a side of the grid.")
    boxes: int = Field(default=2, ge=1, le=16, description="Boxes of each cell.")


class PixelClasses(Spec):
    """One class for every pixel: logits (class × height × width), or the classes themselves.

    With these there may be a second output of the same shape: how probable the class is, 0 to 1.
    """

    name: Literal["classes"] = "classes"
    background: int | None = Field(
        default=0, ge=0, description="Class that belongs to nothing; the other classes are the labels, in their order."
    )
    activation: Literal["softmax", "none"] = Field(
        default="softmax", description="How the numbers of a pixel become probabilities; `none` when they are."
    )
    shape: Literal["polygon", "box", "mask"] = Field(default="polygon", description="What a region becomes.")
    minimum_area: Fraction = Field(default=0.0001, description="Smaller regions are left out; a fraction of the image.")
    minimum_areas: dict[str, Fraction] = Field(default={}, description="The same for single labels.")
    tolerance: float = Field(
        default=0.002,
        ge=0,
        le=0.1,
        description="How far a polygon may leave its region; a fraction of its longer side.",
    )
    nested: bool = Field(default=False, description="Whether regions inside holes of others are kept.")


#: Decoders of networks that give boxes.
BoxDecoder: TypeAlias = YoloV5 | YoloV8 | Rows | Boxes | Detr | TinyYolo
Decoder: TypeAlias = Annotated[BoxDecoder | PixelClasses, Field(discriminator="name")]


class Thresholds(Spec):
    """What is left out when nothing else is asked for."""

    score: Fraction = Field(default=0.25, description="Least score.")
    iou: Fraction = Field(
        default=0.45, description="Of two boxes of one label that overlap by more than this, the better one is kept."
    )
    max_detections: int = Field(default=300, ge=1, le=100_000, description="Most that is kept of one image.")


class Tiling(Spec):
    """How a large page is cut into tiles that overlap."""

    side: Side = Field(default=1280, description="Side of a tile, pixels of the original image.")
    overlap: float = Field(default=0.2, ge=0, le=0.75, description="Least part of a tile that its neighbour sees too.")
    above: int = Field(
        default=0, ge=0, description="Only images whose longer side is longer than this are cut, pixels."
    )
    whole: bool = Field(
        default=True, description="Whether the whole page is looked at too, for what is larger than a tile."
    )
