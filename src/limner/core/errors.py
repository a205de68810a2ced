"""Every error that Limner raises on purpose.

One base class; a subclass for each thing that a caller may want to tell apart. The docstring of a
class is its default message. ``code`` is stable: it names the error in machine-readable output
(page errors, ``--json``, the API's problem answers), so it never changes once released.
Mapping an error to an HTTP status or an exit code is the job of the server and of the CLI alone.
"""

from __future__ import annotations

from typing import ClassVar


class LimnerError(Exception):
    """Limner could not do what was asked."""

    #: Stable, machine-readable name of this kind of error.
    code: ClassVar[str] = "error"

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        #: What the user can do about it, if there is something to say.
        self.hint = hint
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class UsageError(LimnerError):
    """The request does not make sense as it was put."""

    code = "usage"


class SettingsError(UsageError):
    """A setting is unknown or has a value that cannot be used."""

    code = "settings"


class UnknownNameError(UsageError):
    """Nothing of that name is registered."""

    code = "unknown-name"


class ShapeError(LimnerError):
    """A shape is not possible: too few points, no area, or numbers that are not finite."""

    code = "shape"


class FormatError(LimnerError):
    """A file is not what its format says it should be."""

    code = "format"


class SourceError(LimnerError):
    """A source could not be opened, or one of its pages could not be had."""

    code = "source"


class NotIIIFError(SourceError):
    """The document is no IIIF manifest, collection or image description."""

    code = "source.not-iiif"


class AddressRefusedError(SourceError):
    """The address is private, of an unknown scheme, or otherwise not to be fetched."""

    code = "source.address-refused"


class FetchError(SourceError):
    """The server did not give what was asked for."""

    code = "source.fetch"


class StatusError(FetchError):
    """The server answered with an error status."""

    code = "source.status"

    def __init__(self, message: str | None = None, *, status: int = 0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        #: The HTTP status: 404, 503…
        self.status = status


class BlockedByHostError(FetchError):
    """The host answered with a web page where an image was asked for: it is blocking us."""

    code = "source.blocked-by-host"


class HostDownError(FetchError):
    """The host could not be reached several times in a row, and is left alone for a while."""

    code = "source.host-down"


class TooLargeError(SourceError):
    """The input is larger than the limits in the settings allow."""

    code = "source.too-large"


class DecodeError(SourceError):
    """The bytes are no image that can be read."""

    code = "source.decode"


class SizeMismatchError(SourceError):
    """The image does not have the shape that the source announced."""

    code = "source.size-mismatch"


class ModelError(LimnerError):
    """A model could not be found, read or run."""

    code = "model"


class ModelNotFoundError(ModelError):
    """No model of that name or alias is installed."""

    code = "model.not-found"


class BundleError(ModelError):
    """A bundle is incomplete, damaged, or describes something impossible."""

    code = "model.bundle"


class CheckpointError(BundleError):
    """A checkpoint is damaged, too large, or of a kind that cannot be read."""

    code = "model.checkpoint"


class UnsafeCheckpointError(CheckpointError):
    """A checkpoint wants something to be run, and nothing in a checkpoint is run."""

    code = "model.unsafe"


class MissingExtraError(ModelError):
    """This needs something that is not installed."""

    code = "model.missing-extra"


class CancelledError(LimnerError):
    """The work was cancelled."""

    code = "cancelled"


class NotImplementedHereError(LimnerError):
    """This is possible in principle, and Limner does not do it."""

    code = "not-implemented"


class NoTokenError(LimnerError):
    """A token is needed, and there is none, or none that is valid."""

    code = "no-token"


class NotAllowedError(LimnerError):
    """The token does not allow this."""

    code = "not-allowed"


class TrainingError(LimnerError):
    """A run cannot go on."""

    code = "training"


class DatasetError(LimnerError):
    """A dataset cannot be used as it is."""

    code = "dataset"


class DatasetNotFoundError(DatasetError):
    """There is no dataset of that name and version."""

    code = "dataset.not-found"


class NotFoundError(LimnerError):
    """There is nothing of that id in this workspace."""

    code = "not-found"


class ConflictError(LimnerError):
    """It was changed by somebody else in the meantime, or is in a state that does not allow this."""

    code = "conflict"


class TooManyRequestsError(LimnerError):
    """There were too many requests in a short time."""

    code = "too-many-requests"

    def __init__(self, message: str | None = None, *, retry_after: int = 1, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        #: Seconds after which it is worth trying again.
        self.retry_after = retry_after
