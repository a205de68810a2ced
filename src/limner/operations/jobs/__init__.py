"""Jobs that annotate: made from requests, worked on by a handler of the job engine, and handed out."""

from __future__ import annotations

from limner.operations.jobs.engine import make_engine

__all__ = ["make_engine"]
