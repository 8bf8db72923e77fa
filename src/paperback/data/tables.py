"""Tables of examples: CSV with the label in one column, and NPZ with the keys `x` and `y`.

Both give the numbers as they stand. Nothing is ever unpickled, and a bad cell is named by its line and column.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from paperback.data.files import LIMIT, open_data, read_up_to
from paperback.data.npy import read_header
from paperback.errors import DataError

__all__ = ["read_csv", "read_npz"]

MAX_LINE = 1 << 24


def read_csv(
    path: Path, *, label: int | str = -1, limit: int = LIMIT
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The features, `[examples, columns but one]` in their order, and the labels.

    label    the column of the labels: its number from 0, or from the end as -1, or its name in the heading line
    A first line without any number is the heading; it must name every column, and none twice where a name is asked for.
    """
    rows: list[NDArray[np.float32]] = []
    labels: list[int] = []
    number, width, kept, place = 0, 0, 0, -1
    heading: list[str] = []
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
                heading = [cell.strip().strip('"') for cell in cells]
                width = len(heading)
                continue
            width = width or len(cells)
            if len(cells) != width or width < 2:
                needed = "features and a label, with commas between"
                if width > 1:
                    needed = f"{width} columns as above" if rows else f"{width} columns as the heading has"
                raise DataError(f"{path}, line {number}: needs {needed}, found {len(cells)}; fix the line")
            if not rows:
                place = _label_column(path, label, heading, width)
            values = [_number(path, number, column, cell) for column, cell in enumerate(cells, start=1)]
            target = values.pop(place)
            if target != int(target) or abs(target) >= 1 << 53:
                raise DataError(
                    f"{path}, line {number}, column {place + 1}: needs a label, a whole number, found "
                    f"{cells[place]!r}; put the label last, or name its column with label="
                )
            kept += 4 * width
            if kept > limit:
                raise DataError(f"{path}, line {number}: the table passes the limit of {limit} bytes; split the file")
            rows.append(np.array(values, dtype=np.float32))
            labels.append(int(target))
    if not rows:
        raise DataError(f"{path}: needs at least one line of numbers, found none; check that it is the right file")
    return np.stack(rows), np.array(labels, dtype=np.int64)


def _label_column(path: Path, label: int | str, heading: list[str], width: int) -> int:
    """The place of the labels, from 0."""
    if isinstance(label, str):
        if not heading:
            raise DataError(f"{path}: needs a heading line to find the column {label!r}, found none; pass its number")
        if heading.count(label) != 1:
            found = "there are two" if label in heading else f"there is {', '.join(heading[:8])}"
            raise DataError(f"{path}: needs one column called {label!r}, {found}; pass another name, or its number")
        return heading.index(label)
    if not -width <= label < width:
        raise DataError(f"{path}: needs a label column from {-width} to {width - 1}, found {label}; the last is -1")
    return label % width


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
            shape, fortran, kind = read_header(source)
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
