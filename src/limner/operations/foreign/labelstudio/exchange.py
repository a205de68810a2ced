"""What goes to and comes from Label Studio itself, all of it through the guard: images, and late predictions."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

from limner.annotations.annotation import Json
from limner.core.errors import AddressRefusedError, LimnerError, SourceError
from limner.core.settings import Settings
from limner.jobs.webhooks import Sender
from limner.operations.candidates import ImageInput
from limner.operations.foreign.labelstudio.projects import Project
from limner.operations.foreign.labelstudio.results import Prediction
from limner.sources.net.downloader import Downloader
from limner.sources.net.request import Kind
from limner.sources.urls import is_address

logger = logging.getLogger(__name__)

#: Seconds before a prediction is sent again that did not get through.
PAUSES: Sequence[float] = (2, 10, 60)
_BUSY = frozenset({408, 425, 429})


@asynccontextmanager
async def image_of(text: str, project: Project, downloader: Downloader) -> AsyncGenerator[ImageInput, None]:
    """The image that a task names: a ``data:`` URL, an address, or a path on the project's Label Studio.

    Raises `SourceError`. Only what lies on that Label Studio is asked for with its token.
    """
    if text[:5].lower() == "data:":
        yield ImageInput(text)
        return
    url = _address(text, project)
    shown = project.authorization if _lies_on(url, project) else ""
    download = await downloader.fetch(url, Kind.FULL_IMAGE, authorization=shown)
    with download.path.open("rb") as file:
        yield ImageInput(file, unquote(urlsplit(url).path).rpartition("/")[2])


def _address(text: str, project: Project) -> str:
    if is_address(text):
        return text
    if "://" in text[:20]:
        raise SourceError(
            f"{text[:80]!r} is no address that is fetched.",
            hint="Let Label Studio make presigned URLs (http or https).",
        )
    if not project.hostname:
        raise SourceError(
            f"{text[:80]!r} is a path on a Label Studio that has not said where it is.",
            hint="Save its model connection again.",
        )
    return f"{project.hostname}/{text.lstrip('/')}"


def _lies_on(url: str, project: Project) -> bool:
    """Whether an address is on the project's Label Studio; raises `AddressRefusedError` for one that can be none."""
    from limner.sources.net.guard import check_url, origin  # loads httpx, which takes a while

    return bool(project.hostname) and origin(check_url(url)) == origin(check_url(project.hostname))


class LateSender:
    """Sends predictions to Label Studio's API, tried again with growing pauses."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def send(self, project: Project, task: int | str, prediction: Prediction) -> None:
        """Put a prediction for a task into the project; what does not get through is told in the log."""
        from limner.operations.jobs.sender import GuardedSender  # loads httpx, which takes a while

        body: dict[str, Json] = {"task": task, "model_version": prediction.model_version}
        body |= {"score": prediction.score, "result": prediction.result}
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "Authorization": project.authorization}
        sender, url = GuardedSender(self._settings), f"{project.hostname}/api/predictions/"
        said: str | None = None
        for pause in (0.0, *PAUSES):
            await asyncio.sleep(pause)
            said, again = await asyncio.to_thread(_attempt, sender, url, headers, data)
            if said is None:
                return
            if not again:
                break
        logger.warning("The prediction for task %s of project %s did not get through: %s", task, project.id, said)


def _attempt(sender: Sender, url: str, headers: dict[str, str], body: bytes) -> tuple[str | None, bool]:
    """What went wrong, None for nothing, and whether another attempt may go better."""
    try:
        status = sender.send(url, headers, body)
    except AddressRefusedError as error:
        return str(error), False
    except LimnerError as error:
        return str(error), True
    if 200 <= status < 300:
        return None, False
    return f"it answered {status}", status >= 500 or status in _BUSY
