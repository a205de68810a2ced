"""A cache of downloads on disk, shared by several processes.

``objects/`` holds each content once, named by its SHA-256. ``index.sqlite`` knows which address gave
which content, when that was last used, and how large all of it is, so nothing is ever scanned.
Links are made and removed inside a write transaction: index and objects agree unless a process is
killed there, and a lookup mends what it finds missing.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from limner.core.settings import Network
from limner.sources.net.scratch import link

_log = logging.getLogger(__name__)

#: Raise it, here and below, when the tables change: a cache of another version is thrown away.
_VERSION: Final = 1
#: Seconds to wait for another process's transaction.
_PATIENCE: Final = 5.0

_TABLES: Final = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS objects (
    sha256 TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    used REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_used ON objects (used);
CREATE TABLE IF NOT EXISTS entries (
    key TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL REFERENCES objects ON DELETE CASCADE,
    url TEXT NOT NULL,
    media_type TEXT NOT NULL,
    etag TEXT NOT NULL,
    last_modified TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_sha256 ON entries (sha256);
CREATE TABLE IF NOT EXISTS total (only INTEGER PRIMARY KEY CHECK (only = 1), bytes INTEGER NOT NULL);
INSERT OR IGNORE INTO total VALUES (1, 0);
CREATE TRIGGER IF NOT EXISTS object_added AFTER INSERT ON objects
    BEGIN UPDATE total SET bytes = bytes + NEW.size; END;
CREATE TRIGGER IF NOT EXISTS object_removed AFTER DELETE ON objects
    BEGIN UPDATE total SET bytes = bytes - OLD.size; END;
PRAGMA user_version = 1;
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an address gave."""

    sha256: str
    #: Length in bytes.
    size: int
    #: The address after redirects.
    url: str
    media_type: str
    #: The validators that the server sent; empty where it sent none.
    etag: str = ""
    last_modified: str = ""


class Cache:
    """A cache in ``folder`` that is kept under ``limit`` bytes; to be used from one thread."""

    def __init__(self, folder: Path, limit: int, networks: Sequence[Network] = ()) -> None:
        self._objects = folder / "objects"
        self._limit = limit
        # What was fetched while private networks were open must not be given out when they are closed again.
        self._realm = ",".join(sorted(map(str, networks)))
        self._objects.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = _open(folder)

    def find(self, url: str) -> Entry | None:
        """What an address gave, if that is still here."""
        entry = None
        with self._mishaps():
            row = self._db.execute(
                "SELECT sha256, size, url, media_type, etag, last_modified FROM entries JOIN objects USING (sha256) "
                "WHERE key = ?",
                [self._key(url)],
            ).fetchone()
            if row and self._intact(*row[:2]):
                entry = Entry(*row)
        return entry

    def take(self, entry: Entry, target: Path) -> bool:
        """Link a content to a path and note its use; False when it has been evicted meanwhile."""
        with self._mishaps(), suppress(FileNotFoundError):
            link(self._path(entry.sha256), target)
            self._db.execute("UPDATE objects SET used = ? WHERE sha256 = ?", [time.time(), entry.sha256])
        return target.exists()

    def put(self, url: str, file: Path, entry: Entry) -> None:
        """Keep a file under an address, and make room for it."""
        if entry.size > self._limit:
            return
        with self._mishaps(), self._writing():
            self._add(file, entry)
            self._db.execute(
                "INSERT OR REPLACE INTO entries (key, sha256, url, media_type, etag, last_modified) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [self._key(url), entry.sha256, entry.url, entry.media_type, entry.etag, entry.last_modified],
            )
            self._evict()

    def forget(self, url: str) -> None:
        """Drop an address; its content goes when its turn comes."""
        with self._mishaps(), self._writing():
            self._db.execute("DELETE FROM entries WHERE key = ?", [self._key(url)])

    @property
    def size(self) -> int:
        """The length of all contents, bytes."""
        return int(self._db.execute("SELECT bytes FROM total").fetchone()[0])

    def close(self) -> None:
        """Close the index."""
        self._db.close()

    def _key(self, url: str) -> str:
        # Hashed, as an address may carry a token.
        return hashlib.sha256(f"{self._realm}\n{url}".encode()).hexdigest()

    def _path(self, sha256: str) -> Path:
        return self._objects / sha256[:2] / sha256

    def _intact(self, sha256: str, size: int) -> bool:
        """Whether a content is there at its full length; a power cut may have cut it short."""
        with suppress(FileNotFoundError):  # another process may evict it just now
            if self._path(sha256).stat().st_size == size:
                return True
        with self._writing():
            self._remove(sha256)
        return False

    def _add(self, file: Path, entry: Entry) -> None:
        path = self._path(entry.sha256)
        path.parent.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            link(file, path)
        self._db.execute(
            "INSERT INTO objects (sha256, size, used) VALUES (?, ?, ?) "
            "ON CONFLICT (sha256) DO UPDATE SET used = excluded.used",
            [entry.sha256, entry.size, time.time()],
        )

    def _evict(self) -> None:
        while self.size > self._limit:
            self._remove(*self._db.execute("SELECT sha256 FROM objects ORDER BY used LIMIT 1").fetchone())

    def _remove(self, sha256: str) -> None:
        self._path(sha256).unlink(missing_ok=True)
        self._db.execute("DELETE FROM objects WHERE sha256 = ?", [sha256])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, alone among all processes."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    @contextmanager
    def _mishaps(self) -> Iterator[None]:
        """A cache that fails (full disk, locked or damaged index) is said and gone without."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            _log.warning("The cache of downloads cannot be used just now: %s", error)


def _open(folder: Path) -> sqlite3.Connection:
    """Open the index; one that is damaged or of another version is thrown away with all contents."""
    try:
        return _connect(folder)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        _log.warning("The cache in %s cannot be read (%s); it starts anew.", folder, error)
    shutil.rmtree(folder / "objects", ignore_errors=True)
    for path in folder.glob("index.sqlite*"):
        path.unlink(missing_ok=True)
    (folder / "objects").mkdir(exist_ok=True, mode=0o700)
    return _connect(folder)


def _connect(folder: Path) -> sqlite3.Connection:
    db = sqlite3.connect(folder / "index.sqlite", timeout=_PATIENCE, isolation_level=None)
    try:
        _write_ahead(db)
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version not in {0, _VERSION}:
            raise sqlite3.DatabaseError(f"version {version}, not {_VERSION}")
        if version == 0:
            db.executescript(_TABLES)
    except BaseException:
        db.close()
        raise
    return db


def _write_ahead(db: sqlite3.Connection) -> None:
    """Let readers and the writer not wait for each other."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            # SQLite does not wait for its turn here when several processes open a new cache at once.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
