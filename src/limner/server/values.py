"""Values in requests, as named types: text that a database takes, ids, cursors."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, Field

from limner.core.errors import NotFoundError, UsageError

_ID = re.compile(r"[0-9a-f]{32}")
#: A character that PostgreSQL does not keep, and half characters, which are none.
_UNKEPT = re.compile("[\0\ud800-\udfff]")


def _plain(text: str) -> str:
    if _UNKEPT.search(text):
        raise ValueError("it holds a character that cannot be kept")
    return text


def _known(identity: str) -> str:
    # What cannot be an id is as unknown as any other.
    if not _ID.fullmatch(identity):
        raise NotFoundError
    return identity


#: Text without characters that cannot be kept.
Text = Annotated[str, AfterValidator(_plain)]
#: Text of a length that people write.
ShortText = Annotated[Text, Field(max_length=500)]
#: An id in a path.
PathId = Annotated[str, Path(description="Id.", json_schema_extra={"example": "0" * 32}), AfterValidator(_known)]
#: The position of a page in a path.
PageIndex = Annotated[int, Path(ge=0, le=1_000_000, description="Position of the page, from 0.")]


def id_cursor(cursor: str | None) -> str | None:
    """A cursor that is an id; raises `UsageError`."""
    if cursor is not None and not _ID.fullmatch(cursor):
        raise UsageError("This cursor is none that an answer had as `next`.")
    return cursor


def number_cursor(cursor: str | None) -> int:
    """A cursor that is a position, -1 for none; raises `UsageError`."""
    if cursor is None:
        return -1
    if not re.fullmatch(r"[0-9]{1,9}", cursor):
        raise UsageError("This cursor is none that an answer had as `next`.")
    return int(cursor)
