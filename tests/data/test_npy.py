"""NPY files: whole or mapped, the same numbers; lying headers are named; training on a mapped set copies no set."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paperback import nn
from paperback.data import map_array, read_npy, write_idx
from paperback.errors import DataError, PaperbackError
from paperback.learn.model import Model

RANDOM = np.random.default_rng(0)
ARRAYS = [
    RANDOM.normal(size=(4, 3)),
    RANDOM.normal(size=(4, 3, 2)).astype(">f4"),
    np.asfortranarray(RANDOM.integers(0, 9, (5, 2))),
    RANDOM.integers(0, 2, 7).astype(bool),
    RANDOM.integers(0, 255, (2, 3), dtype=np.uint8),
]


def refusal(call: Any) -> str:
    with pytest.raises(DataError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_read_and_mapped_are_what_was_saved(tmp_path: Path, array: Any) -> None:
    np.save(tmp_path / "a.npy", array)
    whole, mapped = read_npy(tmp_path / "a.npy"), map_array(tmp_path / "a.npy")
    np.testing.assert_array_equal(whole, array)
    np.testing.assert_array_equal(mapped, array)
    assert whole.dtype == array.dtype.newbyteorder("=") and whole.dtype.isnative
    assert isinstance(mapped, np.memmap) and not mapped.flags.writeable
    (tmp_path / "b.npy").write_bytes(gzip.compress((tmp_path / "a.npy").read_bytes()))
    np.testing.assert_array_equal(read_npy(tmp_path / "b.npy"), array)


def test_idx_is_mapped_too(tmp_path: Path) -> None:
    for array in (ARRAYS[4], ARRAYS[1].astype("f4"), np.arange(6, dtype=np.int32)):
        write_idx(tmp_path / "a", array)
        np.testing.assert_array_equal(map_array(tmp_path / "a"), array)


def saved(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


GOOD = saved(np.zeros((4, 3)))
LIE = "the header claims shape (4, 3) of float64 = 96 bytes"
BAD: list[tuple[bytes, str, str]] = [
    (GOOD[:-1], f"{LIE}, 95 follow; write the file again", f"{LIE}, 95 follow; write the file again"),
    (GOOD + b"x", f"{LIE}, more follow; write the file again", f"{LIE}, 97 follow; write the file again"),
    (
        GOOD.replace(b"(4, 3)", b"(4,-3)"),
        "needs an array as NPY, found none (a shape of (4, -3)); write it with numpy.save",
        "needs an array as NPY, found none (a shape of (4, -3)); write it with numpy.save",
    ),
    (
        saved(np.array(["a"])),
        "the array must hold numbers, it holds <U1; convert it with astype",
        "the array must hold numbers, it holds <U1; convert it with astype",
    ),
]


@pytest.mark.parametrize(("data", "whole", "mapped"), BAD, ids=[whole[:50] for _, whole, _ in BAD])
def test_files_that_are_refused(tmp_path: Path, data: bytes, whole: str, mapped: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    assert refusal(lambda: read_npy(path)) == f"{path}: {whole}"
    assert refusal(lambda: map_array(path)) == f"{path}: {mapped}"


def test_what_cannot_be_mapped(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(gzip.compress(GOOD))
    assert refusal(lambda: map_array(path)) == (
        f"{path}: only what is not compressed can be mapped, this is gzip; unpack it with gunzip"
    )
    for empty in (np.zeros((0, 3)), np.zeros(())):
        np.save(path, empty)
        assert refusal(lambda: map_array(path)) == (
            f"{path}: an array that is mapped has examples, this one has shape {empty.shape}; check the file"
        )
    path.write_bytes(b"hello, world")
    assert "an IDX file starts with bytes 00 00" in refusal(lambda: map_array(path))
    assert refusal(lambda: map_array(tmp_path / "b")).endswith("needs a data file, found nothing there; check the path")
    np.save(path, np.zeros((4, 3)), allow_pickle=False)
    assert refusal(lambda: read_npy(path, limit=95)) == (
        f"{path}: claims shape (4, 3) of float64, the limit is 95 bytes; use map_array"
    )


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    for read in (read_npy, map_array):
        assert "the array must hold numbers, it holds object" in refusal(lambda read=read: read(tmp_path / "a.npy"))


def test_any_cut_and_any_flipped_byte_of_a_header_is_refused_or_read(tmp_path: Path) -> None:
    path, refused = tmp_path / "a.npy", 0
    cases = [GOOD[:end] for end in range(0, len(GOOD), 3)]
    cases += [GOOD[:at] + bytes([GOOD[at] ^ 0x15]) + GOOD[at + 1 :] for at in range(128)]
    for data in cases:
        path.write_bytes(data)
        for read in (read_npy, map_array):
            try:
                read(path)
            except PaperbackError:
                refused += 1
    assert refused > 2 * len(cases) // 3


def test_training_on_a_mapped_set_takes_the_memory_of_batches(tmp_path: Path) -> None:
    count, shape = 4096, (32, 64, 1)
    whole = count * 4 * 32 * 64  # 32 MiB
    path = tmp_path / "x.npy"
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, *shape))  # type: ignore[no-untyped-call]
    file[:, 0, 0, 0] = np.arange(count) % 2
    del file
    x, y = map_array(path), np.arange(count) % 2
    model = Model(nn.Sequential(nn.Flatten(), nn.Dense(2)), shape)
    tracemalloc.start()
    model.fit(x, y, batch_size=128, validation=(x, y), metrics=["confusion"])
    model.predict(x)
    reached = model.evaluate(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < whole / 3
    np.testing.assert_array_equal(model.predict(np.array(x[:64])), model.predict(x[:64]))
    assert reached["loss"] < 0.69
