"""A folder of generated code, kept between processes.

An entry is bytes under a key, which is a text that names all that the bytes depend on. A file is trusted when

- it and its folder belong to this user, nobody else may write to them (checked on the open file), and no folder above
  lets everybody rename them;
- its SHA-256, taken over the key and the content, is right: a truncated, damaged or foreign file is none of ours.

What fails is removed and counts as absent, and so does every trouble with the disk: a cache may be slow, never wrong
and never in the way. Files are written under another name and then renamed, so that several processes may share the
folder. The folder is bounded: beyond `LIMIT` bytes the entries that were not used for longest go.

The place is `$PAPERBACK_CACHE`, else the user's cache folder of the system; PAPERBACK_CACHE=off means no cache.
"""

from __future__ import annotations

__all__ = ["LIMIT", "describe", "folder", "read", "write"]

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

LIMIT = 256 * 2**20
"""The most bytes the folder holds."""

_MAGIC = b"paperback code 1\n"
_SUFFIX = ".code"
_STALE = 3600.0  # seconds after which a half-written file is one of a process that died
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def folder() -> Path | None:
    """The folder of the cache, made and trusted; None where there is none."""
    place = _place()
    if place is None:
        return None
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place if _trusted(place.lstat(), stat.S_ISDIR) and _fixed(place) else None
    except OSError:
        return None


def describe() -> str:
    """Where the cache is, or why there is none, as one sentence."""
    place = _place()
    if place is None:
        return "no cache: PAPERBACK_CACHE=off, or the user has no home folder"
    if folder() is None:
        return f"no cache: {place} cannot be made, belongs to another user, or can be changed by others"
    return f"cache in {place}"


def read(key: str) -> bytes | None:
    """The content under a key, None where there is none that can be trusted."""
    place = folder()
    if place is None:
        return None
    path = place / _name(key)
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
            trusted = _trusted(os.fstat(file.fileno()), stat.S_ISREG)
            found = file.read() if trusted else b""
    except FileNotFoundError:
        return None
    except OSError:
        found = b""
    start = len(_MAGIC) + hashlib.sha256().digest_size
    content = found[start:]
    if found[:start] != _MAGIC + _digest(key, content):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # used now: the last to go
    return content


def write(key: str, content: bytes) -> None:
    """Keep a content under a key. Nothing happens where there is no cache or the disk refuses."""
    place = folder()
    if place is None:
        return
    try:
        handle, temporary = tempfile.mkstemp(suffix=".part", dir=place)  # readable by the user alone
    except OSError:
        return
    try:
        with open(handle, "wb") as file:
            file.write(_MAGIC + _digest(key, content) + content)
        os.replace(temporary, place / _name(key))
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    _shrink(place)


def _place() -> Path | None:
    """Where the folder is to be."""
    named = os.environ.get("PAPERBACK_CACHE", "")
    if named.lower() == "off":
        return None
    try:
        base = Path(named).expanduser().absolute() if named else _system_folder() / "paperback"
    except RuntimeError:  # no home
        return None
    return base / "code"


def _system_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    named = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME", "")
    return Path(named) if os.path.isabs(named) else Path.home() / ".cache"


def _trusted(status: os.stat_result, kind: object) -> bool:
    """Whether a file or folder is of the kind, is this user's, and can be written by nobody else."""
    assert callable(kind)
    if not kind(status.st_mode):
        return False
    if not hasattr(os, "getuid"):  # Windows: the user's folders are protected by their access lists
        return True
    return status.st_uid == os.getuid() and not status.st_mode & _OTHERS


def _fixed(place: Path) -> bool:
    """Whether no folder above is one in which everybody may rename what belongs to others."""
    modes = (above.stat().st_mode for above in place.resolve().parents)
    return os.name != "posix" or not any(mode & stat.S_IWOTH and not mode & stat.S_ISVTX for mode in modes)


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest() + _SUFFIX


def _digest(key: str, content: bytes) -> bytes:
    state = hashlib.sha256(key.encode() + b"\0")
    state.update(content)
    return state.digest()


def _shrink(place: Path) -> None:
    """Remove the entries not used for longest until the folder is within its limit, and what dead processes left."""
    files: list[tuple[float, int, str]] = []
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if entry.name.endswith(_SUFFIX):
                    files.append((status.st_mtime, status.st_size, entry.path))
                elif entry.name.endswith(".part") and status.st_mtime < time.time() - _STALE:
                    os.unlink(entry.path)
    _remove_oldest(files)


def _remove_oldest(files: Sequence[tuple[float, int, str]]) -> None:
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= LIMIT:
            break
        with contextlib.suppress(OSError):
            os.unlink(path)
        total -= size
