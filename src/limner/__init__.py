"""Annotate images with vision models, correct what they found, learn from the corrections."""

__version__ = "0.1.0"
# What `limner.Client` is, type checkers read in ``__init__.pyi``: an import here would make everything depend on it.
__all__ = ["AsyncClient", "Client", "__version__"]


def __getattr__(name: str) -> object:
    """The clients, imported when they are first asked for: importing Limner itself stays quick."""
    if name not in {"AsyncClient", "Client"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module("limner.client"), name)
