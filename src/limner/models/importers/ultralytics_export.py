"""Checkpoints of ultralytics whose layers Limner does not know, exported by ultralytics itself.

Nobody gets here unasked: only ``--kind ultralytics-export`` on the command line does. The package has to be
installed by its user (AGPL-3.0), runs in a process of its own, and loads the checkpoint in its own way,
which runs what stands in it; so the classes in it are looked at first.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from limner.core.errors import BundleError, MissingExtraError
from limner.models.bundle import Bundle
from limner.models.bundle_files import write_bundle
from limner.models.importers.checkpoints import refused_names
from limner.models.importers.onnx_yolo import ONNX_YOLO
from limner.models.importers.protocol import Wishes, name_from

_KNOWN = ("ultralytics.nn", "ultralytics.utils.loss", "ultralytics.utils.tal", "torch.nn.modules")
_LONGEST_SECONDS = 900
_PROGRAM = (
    "import sys; from ultralytics import YOLO; "
    "print(YOLO(sys.argv[1]).export(format='onnx', dynamic=True, opset=17, simplify=False))"
)


class UltralyticsExport:
    """The importer called ``ultralytics-export``."""

    name = "ultralytics-export"
    title = "checkpoints that the ultralytics package (AGPL-3.0) exports, when it is asked for by name"
    #: It runs what stands in the file, so no server ever uses it.
    runs_code = True

    def accepts(self, path: Path) -> bool:
        """Never by itself."""
        del path
        return False

    def convert(self, path: Path, folder: Path, wishes: Wishes) -> Bundle:
        """Have ultralytics export the checkpoint, and take in what comes out; raises `BundleError`."""
        if find_spec("ultralytics") is None:
            raise MissingExtraError(
                "The package ultralytics is not installed.",
                hint="It is under AGPL-3.0 and no part of Limner. If you agree to that: pip install ultralytics onnx",
            )
        if odd := refused_names(path, _KNOWN):
            raise BundleError(f"{path.name} is refused: it names {odd[0][:200]}, and ultralytics would run that.")
        with tempfile.TemporaryDirectory(prefix="limner-export-") as work:
            copy = Path(work) / f"{name_from(path)}.pt"
            shutil.copyfile(path, copy)
            _run(copy, Path(work))
            exported = copy.with_suffix(".onnx")
            if not exported.is_file():
                raise BundleError(f"ultralytics has made no ONNX file of {path.name}.")
            bundle = ONNX_YOLO.convert(exported, folder, wishes)
        provenance = {"source": path.name, "converter": f"limner {self.name}"}
        return write_bundle(bundle.changed(provenance=provenance), folder)


#: The importer, for the registry.
ULTRALYTICS_EXPORT = UltralyticsExport()


def _run(checkpoint: Path, work: Path) -> None:
    """Let ultralytics export a file beside itself; raises `BundleError` with the end of what it said."""
    # It writes settings, and fetches packages that it misses unless it is told not to.
    environment = os.environ | {"YOLO_CONFIG_DIR": str(work), "YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true"}
    command = [sys.executable, "-c", _PROGRAM, str(checkpoint)]
    try:
        done = subprocess.run(  # noqa: S603  # our own program, with a file that its user has named
            command, cwd=work, env=environment, capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"ultralytics took longer than {_LONGEST_SECONDS} s to export the model.") from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise BundleError(f"ultralytics could not export the model: {last[0][:500]}")
