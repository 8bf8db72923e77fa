"""Files that nobody vouches for: opened with or without gzip, read in pieces, written whole or not at all.

What a header claims is never allocated. Bytes are kept as they arrive, so memory follows the data, not the claim.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from paperback.errors import DataError

__all__ = ["LIMIT", "open_data", "read_up_to", "write_whole"]

LIMIT = 1 << 33  # bytes one file may unpack to
_PIECE = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"


@contextlib.contextmanager
def open_data(path: Path) -> Iterator[BinaryIO]:
    """A file for reading, unpacked on the way if its first two bytes say gzip, whatever its name says."""
    if not path.exists():
        raise DataError(f"{path}: needs a data file, found nothing there; check the path")
    if not path.is_file():
        raise DataError(f"{path}: needs a file, found something else; name a file inside it")
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if not packed:
                yield raw
                return
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield cast(BinaryIO, unpacked)
    except EOFError as error:
        raise DataError(f"{path}: the gzip stream stops before its end; fetch the file again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip stream is damaged ({error}); fetch the file again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from error


def read_up_to(source: BinaryIO, count: int) -> bytearray:
    """At most `count` bytes, fewer only where the source ends; never more memory than what has arrived."""
    data = bytearray()
    while len(data) < count:
        piece = source.read(min(_PIECE, count - len(data)))
        if not piece:
            break
        data += piece
    return data


def write_whole(path: Path, pieces: Iterator[bytes]) -> None:
    """Write all pieces or leave what was there: a temporary file beside it, fsync, replace, fsync of the folder."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as out:
            for piece in pieces:
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
        if os.name == "posix":
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}); choose another place") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
