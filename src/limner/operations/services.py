"""What operations work with: settings, the network, installed and loaded models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from types import TracebackType
from typing import Self

from limner.core.settings import Settings
from limner.models.bundle import Bundle
from limner.models.pool import ModelPool
from limner.models.runtimes.onnx import cores
from limner.models.store import ModelStore
from limner.operations.inference import InferenceThreads, threads_for
from limner.operations.library import Libraries
from limner.operations.tracking.tracker import Tracker, make_tracker
from limner.sources.net.calls import GuardedCalls
from limner.sources.net.downloader import Downloader, FreshDownloader
from limner.sources.protocol import SourceContext

#: Requests that may wait at one time for models to be loaded; those beyond wait for a thread first.
_MOST_LENDING = 64


def _unobserved(_model: str, _seconds: Mapping[str, float]) -> None:
    """Nobody wants to know."""


def model_calls(settings: Settings) -> GuardedCalls:
    """The way to servers that run models; close it when done."""
    return GuardedCalls(settings.model_networks, settings.user_agent, setting="LIMNER_MODEL_NETWORKS")


class Services:
    """One of each for a process, made when first needed and closed together."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        #: Told the model and the seconds in each stage of every page that is done.
        self.observer: Callable[[str, Mapping[str, float]], None] = _unobserved

    @cached_property
    def store(self) -> ModelStore:
        """The installed models."""
        return ModelStore(self.settings.models_dir)

    @cached_property
    def pool(self) -> ModelPool:
        """The loaded models."""
        return ModelPool(self.store, self.settings, send=self.model_calls)

    @cached_property
    def model_calls(self) -> GuardedCalls:
        """The way to servers that run models."""
        return model_calls(self.settings)

    @cached_property
    def libraries(self) -> Libraries:
        """The models that each workspace sees."""
        return Libraries(self.settings.data, self.store, self.pool)

    @cached_property
    def inference(self) -> InferenceThreads:
        """The threads for those who wait for an answer."""
        return InferenceThreads(threads_for(cores(), self.settings.threads))

    @cached_property
    def lending(self) -> ThreadPoolExecutor:
        """The threads that wait for models that are being loaded: many may, and nothing else is to wait with them."""
        return ThreadPoolExecutor(_MOST_LENDING, "lending")

    @cached_property
    def downloader(self) -> Downloader:
        """The way to the network."""
        return Downloader(self.settings)

    @cached_property
    def tracker(self) -> Tracker | None:
        """What notes timings for MLflow; None where nothing is tracked. Raises `SettingsError`."""
        return make_tracker(self.settings)

    @property
    def sources(self) -> SourceContext:
        """What sources may use."""
        return SourceContext(self.settings, self.downloader)

    @cached_property
    def fresh_sources(self) -> SourceContext:
        """The same, but nothing comes from the cache of downloads."""
        return SourceContext(self.settings, FreshDownloader(self.downloader))

    def prepare(self) -> None:
        """Make all of it now: later, two threads that come together might make two of something."""
        for name in ("libraries", "inference", "lending", "downloader", "tracker"):
            getattr(self, name)

    def observe(self, bundle: Bundle, seconds: Mapping[str, float]) -> None:
        """Note how long a page took in each stage; the names of a workspace's own models go no further."""
        shared = bundle.folder is None or bundle.folder.is_relative_to(self.settings.models_dir)
        self.observer(bundle.ref if shared else "of a workspace", seconds)

    def answered(self, bundle: Bundle, seconds: Mapping[str, float], experiment: str | None = None) -> None:
        """Note how long an image took whose annotations somebody waited for.

        ``experiment``: the one of MLflow that an interface keeps its timings in, where it has its own.
        """
        self.observe(bundle, seconds)
        if self.tracker is not None:
            self.tracker.inference(bundle, seconds, experiment)

    def close(self) -> None:
        """Give everything back."""
        if (lending := self.__dict__.pop("lending", None)) is not None:
            lending.shutdown(wait=False, cancel_futures=True)
        for name in ("inference", "pool", "model_calls", "downloader", "tracker"):
            if (made := self.__dict__.pop(name, None)) is not None:
                made.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
