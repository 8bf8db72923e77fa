"""Tables of examples: CSV with the label in one column, and NPZ with the keys `x` and `y`.

Both give the numbers as they stand. Nothing is ever unpickled, and a bad cell is named by its line and column.
"""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from paperback.arguments import closest
from paperback.data.files import LIMIT, open_data, read_up_to
from paperback.data.npy import read_header
from paperback.errors import DataError

__all__ = ["read_csv", "read_features", "read_npz", "read_targets"]

MAX_LINE = 1 << 24


def read_csv(
    path: Path, *, label: int | str = -1, limit: int = LIMIT
) -> tuple[NDArray[np.float32], NDArray[np.int64], tuple[str, ...]]:
    """The features, `[examples, columns but one]` in their order, the labels, and what the classes are called.

    label    the column of the labels: its number from 0, or from the end as -1, or its name in the heading line
    A first line without any number is the heading; it must name every column, and none twice where a name is asked for.
    Labels are whole numbers; or words, if the first is one: then the classes are the words in their order.
    """
    rows: list[NDArray[np.float32]] = []
    labels: list[int] = []
    words: list[str] = []
    place = -1
    for number, cells, heading in _lines(path, limit):
        if not rows:
            place = _label_column(path, label, heading, len(cells))
        own = cells[place]
        rows.append(_numbers(path, number, cells, but=place))
        if words or (len(rows) == 1 and own and not _is_number(own)):
            if not own:
                raise DataError(f"{path}, line {number}, column {place + 1}: needs a label, found nothing; fill it in")
            words.append(own)
            continue
        if own and not _is_number(own):
            raise DataError(
                f"{path}, line {number}, column {place + 1}: needs a label, a whole number as above, found {own!r}; "
                f"number all classes, or none"
            )
        target = _number(path, number, place + 1, own)
        if target != int(target) or abs(target) >= 1 << 53:
            raise DataError(
                f"{path}, line {number}, column {place + 1}: needs a label, a whole number, found {own!r}; put the "
                f"label last, or say which column it is with label= (--label); a column of numbers to predict is "
                f"target= (--target)"
            )
        labels.append(int(target))
    names = tuple(sorted(set(words)))
    if words:
        order = {name: number for number, name in enumerate(names)}
        labels = [order[word] for word in words]
    return np.stack(rows), np.array(labels, dtype=np.int64), names


def read_targets(
    path: Path, target: int | str, *, limit: int = LIMIT
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The features, and the numbers of one column, `[examples, 1]`, that are to be predicted from them."""
    rows: list[NDArray[np.float32]] = []
    targets: list[float] = []
    place = -1
    for number, cells, heading in _lines(path, limit):
        if not rows:
            place = _label_column(path, target, heading, len(cells))
        rows.append(_numbers(path, number, cells, but=place))
        targets.append(_number(path, number, place + 1, cells[place]))
    return np.stack(rows), np.array(targets, dtype=np.float32)[:, None]


def read_features(path: Path, count: int, *, limit: int = LIMIT) -> NDArray[np.float32] | None:
    """All columns of a table without labels, `[examples, count]`; None where it has not so many columns."""
    rows = []
    for number, cells, _ in _lines(path, limit, least=1):
        if len(cells) != count:
            return None
        rows.append(_numbers(path, number, cells))
    return np.stack(rows)


def _lines(path: Path, limit: int, least: int = 2) -> Iterator[tuple[int, list[str], list[str]]]:
    """(number, cells, heading) of every line but the heading and empty ones: at least one, all of one width."""
    number, kept, width = 0, 0, 0
    heading: list[str] = []
    with open_data(path) as source:
        while line := source.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise DataError(f"{path}, line {number}: a line has at most {MAX_LINE} bytes, this one more; split it")
            try:
                text = line.decode("utf-8-sig").strip()
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}, line {number}: needs UTF-8 text, found other bytes; save the table as CSV in UTF-8"
                ) from error
            cells = _cells(path, number, text)
            if cells == [""]:
                continue
            if len(cells) == 1 and any(sign in text for sign in ";\t"):
                sign = "semicolons" if ";" in text else "tabs"
                raise DataError(f"{path}, line {number}: needs commas between the cells, found {sign}; replace them")
            if number == 1 and not any(map(_is_number, cells)):
                heading = cells
                continue
            needed = f"{width or len(heading)} columns as {'above' if width else 'the heading has'}"
            if not width and not heading and len(cells) < least:
                needed = "features and a label, with commas between"
            if len(cells) < least or len(cells) != (width or len(heading) or len(cells)):
                raise DataError(f"{path}, line {number}: needs {needed}, found {len(cells)}; fix the line")
            width = len(cells)
            kept += 4 * width
            if kept > limit:
                raise DataError(f"{path}, line {number}: the table passes the limit of {limit} bytes; split the file")
            yield number, cells, heading
    if not width:
        raise DataError(f"{path}: needs at least one line of numbers, found none; check that it is the right file")


def _cells(path: Path, number: int, text: str) -> list[str]:
    """The cells of a line, without spaces and quotes around them."""
    if '"' not in text:
        return [cell.strip() for cell in text.split(",")]
    try:
        return [cell.strip() for cell in next(csv.reader([text], skipinitialspace=True, strict=True))]
    except csv.Error:
        raise DataError(f'{path}, line {number}: needs a second " for every ", found one alone; fix the line') from None


def _label_column(path: Path, label: int | str, heading: list[str], width: int) -> int:
    """The place of the labels, from 0."""
    if isinstance(label, str):
        if not heading:
            raise DataError(
                f"{path}: needs a heading line to find the column {label!r}, found none; pass its number from 0"
            )
        if heading.count(label) != 1:
            if label in heading:
                raise DataError(f"{path}: needs one column called {label!r}, found two; pass its number")
            raise DataError(f"{path}: no column is called {label!r}; {closest(label, heading)}")
        return heading.index(label)
    if not -width <= label < width:
        raise DataError(f"{path}: the label column is {-width} to {width - 1}, found {label}; pass -1 for the last")
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


def _numbers(path: Path, line: int, cells: list[str], but: int = -1) -> NDArray[np.float32]:
    """The cells as numbers, all but one."""
    values = [_number(path, line, at + 1, cell) for at, cell in enumerate(cells) if at != but]
    return np.array(values, dtype=np.float32)


def _number(path: Path, line: int, column: int, cell: str) -> float:
    if not cell:
        raise DataError(
            f"{path}, line {line}, column {column}: needs a number, found nothing; fill it in, or leave the line out"
        )
    if not _is_number(cell):
        fix = "replace it by a number, or leave the line out"
        if line == 1:
            fix = "a heading has words only, an example numbers and its label"
        raise DataError(f"{path}, line {line}, column {column}: needs a number, found {cell!r}; {fix}")
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


def _names(archive: zipfile.ZipFile) -> str:
    names = [name.removesuffix(".npy")[:40] for name in archive.namelist()]
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") or "none"


def _member(path: Path, archive: zipfile.ZipFile, key: str, limit: int) -> NDArray[Any]:
    if f"{key}.npy" not in archive.namelist():
        raise DataError(
            f"{path}: needs the arrays x and y, found {_names(archive)}; save it with numpy.savez(path, x=images, "
            f"y=labels)"
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
