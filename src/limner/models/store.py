"""The installed models: bundles in folders, names for them, and the models that ship with runtimes.

The folder holds ``<name>/<version>/`` for each bundle and ``.aliases.json``. Whatever changes it does
so under a lock and by renaming, so that other processes see a model whole or not at all.
"""

from __future__ import annotations

import difflib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

from limner.core.errors import BundleError, ModelNotFoundError, UsageError
from limner.core.registry import Registry
from limner.models.bundle import BUILTIN, NAME_PATTERN, Bundle, checked_name
from limner.models.bundle_files import copy_bundle, read_bundle, write_text
from limner.models.filelock import locked

#: The alias that is used when nobody names a model …
DEFAULT = "default"
#: … and what it means until it is set.
_DEFAULT_TARGET = "text"
_ALIASES, _FORMER = ".aliases.json", ".former-aliases.json"
#: What aliases stood for, the last at the end; None for when they were none.
_History: TypeAlias = "dict[str, list[str | None]]"
#: Former targets of an alias that are remembered.
_HISTORY = 50


class ModelStore:
    """The models of one folder, and those built in."""

    def __init__(self, folder: Path, builtin: Registry[Bundle] = BUILTIN) -> None:
        self.folder = folder
        self._builtin = builtin

    def add(self, bundle: Bundle, *, replace: bool = False) -> Bundle:
        """Install a bundle that was read from a folder; returns it as it is installed.

        Raises `BundleError` when a model of that name and version is there already (and ``replace``
        is not set), or when the name is taken by an alias or a built-in model.
        """
        self._check_free(bundle)
        with self._staging() as staging:
            copy_bundle(bundle, staging)
            with self._locked():
                target = self._folder_of(bundle.name, bundle.version)
                if target.exists() and not replace:
                    raise BundleError(
                        f"There is a model {bundle.ref} already.", hint="Remove it, or give another version."
                    )
                self._discard(target)
                target.parent.mkdir(parents=True, exist_ok=True)
                staging.rename(target)
        return read_bundle(target, verify=False)

    def list(self) -> tuple[Bundle, ...]:
        """All models, by name and version; a damaged one is left out (`damaged` names it)."""
        installed = [bundle for _, _, bundle in self._installed() if isinstance(bundle, Bundle)]
        return tuple(sorted([*self._builtin, *installed], key=lambda each: (each.name, version_key(each.version))))

    def damaged(self) -> dict[str, BundleError]:
        """What is wrong with installed models that cannot be read, by name and version."""
        found = self._installed()
        return {f"{name}@{version}": error for name, version, error in found if isinstance(error, BundleError)}

    def get(self, name: str) -> Bundle:
        """The model behind a name, a name with version (``page-elements@2``), or an alias.

        A name alone means its newest version. Raises `ModelNotFoundError` naming the nearest ones, and
        `BundleError` when the model is damaged. The weights are not read.
        """
        target = self.resolve(name)
        base, _, version = target.partition("@")
        if base in self._builtin and (bundle := self._builtin.get(base)).version == version:
            return bundle
        return read_bundle(self._folder_of(base, version), verify=False)

    def resolve(self, name: str) -> str:
        """Name and version of the model behind a name; raises `ModelNotFoundError`."""
        asked = self.aliases().get(name, _DEFAULT_TARGET if name == DEFAULT else name)
        base, at, version = asked.partition("@")
        versions = self.versions(base) if re.fullmatch(NAME_PATTERN, base) else ()
        if not versions or (at and version not in versions):
            raise self._not_found(name)
        return f"{base}@{version if at else max(versions, key=version_key)}"

    def remove(self, name: str) -> str:
        """Remove an installed model and return its name and version.

        Raises `ModelNotFoundError`, or `UsageError` when it is built in or an alias needs it.
        """
        with self._locked():
            if name in self.aliases():
                raise UsageError(f"{name!r} is an alias; the model behind it is {self.resolve(name)}.")
            target = self.resolve(name)
            base, _, version = target.partition("@")
            folder = self._folder_of(base, version)
            if not folder.is_dir():
                raise UsageError(f"The model {target} is built in and cannot be removed.")
            self._check_unaliased(target)
            self._discard(folder)
            if not any(folder.parent.iterdir()):
                folder.parent.rmdir()
        return target

    def aliases(self) -> dict[str, str]:
        """All aliases, and the name (with or without version) that each stands for."""
        return self._written_aliases()

    def _written_aliases(self) -> dict[str, str]:
        """The aliases that stand in the folder."""
        try:
            found = json.loads((self.folder / _ALIASES).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise BundleError(f"{self.folder / _ALIASES} is damaged: {error}.") from error
        if not isinstance(found, dict):
            raise BundleError(f"{self.folder / _ALIASES} is damaged: it holds no table of names.")
        return {str(alias): str(target) for alias, target in found.items()}

    def alias(self, alias: str, target: str | None) -> None:
        """Let an alias stand for a model, or forget it when ``target`` is None.

        A target without version follows the newest one. Raises `UsageError` and `ModelNotFoundError`.
        """
        checked_name(alias, "an alias")
        with self._locked():
            aliases = self._written_aliases()
            before = aliases.get(alias)
            if target is None:
                if alias not in aliases:
                    raise ModelNotFoundError(f"There is no alias {alias!r}.")
                del aliases[alias]
            else:
                self._check_alias(alias, target, aliases)
                aliases[alias] = target
            if before != target:
                history = self._history()
                history[alias] = [*history.get(alias, []), before][-_HISTORY:]
                self._write(_FORMER, history)
            self._write(_ALIASES, aliases)

    def rollback(self, alias: str) -> str | None:
        """Let an alias stand for what it stood for before; that, or None where it was none then.

        Each call goes one step further back. Raises `ModelNotFoundError` where nothing is known of former times, or
        the former model is no longer there.
        """
        with self._locked():
            history, aliases = self._history(), self._written_aliases()
            if not history.get(alias):
                raise ModelNotFoundError(f"Nothing is known of what the alias {alias!r} stood for before.")
            former = history[alias].pop()
            if former is None:
                aliases.pop(alias, None)
            else:
                self._check_alias(alias, former, aliases)
                aliases[alias] = former
            self._write(_FORMER, {name: targets for name, targets in history.items() if targets})
            self._write(_ALIASES, aliases)
        return former

    def _history(self) -> _History:
        """What each alias stood for, the last at the end; None for when it was none."""
        try:
            found = json.loads((self.folder / _FORMER).read_text(encoding="utf-8"))
            return {str(alias): [*targets] for alias, targets in found.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, TypeError) as error:
            raise BundleError(f"{self.folder / _FORMER} is damaged: {error}.") from error

    def _write(self, name: str, values: object) -> None:
        write_text(self.folder / name, json.dumps(values, indent=2, sort_keys=True) + "\n")

    def _check_alias(self, alias: str, target: str, aliases: dict[str, str]) -> None:
        if self.versions(alias):
            raise UsageError(f"{alias!r} is the name of a model, so it cannot be an alias.")
        if target in aliases or target == DEFAULT:
            raise UsageError(f"{target!r} is an alias itself; name the model.")
        self.resolve(target)

    def _check_free(self, bundle: Bundle) -> None:
        if bundle.name == DEFAULT or bundle.name in self.aliases():
            raise BundleError(f"{bundle.name!r} is an alias, so no model can be called so.")
        if bundle.name in self._builtin and self._builtin.get(bundle.name).version == bundle.version:
            raise BundleError(f"{bundle.ref} is built in.", hint="Give another name or version.")

    def _check_unaliased(self, target: str) -> None:
        """Raise when an alias would stand for nothing once a model is gone."""
        base = target.partition("@")[0]
        last = len(self.versions(base)) == 1
        for alias, meant in self.aliases().items():
            if meant == target or (last and meant == base):
                raise UsageError(
                    f"The alias {alias!r} stands for {target}.", hint="Set the alias to another model first."
                )

    def _installed(self) -> Iterator[tuple[str, str, Bundle | BundleError]]:
        """Name, version and bundle of each installed model, or what is wrong with it."""
        for folder in sorted(self.folder.glob("*/*/")):
            name, version = folder.parent.name, folder.name
            if not (re.fullmatch(NAME_PATTERN, name) and re.fullmatch(NAME_PATTERN, version)):
                continue
            try:
                yield name, version, read_bundle(folder, verify=False)
            except BundleError as error:
                yield name, version, error

    def versions(self, name: str) -> Sequence[str]:
        """The versions of a model, in no order."""
        folder = self.folder / name
        found = (
            [path.name for path in folder.iterdir() if re.fullmatch(NAME_PATTERN, path.name)] if folder.is_dir() else []
        )
        return [*found, self._builtin.get(name).version] if name in self._builtin else found

    def _folder_of(self, name: str, version: str) -> Path:
        """Where a bundle is kept; names are narrow, so that it cannot lie elsewhere."""
        return self.folder / checked_name(name) / checked_name(version, "a version")

    def _not_found(self, name: str) -> ModelNotFoundError:
        if name in self.aliases():
            return ModelNotFoundError(f"The alias {name!r} stands for {self.aliases()[name]}, which is not installed.")
        known = sorted({*self.aliases(), *(each.name for each in self.list()), *(each.ref for each in self.list())})
        near = difflib.get_close_matches(name, known, n=3) or known
        hint = f"Did you mean {' or '.join(near)}?" if near else "No model is installed."
        return ModelNotFoundError(f"There is no model called {name!r}.", hint=hint)

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.folder / ".lock")

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """An empty folder beside the models, gone afterwards unless it was renamed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix=".incoming-", dir=self.folder))
        path.chmod(0o755)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def _discard(self, folder: Path) -> None:
        """Remove a folder in one step for others: it is renamed first."""
        if folder.exists():
            away = Path(tempfile.mkdtemp(prefix=".removed-", dir=self.folder))
            folder.rename(away / folder.name)
            shutil.rmtree(away, ignore_errors=True)


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts versions by their numbers; words come before the end, so that ``2-rc1`` is older than ``2``."""
    parts = re.findall(r"\d+|[a-z]+", version)
    keys = [(2, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
    return (*keys, (1, 0, ""))
