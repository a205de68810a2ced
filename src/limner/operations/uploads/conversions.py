"""Uploaded models become bundles, one after the other, each in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from limner.core.errors import BundleError, LimnerError, ModelError, TooManyRequestsError
from limner.core.settings import Settings
from limner.models.bundle_files import read_bundle
from limner.models.importers.protocol import Wishes
from limner.models.store import ModelStore
from limner.operations.models import AddedModel

#: Uploads that may wait for the one that is being converted; the next is sent away, to come back later.
_MOST_WAITING = 8
#: What the process may see of our environment: where programs and temporary files are, and nothing secret.
_SEEN = ("PATH", "HOME", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "SYSTEMROOT", "PYTHONPATH", "VIRTUAL_ENV",
         "LD_LIBRARY_PATH", "TESSDATA_PREFIX", "SSL_CERT_FILE")  # fmt: skip
#: Most that the process may say, bytes.
_LONGEST_ANSWER = 1_000_000


class Conversions:
    """Takes uploaded models in, one at a time."""

    def __init__(self, settings: Settings, most_waiting: int = _MOST_WAITING) -> None:
        self._settings = settings
        self._one = asyncio.Semaphore(1)
        self._most = most_waiting + 1
        self._taken = 0

    async def add(
        self, store: ModelStore, path: Path, wishes: Wishes, *, kind: str | None = None, replace: bool = False
    ) -> AddedModel:
        """Convert a file, try the model and install it.

        Raises `BundleError` or `ModelError`, and `TooManyRequestsError` where too many uploads wait.
        """
        if self._taken >= self._most:
            raise TooManyRequestsError("Too many models wait to be converted.", retry_after=30)
        self._taken += 1
        try:
            async with self._one:
                return await self._add(store, path, wishes, kind, replace=replace)
        finally:
            self._taken -= 1

    async def _add(
        self, store: ModelStore, path: Path, wishes: Wishes, kind: str | None, *, replace: bool
    ) -> AddedModel:
        with _folder() as folder:
            said = await self._converted(_task(path, folder, wishes, kind, self._settings))
            # Its weights are checked once more, by us.
            bundle = await asyncio.to_thread(read_bundle, folder)
            return AddedModel(
                bundle=await asyncio.to_thread(store.add, bundle, replace=replace),
                importer=said["importer"],
                load_seconds=said["load_seconds"],
                page_seconds=said["page_seconds"],
            )

    async def _converted(self, task: dict[str, Any]) -> dict[str, Any]:
        """What the process says of a task; raises what went wrong in it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "limner.operations.uploads.converting",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_ANSWER,
            env={name: os.environ[name] for name in _SEEN if name in os.environ},
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._settings.conversion_seconds):
                answer = await _talk(process, task)
                code = await process.wait()
        except TimeoutError as error:
            seconds = self._settings.conversion_seconds
            raise BundleError(
                f"The conversion took longer than {seconds:g} s and was ended.", hint="See LIMNER_CONVERSION_SECONDS."
            ) from error
        finally:
            await _end(process)
        return self._read(answer, code)

    def _read(self, answer: bytes, code: int) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(answer) if code == 0 and answer else {"memory": True, "code": code}
        if "error" in said:
            raise _kind(said["error"])(said["message"], hint=said["hint"])
        if "memory" in said:
            raise BundleError(
                f"The conversion was ended: it needed more than {self._settings.conversion_memory:,} bytes of memory, "
                f"or crashed{f' ({_name(code)})' if code else ''}.",
                hint="See LIMNER_CONVERSION_MEMORY.",
            )
        return said


def _kind(code: str) -> type[LimnerError]:
    """The class of an error by its code; `BundleError` for one that takes other arguments."""
    found = [LimnerError]
    for each in found:
        found.extend(each.__subclasses__())
    return next((each for each in found if each.code == code and "__init__" not in vars(each)), BundleError)


async def _talk(process: asyncio.subprocess.Process, task: dict[str, Any]) -> bytes:
    """Hand over a task and read the answer; standard input stays open, which tells that we are there."""
    if process.stdin is None or process.stdout is None:
        raise ModelError("The process for conversions has no way to talk.")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died at once: its code tells
        process.stdin.write(json.dumps(task).encode() + b"\n")
        await process.stdin.drain()
    answer = b""
    while part := await process.stdout.read(_LONGEST_ANSWER):
        answer += part
        if len(answer) > _LONGEST_ANSWER:
            raise BundleError("The conversion says more than any model has to say.")
    return answer


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process and what it has started, if it is still there."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _task(path: Path, folder: Path, wishes: Wishes, kind: str | None, settings: Settings) -> dict[str, Any]:
    return {
        "path": str(path),
        "folder": str(folder),
        "name": wishes.name,
        "version": wishes.version,
        "labels": wishes.labels,
        "config": None if wishes.config is None else str(wishes.config),
        "kind": kind,
        "memory": settings.conversion_memory,
        "seconds": settings.conversion_seconds,
        "settings": {
            "threads": settings.threads,
            "model_networks": [str(network) for network in settings.model_networks],
            "user_agent": settings.user_agent,
        },
    }


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="limner-conversion-") as folder:
        yield Path(folder)


def _name(code: int) -> str:
    """What ended a process."""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"code {code}"
