"""Delivering webhooks: signed, tried again with growing pauses, each attempt written down.

A receiver checks ``X-Limner-Signature: sha256=<hex>``, the HMAC-SHA256 under the shared key of the
value of ``X-Limner-Timestamp``, a full stop, and the body as it came; `verify` does so. The time is
signed along, so that a message that was listened in on cannot be sent again much later.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from limner.annotations.annotation import Json
from limner.core.errors import AddressRefusedError, LimnerError
from limner.jobs.control import Ticker
from limner.storage import webhooks
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.webhooks import Delivery

logger = logging.getLogger(__name__)

SIGNATURE, TIMESTAMP = "X-Limner-Signature", "X-Limner-Timestamp"
EVENT, DELIVERY = "X-Limner-Event", "X-Limner-Delivery"
#: Seconds before the second attempt, the third, …; after the last of them it is given up.
PAUSES: tuple[float, ...] = (5, 30, 120, 600, 3600, 6 * 3600, 24 * 3600)


class Sender(Protocol):
    """Sends a request, guarded against addresses that it must not reach."""

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Status code of the answer to a POST; raises `LimnerError` where there is none."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file in a multipart body."""

    field: str
    file_name: str
    content_type: str
    data: bytes


def json_body(data: Mapping[str, Json]) -> tuple[bytes, str]:
    """A JSON body, and its content type."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(), "application/json"


def multipart_body(fields: Mapping[str, str], files: Sequence[Part]) -> tuple[bytes, str]:
    """A body of the type ``multipart/form-data`` (RFC 7578), and its content type."""
    boundary = f"limner-{uuid.uuid4().hex}"
    parts = [_part(boundary, f'name="{_quoted(name)}"', None, value.encode()) for name, value in fields.items()]
    for file in files:
        named = f'name="{_quoted(file.field)}"; filename="{_quoted(file.file_name)}"'
        parts.append(_part(boundary, named, file.content_type, file.data))
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def sign(key: bytes, timestamp: str, body: bytes) -> str:
    """The value of the signature's header."""
    return "sha256=" + hmac.new(key, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def verify(key: bytes, headers: Mapping[str, str], body: bytes, *, within: float = 300.0) -> bool:
    """Whether a message that came is from whoever has the key, and was sent in the last ``within`` seconds."""
    lower = {name.lower(): value for name, value in headers.items()}
    timestamp, signature = lower.get(TIMESTAMP.lower(), ""), lower.get(SIGNATURE.lower(), "")
    if not timestamp.isascii() or not timestamp.isdigit() or abs(time.time() - int(timestamp)) > within:
        return False
    return hmac.compare_digest(sign(key, timestamp, body).encode(), signature.encode())


class WebhookPump:
    """Sends what is due. Several processes may do so: each message is sent by one of them."""

    def __init__(
        self,
        database: Database,
        sender: Sender,
        *,
        key: Callable[[str], bytes],
        pauses: Sequence[float] = PAUSES,
        poll: float = 1.0,
        at_once: int = 4,
        lease: float = 120.0,
    ) -> None:
        """``key`` gives the signing key of a workspace, empty for none; a message must go within ``lease`` seconds."""
        self._db = database
        self._sender = sender
        self._key = key
        self._pauses = pauses
        self._at_once = at_once
        self._lease = timedelta(seconds=lease)
        self._ticker = Ticker("limner-webhooks", poll, self.tick)

    def start(self) -> None:
        """Begin to send."""
        self._ticker.start()

    def wake(self) -> None:
        """Look for something to send, now."""
        self._ticker.wake()

    def stop(self) -> None:
        """End; what is being sent just now is waited for."""
        self._ticker.stop()

    def tick(self) -> int:
        """Send what is due; how many messages."""
        sent = 0
        while due := webhooks.take_due(self._db, limit=self._at_once, lease=self._lease):
            with ThreadPoolExecutor(self._at_once, "limner-webhook") as threads:
                list(threads.map(self._attempt, due))
            sent += len(due)
        return sent

    def _attempt(self, delivery: Delivery) -> None:
        start = time.perf_counter()
        code, error, again = self._send(delivery)
        pause = self._pauses[delivery.attempts] if again and delivery.attempts < len(self._pauses) else None
        webhooks.note_attempt(
            self._db,
            delivery,
            status_code=code,
            error=error,
            seconds=time.perf_counter() - start,
            again_at=None if pause is None else now() + timedelta(seconds=pause),
        )
        if error:
            logger.warning("Webhook %s to %s: %s", delivery.id, _host(delivery.url), error)

    def _send(self, delivery: Delivery) -> tuple[int | None, str | None, bool]:
        """Status code, what went wrong, and whether another attempt may go better."""
        try:
            code = self._sender.send(delivery.url, self._headers(delivery), delivery.body)
        except AddressRefusedError as error:
            return None, str(error), False
        except LimnerError as error:
            return None, str(error), True
        except Exception as error:
            logger.exception("The webhook %s failed unexpectedly", delivery.id)
            return None, f"Unexpected {type(error).__name__}: {error}", True
        return (code, None, False) if 200 <= code < 300 else (code, f"The receiver answered {code}.", True)

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        timestamp = str(int(time.time()))
        headers = {"Content-Type": delivery.content_type, EVENT: delivery.event, DELIVERY: delivery.id}
        headers[TIMESTAMP] = timestamp
        if key := self._key(delivery.workspace_id):
            headers[SIGNATURE] = sign(key, timestamp, delivery.body)
        return headers


def _host(url: str) -> str:
    """The part of an address that may stand in a log: paths and queries hold secrets at times."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]


def _quoted(text: str) -> str:
    """A parameter as browsers write it: a quotation mark or a line break would end it."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _part(boundary: str, named: str, content_type: str | None, data: bytes) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {named}\r\n"
    if content_type:
        head += f"Content-Type: {content_type}\r\n"
    return head.encode() + b"\r\n" + data + b"\r\n"
