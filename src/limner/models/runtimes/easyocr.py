"""Text with EasyOCR, from weights in its own folder: an extra, chosen by name.

EasyOCR loads its files with Python's pickle. Ours are read as any foreign checkpoint, without running anything
in them, and only then handed to EasyOCR's networks; all else is its own code with its own defaults. A file
has to have the MD5 that EasyOCR knows for it, or the one that the bundle names for weights of somebody's own.
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cv2
import numpy as np
from pydantic import Field

from limner.annotations.annotation import Json
from limner.core.errors import BundleError, LimnerError, ModelError
from limner.models.bundle import Bundle
from limner.models.importers.extras import need_extra
from limner.models.protocol import Pixels, RuntimeOptions
from limner.models.runtimes.easyocr_files import WeightFile, found_or_fetched
from limner.models.runtimes.text_lines import LinesPredictor, parameters_of
from limner.models.tasks.ocr import Region
from limner.models.tasks.specs import Spec

if TYPE_CHECKING:
    import easyocr
    import torch

#: Channels and units of the recognisers of both generations, as in EasyOCR's ``Reader``.
_WIDTHS = {"gen1": 512, "gen2": 256}
_NETWORKS = {"gen1": "easyocr.model.model", "gen2": "easyocr.model.vgg_model"}


class Parameters(Spec):
    """``parameters`` of a bundle for this runtime."""

    languages: tuple[Annotated[str, Field(pattern=r"^[a-z_]{2,20}$")], ...] = Field(
        default=("fr", "en"), min_length=1, max_length=20, description="Languages as EasyOCR calls them."
    )
    md5: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]] = Field(
        default={}, description="MD5 of files of weights that are not EasyOCR's own, by their names."
    )


@dataclass(frozen=True, slots=True)
class Engine:
    """EasyOCR with its networks. It keeps no state between calls, so threads may share it."""

    reader: easyocr.Reader
    #: SHA-256 of the files of weights, one after the other, hexadecimal.
    sha256: str = field(default="")

    def __call__(self, pixels: Pixels) -> list[Region]:
        """The lines on an RGB image; raises `ModelError`."""
        with _errors_named(), _quiet():
            level, free = self.reader.detect(np.ascontiguousarray(pixels), reformat=False)
            grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
            found = self.reader.recognize(grey, level[0], free[0], reformat=False)
        return [
            Region(np.asarray(quad, float), float(score), text.strip()) for quad, text, score in found if text.strip()
        ]


class EasyOcrRuntime:
    """The runtime called ``easyocr``."""

    name = "easyocr"

    def load(self, bundle: Bundle, options: RuntimeOptions) -> LinesPredictor:
        """Read the weights, fetching those that are missing; raises `ModelError` where that is not possible."""
        need_extra("easyocr", ("easyocr",), f"The model {bundle.ref}")
        parameters = parameters_of(bundle, Parameters)
        engine = _engine(parameters, options)
        about: dict[str, Json] = {"program": "easyocr", "languages": [*parameters.languages]}
        return LinesPredictor(bundle, engine, sha256=engine.sha256, about=about)


#: The runtime, for the registry.
EASYOCR = EasyOcrRuntime()


def model_folder() -> Path:
    """Where EasyOCR keeps its weights: as it looks for them itself."""
    base = os.environ.get("EASYOCR_MODULE_PATH") or os.environ.get("MODULE_PATH") or "~/.EasyOCR"
    return Path(base).expanduser() / "model"


def _engine(parameters: Parameters, options: RuntimeOptions) -> Engine:
    folder = model_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _errors_named(), _quiet():
        import easyocr
        from easyocr.config import detection_models, recognition_models
        from easyocr.craft import CRAFT
        from easyocr.detection import get_textbox

        reader = _reader(easyocr, parameters.languages, folder)
        generation, about = _recogniser(recognition_models, reader.character)
        files = [_file(each, parameters) for each in (detection_models["craft"], about)]
        found, read = [found_or_fetched(file, folder, options.send) for file in files]
        # What the reader would do if it might load anything by itself.
        reader.detector = _loaded(CRAFT(), found, "EasyOCR's detector").to(reader.device)
        reader.get_textbox = get_textbox
        network, reader.converter = _recognising(generation, reader.character, parameters.languages)
        reader.recognizer = _loaded(network, read, f"EasyOCR's recogniser {about['filename']}").to(reader.device)
    return Engine(reader, _sha256(found, read))


def _reader(module: Any, languages: Sequence[str], folder: Path) -> easyocr.Reader:  # noqa: ANN401  # the package
    """EasyOCR's reader, which knows what the languages need and has loaded nothing yet."""
    places = [*sys.path]
    try:
        return module.Reader(
            [*languages],
            gpu=True,  # where there is one
            model_storage_directory=str(folder),
            user_network_directory=str(folder),
            download_enabled=False,
            detector=False,
            recognizer=False,
            verbose=False,
        )
    except ValueError as error:
        said = " ".join(str(part) for part in error.args)
        raise BundleError(f"EasyOCR cannot read {', '.join(languages)} together: {said}.") from error
    finally:
        # It wants to import networks from the folder of weights: nothing there is ever run.
        sys.path[:] = places


def _recogniser(models: Mapping[str, Mapping[str, Any]], characters: str) -> tuple[str, Mapping[str, Any]]:
    """Generation and description of the recogniser that the reader has chosen."""
    for generation, entries in models.items():
        for each in entries.values():
            if each["characters"] is characters and generation in _NETWORKS:
                return generation, each
    raise ModelError("This version of EasyOCR has recognisers that Limner does not know.", hint="Install easyocr 1.7.")


def _recognising(generation: str, characters: str, languages: Sequence[str]) -> tuple[torch.nn.Module, Any]:
    """The network without its weights, and what turns its answers into text."""
    from importlib import import_module

    from easyocr.config import BASE_PATH
    from easyocr.utils import CTCLabelConverter

    words = {language: str(Path(BASE_PATH) / "dict" / f"{language}.txt") for language in languages}
    converter = CTCLabelConverter(characters, {}, words)
    width = _WIDTHS[generation]
    network: torch.nn.Module = import_module(_NETWORKS[generation]).Model(
        input_channel=1, output_channel=width, hidden_size=width, num_class=len(converter.character)
    )
    return network, converter


def _file(about: Mapping[str, Any], parameters: Parameters) -> WeightFile:
    name = str(about["filename"])
    own = parameters.md5.get(name)
    # What is not EasyOCR's own cannot be had from where EasyOCR has its files.
    return WeightFile(name, own or str(about["md5sum"]), None if own else str(about["url"]))


def _loaded(network: torch.nn.Module, path: Path, what: str) -> torch.nn.Module:
    """A network with the weights of a file, which is read without running anything in it."""
    from limner.models.importers.checkpoints import read_checkpoint, state_dict
    from limner.models.importers.exporting import load_strictly

    weights = {name.removeprefix("module."): each for name, each in state_dict(read_checkpoint(path)).items()}
    load_strictly(network, weights, what)
    return network.eval()


def _sha256(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()


@contextmanager
def _errors_named() -> Iterator[None]:
    """EasyOCR's errors, which are of many kinds, as `ModelError`."""
    try:
        yield
    except LimnerError:
        raise
    except Exception as error:
        raise ModelError(f"EasyOCR could not do its work: {str(error) or type(error).__name__}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of EasyOCR's own dependencies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
