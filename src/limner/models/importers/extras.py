"""What conversion needs beyond what serving needs."""

from __future__ import annotations

from importlib.util import find_spec

from limner.core.errors import MissingExtraError


def need_train(what: str) -> None:
    """Raise `MissingExtraError` where torch is not installed."""
    need_extra("train", ("torch", "torchvision", "onnx"), what)


def need_extra(extra: str, modules: tuple[str, ...], what: str) -> None:
    """Raise `MissingExtraError` where one of the modules of an extra is not installed."""
    if missing := [module for module in modules if find_spec(module) is None]:
        raise MissingExtraError(
            f"{what} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed.",
            hint=f"Install it with: pip install 'limner[{extra}]'. The server that serves the model does not need it.",
        )
