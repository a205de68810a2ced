"""The process that converts one uploaded model: ``python -m limner.operations.uploads.converting``.

It reads its task from standard input and says on standard output what came of it. What it loads (torch, a
hostile file) never comes into the server; when it takes too much memory or time, only it dies. It also ends
when the server does: standard input then ends.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

from limner.core.errors import LimnerError, UsageError
from limner.core.settings import Settings
from limner.models.bundle import render_bundle
from limner.models.bundle_files import MANIFEST, write_text
from limner.models.importers.protocol import IMPORTERS, Wishes
from limner.operations.models import prepare_model
from limner.operations.services import model_calls


def limit(memory: int, seconds: float) -> None:
    """Let the system end this process when it takes more than that."""
    if sys.platform == "win32":
        return
    import resource

    # Data, not address space: libraries reserve far more of that than they ever use.
    _lower(resource.RLIMIT_DATA, memory)
    _lower(resource.RLIMIT_CPU, max(1, round(seconds * (os.cpu_count() or 1))))
    _lower(resource.RLIMIT_CORE, 0)


def _lower(which: int, value: int) -> None:
    import resource

    _, most = resource.getrlimit(which)
    wanted = value if most == resource.RLIM_INFINITY else min(value, most)
    resource.setrlimit(which, (wanted, wanted))


def convert(task: dict[str, Any]) -> dict[str, Any]:
    """Do what a task says; the answer says what came of it, or what was wrong."""
    settings = Settings(data=Path(task["folder"]), **task["settings"])
    labels = task["labels"]
    wishes = Wishes(task["name"], task["version"], None if labels is None else tuple(labels), task["config"])
    try:
        _refuse_running(task["kind"])
        with closing(model_calls(settings)) as calls:
            made = prepare_model(
                Path(task["path"]),
                Path(task["folder"]),
                wishes,
                kind=task["kind"],
                threads=settings.threads,
                send=calls,
            )
    except LimnerError as error:
        return {"error": error.code, "message": error.message, "hint": error.hint}
    except MemoryError:
        return {"memory": True}
    # With what people wished, and how long a page took.
    write_text(Path(task["folder"]) / MANIFEST, render_bundle(made.bundle))
    return {
        "importer": made.importer,
        "load_seconds": made.load_seconds,
        "page_seconds": made.page_seconds,
    }


def _refuse_running(kind: str | None) -> None:
    """Raise `UsageError` for an importer that runs what stands in a file: that is for people's own machines."""
    if kind is not None and getattr(IMPORTERS.get(kind), "runs_code", False):
        raise UsageError(
            f"The importer {kind} runs what stands in a file, so a server does not use it.",
            hint="Convert it at home with `limner models add`, and upload what `limner models export --onnx` writes.",
        )


@contextmanager
def _apart() -> Iterator[TextIO]:
    """Standard output for the answer alone; what libraries print goes to standard error."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answer:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        with redirect_stdout(sys.stderr):
            yield answer


def _end_with_the_server() -> None:
    """Wait for the end of standard input, which is open as long as the server lives."""
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Do one task."""
    task = json.loads(sys.stdin.readline())
    limit(int(task["memory"]), float(task["seconds"]))
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    with _apart() as answer:
        json.dump(convert(task), answer)


if __name__ == "__main__":
    main()
    # Libraries that are half unloaded have been seen to crash at the end; all is said by now.
    sys.stderr.flush()
    os._exit(0)
