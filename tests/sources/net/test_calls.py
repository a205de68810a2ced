"""Single requests through the guard."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network

import pytest

from limner.core.errors import AddressRefusedError, FetchError, TooLargeError
from limner.sources.net.calls import GuardedCalls


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        said = f"{self.path} {self.headers['User-Agent']} {self.client_address[1]} ".encode() + body
        self.send_response(302 if self.path == "/moved" else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("X-Name", "a")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def calls() -> Iterator[GuardedCalls]:
    made = GuardedCalls([ip_network("127.0.0.0/8")], "Limner/test", setting="LIMNER_X", most=1000)
    yield made
    made.close()
    made.close()  # again does no harm


def test_requests_share_a_connection(calls: GuardedCalls, url: str) -> None:
    first, second = (calls("POST", f"{url}/a", {"X": "y"}, b"body", 30) for _ in range(2))
    assert first.status == 200
    assert first.headers["x-name"] == "a"
    path, agent, port, body = first.body.split()
    assert (path, agent, body) == (b"/a", b"Limner/test", b"body")
    assert second.body.split()[2] == port


def test_redirects_are_not_followed(calls: GuardedCalls, url: str) -> None:
    answer = calls("POST", f"{url}/moved", {}, b"", 30)
    assert (answer.status, answer.headers["location"]) == (302, "/elsewhere")


def test_answers_have_a_limit(calls: GuardedCalls, url: str) -> None:
    with pytest.raises(TooLargeError, match="1,000 bytes"):
        calls("POST", f"{url}/a", {}, bytes(2000), 30)
    assert calls("POST", f"{url}/a", {}, b"", 30).status == 200


@pytest.mark.parametrize("address", ["http://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest"])
def test_private_addresses_are_refused(calls: GuardedCalls, address: str) -> None:
    with pytest.raises(AddressRefusedError, match="LIMNER_X"):
        calls("GET", address, {}, b"", 30)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "http://user:secret@127.0.0.1/", "ftp://127.0.0.1/"])
def test_odd_addresses_are_refused(calls: GuardedCalls, address: str) -> None:
    with pytest.raises(AddressRefusedError):
        calls("GET", address, {}, b"", 30)


def test_a_closed_port_is_an_error(calls: GuardedCalls) -> None:
    with pytest.raises(FetchError, match="cannot be reached"):
        calls("GET", "http://127.0.0.1:1/", {}, b"", 30)
