"""The page at ``/``, where the EasyOCR service and the Mask R-CNN page both greet, and how browsers are let in.

A web interface of ours that takes ``/`` over replaces `front_page`; nothing else asks for it.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

import limner
from limner.core.errors import LimnerError
from limner.server.deps import CallerDep, StateDep
from limner.server.problems import answer_to

if TYPE_CHECKING:
    from jinja2 import Environment

GREETING = "Hello! This is Limner: it finds what is on an image."


async def front_page(request: Request, state: StateDep, _: CallerDep) -> Response:
    """A page with a form for each of the two systems; JSON for those who want no page."""
    systems = [name for name in ("easyocr", "maskrcnn") if name in state.settings.compat]
    if not wants_page(request, by_default="maskrcnn" in systems):
        return JSONResponse({"message": GREETING, "version": limner.__version__})
    return render_page("front.html", systems=systems, greeting=GREETING)


def wants_page(request: Request, *, by_default: bool) -> bool:
    """Whether a client wants a page rather than JSON, by its ``Accept``; ``by_default`` where it takes anything."""
    for part in request.headers.get("accept", "").split(","):
        kind = part.partition(";")[0].strip().lower()
        if kind in ("text/html", "application/xhtml+xml"):
            return True
        if kind == "application/json":
            return False
    return by_default


def render_page(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A page of ours: its one style sheet stands in it, images may be in it as ``data:``, scripts never run."""
    style = _style()
    text = _environment().get_template(template).render(style=style, **values)
    return HTMLResponse(text, status, headers={"Content-Security-Policy": _policy(style)})


def browser_refusal(error: LimnerError) -> Response:
    """Who shows no token is refused such that a browser asks for one: as the password, with any name."""
    answer = answer_to(error)
    if answer.status_code == 401:
        answer.headers["WWW-Authenticate"] = 'Basic realm="Limner: the token is the password", charset="UTF-8"'
    return answer


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # takes a while, and many never see a page

    loader = PackageLoader("limner.server.compat", "pages")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@cache
def _style() -> str:
    return _environment().get_template("style.css").render()
