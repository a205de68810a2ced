"""What readers have in common: passing over what cannot be used, and saying so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage
from limner.annotations.formats.protocol import ParseContext
from limner.core.errors import FormatError, LimnerError

T = TypeVar("T")
P = ParamSpec("P")

#: Largest image that a mask is made for, pixels; files may claim any size.
MOST_PIXELS = 300_000_000
#: Longest side of an image that is believed, pixels.
_LONGEST = 10**7


def read_each(
    files: Mapping[str, str],
    suffixes: tuple[str, ...],
    title: str,
    context: ParseContext,
    read: Callable[[str, str], Iterable[AnnotatedPage]],
    *,
    numbered: bool = False,
) -> Iterator[AnnotatedPage]:
    """The pages that ``read`` makes of path and text of each file with one of the suffixes.

    They are counted through, unless there is one file whose pages are ``numbered`` already. A file
    that is not of the format is reported and passed over; where none is, its `FormatError` is
    raised. A single file may have any suffix.
    """
    count, failed, fine = 0, None, False
    for path, text in chosen(files, suffixes, title).items():
        try:
            for page in read(path, text):
                yield page if numbered and len(files) == 1 else replace(page, page=replace(page.page, index=count))
                count += 1
            fine = True
        except FormatError as error:
            failed = failed or error
            context.problems.append(str(error))
    if failed and not fine:
        raise failed


def chosen(files: Mapping[str, str], suffixes: tuple[str, ...], title: str) -> Mapping[str, str]:
    """The files with one of the suffixes, or the only one; raises `FormatError` where there is none."""
    if len(files) == 1:
        return files
    fitting = {path: text for path, text in files.items() if path.lower().endswith(suffixes)}
    if not fitting:
        raise FormatError(f"{title} is read from files ending in {' or '.join(suffixes)}, and none of these is one.")
    return fitting


def json_object(path: str, text: str, keys: Sequence[str]) -> dict[str, Any]:
    """The JSON object in a file; raises `FormatError` where it is none or lacks one of the keys."""
    value = json_value(path, text)
    if not isinstance(value, dict):
        raise FormatError(f"{path} holds no JSON object.")
    missing = [key for key in keys if key not in value]
    if missing:
        raise FormatError(f"{path} lacks {' and '.join(map(repr, missing))}.")
    return value


def json_value(path: str, text: str) -> object:
    """The JSON value in a file, NaN and the infinities as null; raises `FormatError` where there is none."""
    try:
        value: object = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is no JSON: {error}.") from error
    return value


def usable(context: ParseContext, where: str, make: Callable[P, T], *args: P.args, **options: P.kwargs) -> T | None:
    """What ``make`` gives for an entry; None, and a report that names the entry, where it gives an error."""
    try:
        return make(*args, **options)
    except KeyError as error:
        reason = f"it lacks {error.args[0]!r}."
    except (LimnerError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        reason = str(error)
    context.problems.append(f"{where} was passed over: {reason}")
    return None


def with_own_ids(found: Iterable[Annotation]) -> tuple[Annotation, ...]:
    """Annotations of one page; an id that is there already gets a number added."""
    taken: set[str] = set()
    out = []
    for annotation in found:
        name, count = annotation.id, 1
        while name in taken:
            count += 1
            name = f"{annotation.id}-{count}"
        taken.add(name)
        out.append(annotation if name == annotation.id else replace(annotation, id=name))
    return tuple(out)


def known_size(context: ParseContext, name: str, width: object, height: object) -> tuple[int, int]:
    """Width and height as the file says, or else as the image has them; zeros where neither is known."""
    said = [value for value in (width, height) if isinstance(value, int | float) and 1 <= value <= _LONGEST]
    return (int(said[0]), int(said[1])) if len(said) == 2 else context.size_of(name) or (0, 0)


def pixels_of(width: int, height: int) -> tuple[int, int]:
    """The size of an image for which an array is made; raises `FormatError` where it is unknown or too large."""
    if not width or not height:
        raise FormatError("the size of its image is not known.")
    if width * height > MOST_PIXELS:
        raise FormatError(f"its image is said to have {width} × {height} pixels.")
    return width, height
