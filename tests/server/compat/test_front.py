"""The page at ``/``."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from tests.server.compat.listening import Listening, listening


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("application/json, text/html", "application/json"),
        ("*/*", "text/html; charset=utf-8"),
    ],
)
def test_everybody_gets_what_they_read(server: Listening, accept: str, kind: str) -> None:
    assert server.client().get("/", headers={"Accept": accept}).headers["Content-Type"] == kind


def test_the_policy_lets_in_the_style_of_the_page_and_no_other(server: Listening) -> None:
    answer = server.client().get("/")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert " style=" not in answer.text
    assert "<script" not in answer.text


def test_who_wants_the_ocr_service_alone_is_greeted_by_it(tmp_path: Path) -> None:
    with listening(tmp_path, [], {}, compat="easyocr") as running:
        assert "Hello" in running.client().get("/").json()["message"]
        shown = running.client().get("/", headers={"Accept": "text/html"}).text
        assert 'action="/extract"' in shown
        assert "/segment" not in shown
        assert running.client().post("/segment").status_code == 404


def test_switched_off_there_is_nothing(tmp_path: Path) -> None:
    with listening(tmp_path, [], {}, compat="") as running:
        paths = ("/", "/extract", "/segment", "/health", "/api/detect-area-all", "/versions")
        assert {running.client().get(path).status_code for path in paths} == {404}
