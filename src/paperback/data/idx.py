"""IDX, the format of the MNIST family: a number type, the extents, then the numbers, all big-endian.

    00 00 TYPE RANK   RANK extents of 4 bytes   product(extents) numbers

A file is read only if it holds exactly what its header claims; the claim is checked before memory is taken for it.
"""

from __future__ import annotations

import gzip
import io
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from paperback.data.files import LIMIT, open_data, read_up_to, write_whole
from paperback.errors import DataError

__all__ = ["read_idx", "read_idx_header", "write_idx"]

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
CODES = {name: code for code, name in TYPES.items()}
MAX_RANK = 32  # what every NumPy can hold


def read_idx(path: str | os.PathLike[str], *, limit: int = LIMIT) -> NDArray[Any]:
    """The array in an IDX file, gzipped or not, in this machine's byte order; `limit` bounds its bytes."""
    path = Path(path)
    with open_data(path) as source:
        kind, shape = read_idx_header(path, source)
        wanted = math.prod(shape) * kind.itemsize
        # Zero extents do not excuse absurd others: NumPy refuses shapes whose nonzero extents overflow.
        size = math.prod(extent or 1 for extent in shape) * kind.itemsize
        if size > limit:
            claim = "x".join(map(str, shape))
            raise DataError(
                f"{path}: the header claims {claim} {kind.name} = {size} bytes, the limit is {limit}; "
                f"pass a larger limit= if you trust the file"
            )
        if not isinstance(source, gzip.GzipFile):
            _check_size(path, shape, kind, wanted, os.fstat(source.fileno()).st_size - source.tell())
        data = read_up_to(source, wanted)
        _check_size(path, shape, kind, wanted, len(data))
        if source.read(1):
            raise DataError(_mismatch(path, shape, kind, wanted, "more follow"))
    array: NDArray[Any] = np.frombuffer(data, dtype=kind).reshape(shape)
    return array.astype(kind.newbyteorder("="), copy=False)


def write_idx(path: str | os.PathLike[str], array: NDArray[Any]) -> None:
    """Write an array as IDX, whole or not at all; a name that ends in `.gz` is gzipped, the same bytes every time."""
    path = Path(path)
    array = np.asarray(array)
    name = array.dtype.str[1:]
    if name not in CODES:
        raise DataError(
            f"{path}: IDX holds uint8, int8, int16, int32, float32 or float64, the array is {array.dtype}; "
            f"convert it first, as in array.astype(numpy.int32)"
        )
    if not 1 <= array.ndim <= MAX_RANK:
        raise DataError(f"{path}: IDX holds 1 to {MAX_RANK} axes, the array has {array.ndim}; reshape it")
    if max(array.shape) >= 1 << 32:
        raise DataError(f"{path}: an IDX extent is below 2^32, the array's shape is {array.shape}; split it")
    header = bytes((0, 0, CODES[name], array.ndim)) + np.array(array.shape, ">u4").tobytes()
    body = np.ascontiguousarray(array, dtype=">" + name)
    pieces = iter((header, body.tobytes()))
    write_whole(path, _gzipped(pieces) if path.name.endswith(".gz") else pieces)


def read_idx_header(path: Path, source: BinaryIO) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The type of the numbers and the extents; the source is left where the numbers begin."""
    start = bytes(read_up_to(source, 4))
    if len(start) < 4:
        raise DataError(f"{path}: an IDX file starts with 4 bytes, this one has {len(start)}; fetch it again")
    if start[:2] != b"\0\0":
        raise DataError(
            f"{path}: an IDX file starts with bytes 00 00, this one with {start[:2].hex(' ')}; it is not an IDX file"
        )
    code, rank = start[2], start[3]
    if code not in TYPES:
        known = " ".join(f"{known:02x}" for known in TYPES)
        raise DataError(f"{path}: byte 2 of an IDX file is one of {known}, here it is {code:02x}; fetch the file again")
    if not 1 <= rank <= MAX_RANK:
        raise DataError(
            f"{path}: byte 3 of an IDX file, the rank, is 1 to {MAX_RANK}, here it is {rank}; fetch the file again"
        )
    extents = bytes(read_up_to(source, 4 * rank))
    if len(extents) < 4 * rank:
        raise DataError(
            f"{path}: the header announces {rank} extents of 4 bytes, {len(extents)} bytes follow; fetch the file again"
        )
    return np.dtype(">" + TYPES[code]), tuple(int(extent) for extent in np.frombuffer(extents, ">u4"))


def _check_size(path: Path, shape: tuple[int, ...], kind: np.dtype[Any], wanted: int, found: int) -> None:
    if found != wanted:
        raise DataError(_mismatch(path, shape, kind, wanted, f"{found} follow"))


def _mismatch(path: Path, shape: tuple[int, ...], kind: np.dtype[Any], wanted: int, found: str) -> str:
    claim = "x".join(map(str, shape))
    return f"{path}: the header claims {claim} {kind.name} = {wanted} bytes, {found}; fetch the file again"


def _gzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as out:
        for piece in pieces:
            out.write(piece)
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()
