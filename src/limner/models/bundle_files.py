"""Bundles as folders and as zip files.

Nothing in a bundle is trusted: only files with known names are looked at, none is larger than its
limit, links are refused, and the weights must be the ones that ``bundle.json`` names by their hash.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO

from limner.core.errors import BundleError
from limner.models.bundle import Bundle, Weights, parse_bundle, render_bundle
from limner.models.onnx_file import read_onnx
from limner.models.pickles.archive import contents_size, map_file

#: The description of the model.
MANIFEST = "bundle.json"
#: What else may lie in a bundle, and how large it may be, bytes.
_TEXTS = {MANIFEST: 1_000_000, "README.md": 1_000_000, "LICENSE": 1_000_000}
#: A protocol buffer cannot be larger than 2 GiB.
_WEIGHTS = {"model.onnx": 1 << 31, "model.safetensors": 1 << 33}
#: The weights as training goes on from them; what serves never opens it.
TRAINING = "training.safetensors"
_LIMITS = _TEXTS | _WEIGHTS | {TRAINING: 1 << 33}
_MOST_ENTRIES = 64
#: Bytes of the list of files in an archive; checkpoints are archives too, with longer ones.
_LONGEST_LIST = 1 << 20
_CHUNK = 1 << 20


def is_bundle(path: Path) -> bool:
    """Whether a folder or zip file looks like a bundle."""
    if path.is_dir():
        return (path / MANIFEST).is_file()
    if not path.is_file() or not zipfile.is_zipfile(path) or (contents_size(map_file(path)) or 0) > _LONGEST_LIST:
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(PurePosixPath(name).name == MANIFEST for name in archive.namelist()[:_MOST_ENTRIES])
    except (zipfile.BadZipFile, NotImplementedError):
        return False


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_bundle(folder: Path, *, verify: bool = True) -> Bundle:
    """The bundle in a folder; raises `BundleError`.

    With ``verify`` the weights are read as well: their hash has to be the one in ``bundle.json``,
    and an ONNX file must not reach outside itself.
    """
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        _check_file(path)
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise BundleError(f"There is no {MANIFEST} in {folder}.")
    bundle = parse_bundle(manifest.read_bytes()).at(folder)
    if bundle.weights is not None:
        _check_weights(bundle, bundle.weights, verify=verify)
    elif bundle.runtime == "onnx":
        raise BundleError(f"{MANIFEST} of the model {bundle.ref} names no weights, and the runtime onnx needs some.")
    return bundle


def unpack_bundle(archive: Path, folder: Path) -> Bundle:
    """Unpack a zip file into an empty folder and read the bundle; raises `BundleError`."""
    try:
        with zipfile.ZipFile(archive) as opened:
            for name, entry in _entries(opened, archive.name):
                with opened.open(entry) as source, (folder / name).open("xb") as target:
                    _copy_limited(source, target, name)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        # zipfile raises RuntimeError for encrypted entries and NotImplementedError for odd compression.
        raise BundleError(f"{archive.name} cannot be unpacked: {error}.") from error
    return read_bundle(folder)


def write_bundle(bundle: Bundle, folder: Path, weights: Path | None = None) -> Bundle:
    """Write a bundle into a folder and return it as it was written; raises `BundleError`.

    ``weights`` is copied there; None takes the file that lies there already, if there is one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if weights is not None:
        target = folder / f"model{weights.suffix.lower()}"
        if not (target.exists() and target.samefile(weights)):
            shutil.copyfile(weights, target)
    found = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
    if found is not None:
        bundle = bundle.changed(weights=Weights(file=found.name, sha256=file_sha256(found), size=found.stat().st_size))
    write_text(folder / MANIFEST, render_bundle(bundle))
    return read_bundle(folder, verify=False)


def pack_bundle(bundle: Bundle, archive: Path) -> Path:
    """Write a bundle that lies in a folder as a zip file: the same bytes for the same bundle."""
    if bundle.folder is None:
        raise BundleError(f"The model {bundle.ref} ships with its runtime and has no files to pack.")
    partial = archive.with_name(archive.name + ".partial")
    with zipfile.ZipFile(partial, "w") as opened:
        for name in sorted(set(_LIMITS) & {path.name for path in bundle.folder.iterdir()}):
            entry = zipfile.ZipInfo(name)  # dated 1980, whatever the clock says
            entry.external_attr = 0o644 << 16
            # Weights hardly get smaller, and are then slow to unpack.
            entry.compress_type = zipfile.ZIP_DEFLATED if name in _TEXTS else zipfile.ZIP_STORED
            with (bundle.folder / name).open("rb") as source, opened.open(entry, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, _CHUNK)
    partial.replace(archive)
    return archive


def copy_bundle(bundle: Bundle, folder: Path) -> Bundle:
    """Copy the files of a bundle into an empty folder, its description as it is now."""
    if bundle.folder is not None:
        for name in sorted(set(_LIMITS) - {MANIFEST}):
            if (bundle.folder / name).is_file():
                shutil.copyfile(bundle.folder / name, folder / name)
    write_text(folder / MANIFEST, render_bundle(bundle))
    return read_bundle(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step: others see the old one or the new one."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _entries(archive: zipfile.ZipFile, name: str) -> Iterable[tuple[str, zipfile.ZipInfo]]:
    """The files of an archive by their name without folder; raises `BundleError` at any that is odd."""
    entries = [entry for entry in archive.infolist() if not (entry.is_dir() or _is_clutter(entry.filename))]
    if len(entries) > _MOST_ENTRIES:
        raise BundleError(f"{name} holds {len(entries)} files, and no bundle has so many.")
    found: dict[str, zipfile.ZipInfo] = {}
    folders = set()
    for entry in entries:
        path = PurePosixPath(entry.filename)
        # One folder around everything is what people get when they zip a folder.
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or len(path.parts) > 2:
            raise BundleError(f"{name} holds {entry.filename!r}, which would lie outside the bundle.")
        if path.name not in _LIMITS:
            raise BundleError(f"{name} holds {entry.filename!r}, and no bundle has such a file.")
        if entry.file_size > _LIMITS[path.name]:
            raise BundleError(f"{entry.filename} in {name} says that it has {entry.file_size} bytes: too large.")
        folders.add(path.parent)
        found[path.name] = entry
    if len(folders) > 1 or len(found) < len(entries):
        raise BundleError(f"{name} holds files in several folders, or one twice.")
    return found.items()


def _is_clutter(name: str) -> bool:
    """What macOS puts into every archive."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name == ".DS_Store"


def _copy_limited(source: IO[bytes], target: IO[bytes], name: str) -> None:
    """Copy a stream, but no more than its kind may have: headers can lie."""
    left = _LIMITS[name]
    while chunk := source.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            raise BundleError(f"{name} is larger than {_LIMITS[name]} bytes.")
        target.write(chunk)


def _check_file(path: Path) -> None:
    """Raise `BundleError` when something does not belong into a bundle."""
    if path.name == ".DS_Store" or path.name.endswith(".partial"):
        return
    if path.name not in _LIMITS:
        raise BundleError(f"{path.parent} holds {path.name!r}, and no bundle has such a file.")
    if path.is_symlink() or not path.is_file():
        raise BundleError(f"{path} is a link or folder; a bundle holds plain files.")
    if path.stat().st_size > _LIMITS[path.name]:
        raise BundleError(f"{path} is larger than {_LIMITS[path.name]} bytes.")


def _check_weights(bundle: Bundle, weights: Weights, *, verify: bool) -> None:
    """Raise `BundleError` when the weights are missing or not those that the bundle names."""
    path = bundle.weights_path
    if not path.is_file():
        raise BundleError(f"The file {weights.file} of the model {bundle.ref} is missing.")
    if path.stat().st_size != weights.size:
        raise BundleError(f"{path} has {path.stat().st_size} bytes and should have {weights.size}.")
    if not verify:
        return
    if (actual := file_sha256(path)) != weights.sha256:
        raise BundleError(f"{path} is not the file that {MANIFEST} names: its SHA-256 is {actual}.")
    if path.suffix == ".onnx":
        read_onnx(path)
