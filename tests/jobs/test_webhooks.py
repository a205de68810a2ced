import email
import email.policy
import json
import threading
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import AddressRefusedError, FetchError
from limner.jobs.webhooks import (
    DELIVERY,
    EVENT,
    SIGNATURE,
    TIMESTAMP,
    Part,
    WebhookPump,
    json_body,
    multipart_body,
    sign,
    verify,
)
from limner.storage.database import Database
from limner.storage.webhooks import Deliveries

KEY = b"shared"


class Receiver:
    """A web server on loopback that answers as told, and keeps what came."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.came: list[tuple[str, dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.came.append((self.path, dict(self.headers), body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class PlainSender:
    """Sends without any guard: it reaches loopback addresses, which the real one refuses."""

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        parts = urlsplit(url)
        if parts.hostname != "127.0.0.1":
            raise AddressRefusedError
        connection = HTTPConnection("127.0.0.1", parts.port, timeout=30)
        try:
            connection.request("POST", parts.path, body, dict(headers))
            return connection.getresponse().status
        except OSError as error:
            raise FetchError(f"The receiver cannot be reached: {error}.") from error
        finally:
            connection.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def deliveries(database: Database, home: str) -> Deliveries:
    return Deliveries(database, home)


def _pump(database: Database, *pauses: float, key: bytes = KEY) -> WebhookPump:
    return WebhookPump(database, PlainSender(), key=lambda _: key, pauses=pauses, poll=0.02)


def _until(deliveries: Deliveries, delivery_id: str, status: str) -> None:
    deadline = time.monotonic() + 60
    while deliveries.get(delivery_id).status != status:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_receiver_that_fails_twice_gets_it_the_third_time(
    database: Database, deliveries: Deliveries, receiver: Receiver
) -> None:
    receiver.answers = [503, 500]
    body, content_type = json_body({"event": "job.finished", "id": "1"})
    delivery = deliveries.add("job.finished", f"{receiver.url}/hook", body, content_type=content_type)
    pump = _pump(database, 0.05, 0.05, 0.05)
    pump.start()
    _until(deliveries, delivery.id, "delivered")
    pump.stop()
    assert [(path, came) for path, _, came in receiver.came] == [("/hook", body)] * 3
    for _, headers, came in receiver.came:
        assert verify(KEY, headers, came)
        assert (headers[EVENT], headers[DELIVERY]) == ("job.finished", delivery.id)
        assert headers["Content-Type"] == "application/json"
    attempts = deliveries.attempts(delivery.id)
    assert [one.status_code for one in attempts] == [503, 500, 200]
    assert [one.error for one in attempts] == ["The receiver answered 503.", "The receiver answered 500.", None]


def test_after_the_last_attempt_it_is_given_up_and_can_be_replayed(
    database: Database, deliveries: Deliveries, receiver: Receiver
) -> None:
    receiver.answers = [500] * 3
    delivery = deliveries.add("e", receiver.url, b"x", content_type="text/plain")
    pump = _pump(database, 0, 0)
    assert pump.tick() == 3
    assert deliveries.get(delivery.id).status == "failed"
    assert pump.tick() == 0
    deliveries.replay(delivery.id)
    assert pump.tick() == 1
    assert deliveries.get(delivery.id).status == "delivered"
    assert len(receiver.came) == 4


def test_it_waits_before_it_tries_again(database: Database, deliveries: Deliveries, receiver: Receiver) -> None:
    receiver.answers = [500]
    delivery = deliveries.add("e", receiver.url, b"x", content_type="text/plain")
    pump = _pump(database, 3600)
    assert pump.tick() == 1
    assert pump.tick() == 0
    waiting = deliveries.get(delivery.id)
    assert waiting.status == "pending"
    assert 3500 < (waiting.next_at - waiting.created_at).total_seconds() < 3700


def test_an_address_that_is_refused_is_not_tried_again(database: Database, deliveries: Deliveries) -> None:
    delivery = deliveries.add("e", "http://10.0.0.1/hook", b"x", content_type="text/plain")
    assert _pump(database, 0, 0, 0).tick() == 1
    assert deliveries.get(delivery.id).status == "failed"
    (attempt,) = deliveries.attempts(delivery.id)
    assert "address is private" in attempt.error


def test_one_that_cannot_be_reached_does_not_keep_the_others(
    database: Database, deliveries: Deliveries, receiver: Receiver
) -> None:
    closed = Receiver()
    closed.close()
    lost = deliveries.add("e", closed.url, b"x", content_type="text/plain")
    sent = [deliveries.add("e", receiver.url, b"x", content_type="text/plain") for _ in range(6)]
    _pump(database, 3600).tick()
    assert {deliveries.get(one.id).status for one in sent} == {"delivered"}
    assert "cannot be reached" in deliveries.attempts(lost.id)[0].error


def test_a_fault_of_the_sender_is_written_down(database: Database, deliveries: Deliveries) -> None:
    class Broken:
        def send(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
            raise KeyError("oops")

    delivery = deliveries.add("e", "http://127.0.0.1:1", b"x", content_type="text/plain")
    WebhookPump(database, Broken(), key=lambda _: b"", pauses=()).tick()
    assert deliveries.get(delivery.id).status == "failed"
    assert deliveries.attempts(delivery.id)[0].error == "Unexpected KeyError: 'oops'"


def test_without_a_key_nothing_is_signed(database: Database, deliveries: Deliveries, receiver: Receiver) -> None:
    deliveries.add("e", receiver.url, b"x", content_type="text/plain")
    _pump(database, key=b"").tick()
    (_, headers, _) = receiver.came[0]
    assert SIGNATURE not in headers


def test_the_logs_hold_no_more_than_the_host(
    database: Database, deliveries: Deliveries, caplog: pytest.LogCaptureFixture
) -> None:
    deliveries.add("e", "http://me:secret@10.0.0.1/hook?token=hidden", b"x", content_type="text/plain")
    _pump(database).tick()
    assert "10.0.0.1" in caplog.text
    assert "secret" not in caplog.text
    assert "hidden" not in caplog.text


@given(st.binary(max_size=50), st.binary(min_size=1, max_size=20))
def test_only_the_same_body_key_and_time_are_verified(body: bytes, key: bytes) -> None:
    at = str(int(time.time()))
    headers = {TIMESTAMP.lower(): at, SIGNATURE: sign(key, at, body)}
    assert verify(key, headers, body)
    assert not verify(key, headers, body + b"x")
    assert not verify(key + b"x", headers, body)
    assert not verify(key, {**headers, TIMESTAMP.lower(): str(int(at) - 1)}, body)
    old = str(int(at) - 1000)
    assert not verify(key, {TIMESTAMP: old, SIGNATURE: sign(key, old, body)}, body)


@pytest.mark.parametrize("headers", [{}, {TIMESTAMP: "soon", SIGNATURE: "é"}, {TIMESTAMP: "²", SIGNATURE: "x"}])
def test_nonsense_is_not_verified(headers: dict[str, str]) -> None:
    assert not verify(KEY, headers, b"")


def test_a_signature_as_documented() -> None:
    """``printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key`` says the same."""
    expected = "sha256=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03"
    assert sign(b"key", "1700000000", b'{"a":1}') == expected


def test_a_multipart_body_is_what_the_client_of_the_extractor_reads(
    database: Database, deliveries: Deliveries, receiver: Receiver
) -> None:
    text = b"1 p_0001.jpg\n514 907 1700 1685\n"
    body, content_type = multipart_body(
        {"model": "yolo_11_2026"}, [Part("annotation_file", 'a"b\r\n.txt', "text/plain", text)]
    )
    deliveries.add("job.finished", f"{receiver.url}/annotate/ms22", body, content_type=content_type)
    _pump(database).tick()
    (path, headers, came) = receiver.came[0]
    assert path == "/annotate/ms22"
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + came, policy=email.policy.HTTP)
    model, file = message.iter_parts()
    assert model.get_param("name", header="content-disposition") == "model"
    assert model.get_payload(decode=True) == b"yolo_11_2026"
    assert file.get_param("name", header="content-disposition") == "annotation_file"
    assert file.get_filename() == "a%22b%0D%0A.txt"
    assert file.get_content_type() == "text/plain"
    assert file.get_payload(decode=True) == text


def test_a_json_body() -> None:
    body, content_type = json_body({"título": "é"})
    assert (json.loads(body), content_type) == ({"título": "é"}, "application/json")
