"""Bundles and what other programs run, written into folders of their own."""

from __future__ import annotations

import importlib.metadata
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from limner.core.errors import LimnerError, ModelError, UsageError
from limner.models.bundle import Bundle, render_bundle
from limner.models.bundle_files import MANIFEST, copy_bundle, read_bundle
from limner.models.importers.extras import need_extra

_README = """# {ref} for OpenVINO

`model.xml` and `model.bin` are the network, converted with OpenVINO {version} from the ONNX file with the SHA-256
`{sha256}`. `{manifest}` says how an image becomes its input (`input`) and how its outputs are read (`decoder`);
Limner's reference describes both under "The bundle format".

    import openvino
    network = openvino.compile_model("model.xml", "CPU")
    outputs = network({{"{input}": tensor}})

OpenVINO Model Server serves the folder; a Limner bundle with the runtime `remote` then uses it.
"""


def exportable(bundle: Bundle) -> Bundle:
    """The bundle, its weights checked; raises `UsageError` where it has no network in ONNX."""
    if bundle.folder is None or bundle.runtime != "onnx" or bundle.weights is None or bundle.input is None:
        raise UsageError(f"The model {bundle.ref} is run by {bundle.runtime} and has no network to export.")
    return read_bundle(bundle.folder)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder that was not there or is empty; it is removed again when something goes wrong."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already and not empty.", hint="Name another with --output.")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def export_bundle(bundle: Bundle, folder: Path) -> Bundle:
    """Copy a bundle: ``model.onnx``, its description, its licence."""
    source = exportable(bundle)
    with new_folder(folder) as target:
        return copy_bundle(source, target)


def export_openvino(bundle: Bundle, folder: Path) -> Path:
    """Write OpenVINO's files of a network, and how it is fed and read; returns ``model.xml``."""
    need_extra("openvino", ("openvino",), "The export for OpenVINO")
    source = exportable(bundle)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own parts
        import openvino
    with new_folder(folder) as target:
        try:
            network = openvino.convert_model(source.weights_path)
            openvino.save_model(network, target / "model.xml", compress_to_fp16=False)
        except LimnerError:
            raise
        except Exception as error:
            raise ModelError(f"OpenVINO cannot convert {bundle.ref}: {str(error).strip().splitlines()[0]}") from error
        (target / MANIFEST).write_text(render_bundle(bundle), encoding="utf-8")
        (target / "README.md").write_text(_readme(bundle), encoding="utf-8")
        licence = source.weights_path.with_name("LICENSE")
        if licence.is_file():
            shutil.copyfile(licence, target / licence.name)
    return folder / "model.xml"


def _readme(bundle: Bundle) -> str:
    return _README.format(
        ref=bundle.ref,
        version=importlib.metadata.version("openvino"),
        sha256=bundle.sha256,
        manifest=MANIFEST,
        input=bundle.input.name if bundle.input else "",
    )
