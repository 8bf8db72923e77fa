"""NPY, one array in a file: read whole, or mapped into memory and read as it is used.

    93 NUMPY   version   length of the header   {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28)}
    product(shape) numbers

`map_array` takes IDX too. A mapped array is read-only, as long as the file, and takes no memory to speak of: training
reads the examples of a batch when their turn comes. A file is taken only if it holds exactly what its header claims.
"""

from __future__ import annotations

import math
import os
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from paperback.data.files import LIMIT, open_data, read_up_to
from paperback.data.idx import read_idx_header
from paperback.errors import DataError

__all__ = ["map_array", "read_header", "read_npy"]

_MAX_HEADER = 1 << 16
_MAGIC = b"\x93NUMPY"
_GZIP = b"\x1f\x8b"


def read_npy(path: str | os.PathLike[str], *, limit: int = LIMIT) -> NDArray[Any]:
    """The array in a NPY file, gzipped or not, in this machine's byte order; `limit` bounds its bytes."""
    path = Path(path)
    with open_data(path) as source:
        shape, fortran, kind = _checked_header(path, source)
        wanted = math.prod(shape) * kind.itemsize
        if math.prod(extent or 1 for extent in shape) * kind.itemsize > limit:
            raise DataError(f"{path}: claims shape {shape} of {kind}, the limit is {limit} bytes; use map_array")
        data = read_up_to(source, wanted)
        if len(data) < wanted or source.read(1):
            found = f"{len(data)} follow" if len(data) < wanted else "more follow"
            raise DataError(_mismatch(path, shape, kind, wanted, found))
    array: NDArray[Any] = np.frombuffer(data, dtype=kind).reshape(shape, order="F" if fortran else "C")
    return array.astype(kind.newbyteorder("="), copy=False)


def map_array(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array in a NPY or IDX file, read-only and mapped: for sets larger than memory. Not for gzipped files."""
    path = Path(path)
    with open_data(path) as source, path.open("rb") as raw:
        start = raw.read(len(_MAGIC))
        if start[:2] == _GZIP:
            raise DataError(f"{path}: only what is not compressed can be mapped, this is gzip; unpack it with gunzip")
        if start == _MAGIC:
            shape, fortran, kind = _checked_header(path, source)
        else:
            kind, shape = read_idx_header(path, source)
            fortran = False
        offset = source.tell()
        found = os.fstat(source.fileno()).st_size - offset
    wanted = math.prod(shape) * kind.itemsize
    if found != wanted:
        raise DataError(_mismatch(path, shape, kind, wanted, f"{found} follow"))
    if not wanted or not shape:
        raise DataError(f"{path}: an array that is mapped has examples, this one has shape {shape}; check the file")
    try:
        return np.memmap(path, dtype=kind, mode="r", offset=offset, shape=shape, order="F" if fortran else "C")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be mapped ({error}); read it with load instead") from error


def _checked_header(path: Path, source: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        shape, fortran, kind = read_header(source)
    except Exception as error:  # the parsers of hostile headers raise more than they document
        raise DataError(f"{path}: needs an array as NPY, found none ({error}); write it with numpy.save") from error
    if kind.hasobject or kind.kind not in "biuf":
        raise DataError(f"{path}: the array must hold numbers, it holds {kind}; convert it with astype")
    return shape, fortran, kind


def _mismatch(path: Path, shape: tuple[int, ...], kind: np.dtype[Any], wanted: int, found: str) -> str:
    return f"{path}: the header claims shape {shape} of {kind} = {wanted} bytes, {found}; write the file again"


def read_header(source: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The header of a `.npy` file; NumPy parses it, after its length is known to be sane."""
    version = np.lib.format.read_magic(source)
    length = bytes(read_up_to(source, 2 if version == (1, 0) else 4))
    size = int.from_bytes(length, "little")
    if version not in ((1, 0), (2, 0)) or size > _MAX_HEADER:
        raise ValueError(f"a .npy header of version {version} and {size} bytes")
    header = BytesIO(length + read_up_to(source, size))
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, kind = read(header)
    if len(shape) > 32 or any(extent < 0 for extent in shape):
        raise ValueError(f"a shape of {shape}")
    return shape, fortran, kind
