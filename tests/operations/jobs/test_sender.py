import socket
from collections.abc import Iterator

import pytest

from limner.core.errors import AddressRefusedError, FetchError
from limner.core.settings import Settings
from limner.operations.jobs.sender import GuardedSender
from tests.operations.jobs.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def sender() -> GuardedSender:
    return GuardedSender(Settings(source_networks="127.0.0.0/8"))


def test_a_body_arrives_as_it_is_with_its_headers(sender: GuardedSender, receiver: Receiver) -> None:
    receiver.statuses = [202]
    assert sender.send(receiver.url, {"X-Limner-Event": "job.finished"}, b"{}\n") == 202
    (message,) = receiver.messages
    assert (message.path, message.body) == ("/hook", b"{}\n")
    assert message.headers["X-Limner-Event"] == "job.finished"
    assert message.headers["User-Agent"].startswith("Limner/")


def test_a_redirect_is_not_followed(sender: GuardedSender, receiver: Receiver) -> None:
    receiver.statuses = [307]
    assert sender.send(receiver.url, {}, b"") == 307
    assert len(receiver.messages) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://localhost:1/", "http://[::1]:1/", "http://2130706433/"])
def test_private_addresses_are_refused(url: str) -> None:
    with pytest.raises(AddressRefusedError):
        GuardedSender(Settings()).send(url, {}, b"")


def test_nobody_there_is_an_error_that_says_who(sender: GuardedSender, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FetchError, match=r"127\.0\.0\.1 cannot be reached"):
        sender.send("http://127.0.0.1:1/hook", {}, b"")
    monkeypatch.setattr("limner.operations.jobs.sender._PATIENCE", 0.2)

    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(FetchError, match=r"did not answer within 0\.2"),
    ):
        sender.send(f"http://127.0.0.1:{silent.getsockname()[1]}/", {}, b"")
