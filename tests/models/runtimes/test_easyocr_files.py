"""EasyOCR's files of weights, in a folder and from a server on loopback."""

import hashlib
import io
import socket
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from limner.core.errors import ModelError
from limner.core.settings import Settings
from limner.models.protocol import Sender
from limner.models.runtimes.easyocr_files import WeightFile, found_or_fetched
from limner.operations.services import model_calls

WEIGHTS = b"numbers" * 1000
MD5 = hashlib.md5(WEIGHTS).hexdigest()


def zipped(name: str = "latin.pth", data: bytes = WEIGHTS) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return out.getvalue()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answers = {
            "/good.zip": (200, zipped()),
            "/other.zip": (200, zipped("../latin.pth")),
            "/wrong.zip": (200, zipped(data=b"x")),
            "/none.zip": (200, b"<html>"),
            "/gone.zip": (404, b""),
        }
        if self.path in ("/moved.zip", "/round.zip", "/inside.zip"):
            target = {"/moved.zip": "/good.zip", "/round.zip": "/round.zip", "/inside.zip": "http://10.1.2.3/x.zip"}
            self.send_response(302)
            self.send_header("Location", target[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        status, body = answers[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_address[1]}"
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def send(tmp_path: Path) -> Iterator[Sender]:
    calls = model_calls(Settings(data=tmp_path, model_networks="127.0.0.0/8"))
    yield calls
    calls.close()


@pytest.mark.parametrize("name", ["latin.pth", f"{MD5}.pth"])
def test_a_file_is_found_by_its_name_or_its_md5(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WEIGHTS)
    assert found_or_fetched(WeightFile("latin.pth", MD5, None), tmp_path, None) == tmp_path / name


@pytest.mark.parametrize("path", ["/good.zip", "/moved.zip"])
def test_a_missing_file_is_fetched_once(tmp_path: Path, server: str, send: Sender, path: str) -> None:
    found = found_or_fetched(WeightFile("latin.pth", MD5, server + path), tmp_path, send)
    assert found.read_bytes() == WEIGHTS
    assert found_or_fetched(WeightFile("latin.pth", MD5, server + "/gone.zip"), tmp_path, send) == found
    assert sorted(each.name for each in tmp_path.iterdir() if not each.name.startswith(".")) == ["latin.pth"]


def test_a_damaged_file_is_fetched_anew(tmp_path: Path, server: str, send: Sender) -> None:
    (tmp_path / "latin.pth").write_bytes(b"half")
    assert found_or_fetched(WeightFile("latin.pth", MD5, f"{server}/good.zip"), tmp_path, send).read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/gone.zip", "status 404"),
        ("/none.zip", "no zip file"),
        ("/other.zip", "no zip file with latin.pth"),
        ("/wrong.zip", "another MD5"),
        ("/round.zip", "from one address to the next"),
        ("/inside.zip", "not on the public internet"),
    ],
)
def test_what_comes_is_checked(tmp_path: Path, server: str, send: Sender, path: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        found_or_fetched(WeightFile("latin.pth", MD5, server + path), tmp_path, send)
    assert not (tmp_path / "latin.pth").exists()


def test_without_a_network_it_says_what_to_do(tmp_path: Path, send: Sender) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/x.zip"
        with pytest.raises(ModelError, match=r"could not be fetched: .*Without one, unpack http"):
            found_or_fetched(WeightFile("latin.pth", MD5, url), tmp_path, send)
    with pytest.raises(ModelError, match="Put the file there"):
        found_or_fetched(WeightFile("latin.pth", MD5, None), tmp_path, send)


def test_weights_of_ones_own_have_to_be_those(tmp_path: Path) -> None:
    (tmp_path / "latin.pth").write_bytes(b"others")
    with pytest.raises(ModelError, match=f"not the file with the MD5 {MD5}"):
        found_or_fetched(WeightFile("latin.pth", MD5, None), tmp_path, None)
