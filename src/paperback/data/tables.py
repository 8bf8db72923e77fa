"""Tables of examples: CSV with the label in the last column, and NPZ with the keys `x` and `y`.

Both give the numbers as they stand. Nothing is ever unpickled, and a bad cell is named by its line and column.
"""

from __future__ import annotations

import math
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from paperback.data.files import LIMIT, open_data, read_up_to
from paperback.errors import DataError

__all__ = ["read_csv", "read_npz"]

MAX_LINE = 1 << 24
_MAX_HEADER = 1 << 16


def read_csv(path: Path, *, limit: int = LIMIT) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The columns before the last, `[examples, features]`, and the last one, the labels; a heading line is skipped."""
    rows: list[NDArray[np.float32]] = []
    labels: list[int] = []
    number, width, kept = 0, 0, 0
    with open_data(path) as source:
        while line := source.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise DataError(f"{path}, line {number}: a line has at most {MAX_LINE} bytes, this one more; split it")
            try:
                cells = line.decode("utf-8-sig").strip().split(",")
            except UnicodeDecodeError as error:
                raise DataError(f"{path}, line {number}: needs UTF-8 text, found other bytes; save as CSV") from error
            if cells == [""]:
                continue
            if number == 1 and not any(map(_is_number, cells)):
                continue  # the heading
            width = width or len(cells)
            if len(cells) != width or width < 2:
                needed = f"{width} columns as above" if rows else "features, then the label, with commas between"
                raise DataError(f"{path}, line {number}: needs {needed}, found {len(cells)}; fix the line")
            values = [_number(path, number, column, cell) for column, cell in enumerate(cells, start=1)]
            if values[-1] != int(values[-1]) or abs(values[-1]) >= 1 << 53:
                raise DataError(
                    f"{path}, line {number}, column {width}: needs a label, a whole number, found {cells[-1]!r}; "
                    f"put the label last"
                )
            kept += 4 * width
            if kept > limit:
                raise DataError(f"{path}, line {number}: the table passes the limit of {limit} bytes; split the file")
            rows.append(np.array(values[:-1], dtype=np.float32))
            labels.append(int(values[-1]))
    if not rows:
        raise DataError(f"{path}: needs at least one line of numbers, found none; check that it is the right file")
    return np.stack(rows), np.array(labels, dtype=np.int64)


def read_npz(path: Path, *, limit: int = LIMIT) -> tuple[NDArray[Any], NDArray[Any]]:
    """The arrays `x` and `y` of an NPZ archive."""
    with open_data(path) as source:
        try:
            archive = zipfile.ZipFile(source)
        except Exception as error:  # the parsers of hostile archives raise more than they document
            raise DataError(f"{path}: needs an NPZ archive, found none ({error}); save it with numpy.savez") from error
        with archive:
            return _member(path, archive, "x", limit), _member(path, archive, "y", limit)


def _number(path: Path, line: int, column: int, cell: str) -> float:
    if not _is_number(cell):
        raise DataError(f"{path}, line {line}, column {column}: needs a number, found {cell!r}; fix the cell")
    value = float(cell)
    if not math.isfinite(value) or abs(value) > float(np.finfo(np.float32).max):
        raise DataError(f"{path}, line {line}, column {column}: needs a finite float32, found {cell!r}; fix the cell")
    return value


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # float() takes 1_000, a table does not mean it


def _member(path: Path, archive: zipfile.ZipFile, key: str, limit: int) -> NDArray[Any]:
    if f"{key}.npy" not in archive.namelist():
        raise DataError(
            f"{path}: needs the arrays x and y, {key} is missing; save it with numpy.savez(path, x=images, y=labels)"
        )
    try:
        with archive.open(f"{key}.npy") as opened:
            source = cast(BinaryIO, opened)
            shape, fortran, kind = _npy_header(source)
            if kind.hasobject or kind.kind not in "biuf":
                raise DataError(f"{path}: the array {key} must hold numbers, it holds {kind}; convert it with astype")
            wanted = math.prod(shape) * kind.itemsize
            if math.prod(extent or 1 for extent in shape) * kind.itemsize > limit:
                raise DataError(
                    f"{path}: the array {key} claims shape {shape} of {kind}, the limit is {limit} bytes; split it"
                )
            data = read_up_to(source, wanted)
            found = f"{len(data)} follow" if len(data) < wanted else "more follow" if source.read(1) else ""
    except DataError:
        raise
    except Exception as error:  # as above
        raise DataError(f"{path}: the array {key} is damaged ({error}); save it again with numpy.savez") from error
    if found:
        raise DataError(
            f"{path}: the array {key} claims shape {shape} of {kind} = {wanted} bytes, {found}; save it again"
        )
    array: NDArray[Any] = np.frombuffer(data, dtype=kind).reshape(shape, order="F" if fortran else "C")
    return array.astype(kind.newbyteorder("="), copy=False)


def _npy_header(source: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
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
