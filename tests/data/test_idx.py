"""IDX files: what is written comes back, the bytes are the format's, and every lie in a header is caught by name."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperback.data import read_idx, write_idx
from paperback.errors import DataError, PaperbackError

NAMES = ["u1", "i1", "i2", "i4", "f4", "f8"]
arrays = st.sampled_from(NAMES).flatmap(
    lambda name: hnp.arrays(np.dtype(name), hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=5))
)
GOOD = bytes.fromhex("00000801 00000003 010203")
HUGE = struct.pack(">4B3I", 0, 0, 8, 3, 60_000, 28, 28)


def failure(path: Path, **options: int) -> str:
    with pytest.raises(DataError) as caught:
        read_idx(path, **options)
    assert isinstance(caught.value, PaperbackError) and isinstance(caught.value, ValueError)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


@given(array=arrays, end=st.sampled_from(["", ".gz"]))
@settings(deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, end: str) -> None:
    path = tmp_path_factory.mktemp("idx") / f"a.idx{end}"
    write_idx(path, array)
    back = read_idx(path)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.dtype.isnative and back.flags.writeable
    assert back.tobytes() == array.tobytes()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", NAMES)
def test_foreign_byte_order_and_strides(tmp_path: Path, name: str) -> None:
    array = np.arange(24).reshape(4, 6).astype(">" + name)[::-1, ::2].T
    write_idx(tmp_path / "a.idx", array)
    np.testing.assert_array_equal(read_idx(tmp_path / "a.idx"), array)


@pytest.mark.parametrize(
    ("array", "written"),
    [
        (np.array([1, 2, 3], np.uint8), "00 00 08 01 00000003 01 02 03"),
        (np.array([[-1]], np.int8), "00 00 09 02 00000001 00000001 ff"),
        (np.array([-2], np.int16), "00 00 0b 01 00000001 fffe"),
        (np.array([258], np.int32), "00 00 0c 01 00000001 00000102"),
        (np.array([1.0], np.float32), "00 00 0d 01 00000001 3f800000"),
        (np.array([1.0], np.float64), "00 00 0e 01 00000001 3ff0000000000000"),
    ],
)
def test_the_bytes_are_the_formats(tmp_path: Path, array: np.ndarray, written: str) -> None:
    path = tmp_path / "a.idx"
    write_idx(path, array)
    assert path.read_bytes() == bytes.fromhex(written)


def test_gzip_is_seen_by_content_and_written_the_same_every_time(tmp_path: Path) -> None:
    (tmp_path / "bare").write_bytes(gzip.compress(GOOD))
    assert read_idx(tmp_path / "bare").tolist() == [1, 2, 3]
    halves = gzip.compress(GOOD[:5]) + gzip.compress(GOOD[5:])
    (tmp_path / "bare").write_bytes(halves)
    assert read_idx(tmp_path / "bare").tolist() == [1, 2, 3]
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, np.arange(1000, dtype=np.int16))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an IDX file starts with 4 bytes, this one has 0; fetch it again"),
        (b"\0\0\x08", "an IDX file starts with 4 bytes, this one has 3; fetch it again"),
        (b"PK\x03\x04", "an IDX file starts with bytes 00 00, this one with 50 4b; it is not an IDX file"),
        (
            b"\0\0\x0a\x01",
            "byte 2 of an IDX file is one of 08 09 0b 0c 0d 0e, here it is 0a; fetch the file again",
        ),
        (b"\0\0\x08\0", "byte 3 of an IDX file, the rank, is 1 to 32, here it is 0; fetch the file again"),
        (b"\0\0\x08\xff", "byte 3 of an IDX file, the rank, is 1 to 32, here it is 255; fetch the file again"),
        (
            b"\0\0\x08\x02\0\0\0\x03\0\0",
            "the header announces 2 extents of 4 bytes, 6 bytes follow; fetch the file again",
        ),
        (GOOD[:-1], "the header claims 3 uint8 = 3 bytes, 2 follow; fetch the file again"),
        (HUGE, "the header claims 60000x28x28 uint8 = 47040000 bytes, 0 follow; fetch the file again"),
        (
            struct.pack(">4B2I", 0, 0, 0x0E, 2, 2**32 - 1, 2**32 - 1),
            "the header claims 4294967295x4294967295 float64 = 147573952520956936200 bytes, the limit is 8589934592; "
            "pass a larger limit= if you trust the file",
        ),
        (
            struct.pack(">4B3I", 0, 0, 8, 3, 0, 2**32 - 1, 2**32 - 1),
            "the header claims 0x4294967295x4294967295 uint8 = 18446744065119617025 bytes, the limit is 8589934592; "
            "pass a larger limit= if you trust the file",
        ),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_malformed(tmp_path: Path, content: bytes, message: str, pack: type[bytes]) -> None:
    path = tmp_path / "bad.idx"
    path.write_bytes(pack(content))
    assert failure(path) == message


def test_trailing_bytes(tmp_path: Path) -> None:
    path = tmp_path / "bad.idx"
    path.write_bytes(GOOD + b"!")
    assert failure(path) == "the header claims 3 uint8 = 3 bytes, 4 follow; fetch the file again"
    path.write_bytes(gzip.compress(GOOD + b"!"))
    assert failure(path) == "the header claims 3 uint8 = 3 bytes, more follow; fetch the file again"


def test_bad_gzip(tmp_path: Path) -> None:
    path = tmp_path / "bad.gz"
    packed = gzip.compress(GOOD)
    truncated = "the gzip stream stops before its end; fetch the file again"
    for kept in range(2, len(packed)):
        path.write_bytes(packed[:kept])
        assert failure(path) == truncated
    path.write_bytes(packed[:-8] + bytes(4) + packed[-4:])
    assert failure(path).startswith("the gzip stream is damaged (CRC check failed")
    path.write_bytes(packed[:10] + b"\xff" * 20)
    assert failure(path).startswith("the gzip stream is damaged (Error -3")
    path.write_bytes(packed + b"rubbish")
    assert failure(path) == "the gzip stream is damaged (Not a gzipped file (b'ru')); fetch the file again"


def test_any_bytes_give_an_array_or_a_typed_error(tmp_path: Path) -> None:
    path = tmp_path / "any"

    @given(st.binary(max_size=40).map(lambda tail: b"\0\0" + tail) | st.binary(max_size=60))
    @settings(deadline=None, max_examples=200)
    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            array = read_idx(path)
        except DataError:
            return
        assert array.nbytes + 4 + 4 * array.ndim == len(content)

    check()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_claim_takes_no_memory(tmp_path: Path, pack: type[bytes]) -> None:
    path = tmp_path / "big.idx"
    path.write_bytes(pack(struct.pack(">4BI", 0, 0, 8, 1, 1 << 30) + b"abc"))
    tracemalloc.start()
    try:
        assert failure(path) == "the header claims 1073741824 uint8 = 1073741824 bytes, 3 follow; fetch the file again"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 23


def test_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    write_idx(path, np.zeros(1000, np.uint8))
    assert len(read_idx(path, limit=1000)) == 1000
    assert failure(path, limit=999) == (
        "the header claims 1000 uint8 = 1000 bytes, the limit is 999; pass a larger limit= if you trust the file"
    )


def test_nothing_there(tmp_path: Path) -> None:
    assert failure(tmp_path / "no") == "needs a data file, found nothing there; check the path"
    assert failure(tmp_path) == "needs a file, found something else; name a file inside it"


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.zeros(2, np.int64),
            "IDX holds uint8, int8, int16, int32, float32 or float64, the array is int64; "
            "convert it first, as in array.astype(numpy.int32)",
        ),
        (
            np.zeros(2, bool),
            "IDX holds uint8, int8, int16, int32, float32 or float64, the array is bool; "
            "convert it first, as in array.astype(numpy.int32)",
        ),
        (np.zeros((), np.uint8), "IDX holds 1 to 32 axes, the array has 0; reshape it"),
    ],
)
def test_what_idx_cannot_hold(tmp_path: Path, array: np.ndarray, message: str) -> None:
    path = tmp_path / "a.idx"
    with pytest.raises(DataError) as caught:
        write_idx(path, array)
    assert str(caught.value) == f"{path}: {message}"
    assert not list(tmp_path.iterdir())


def test_an_extent_too_long(tmp_path: Path) -> None:
    path = tmp_path / "a.idx"
    long = np.broadcast_to(np.uint8(0), (1 << 32,))
    with pytest.raises(DataError) as caught:
        write_idx(path, long)
    assert str(caught.value) == f"{path}: an IDX extent is below 2^32, the array's shape is (4294967296,); split it"


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.idx"
    write_idx(path, np.array([1, 2, 3], np.uint8))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError) as caught:
        write_idx(path, np.zeros(5, np.uint8))
    assert str(caught.value) == f"{path}: cannot be written (No space left on device); choose another place"
    assert path.read_bytes() == GOOD and [entry.name for entry in tmp_path.iterdir()] == ["a.idx"]
    with pytest.raises(DataError, match=r"cannot be written \(No such file or directory\); choose another place$"):
        write_idx(tmp_path / "no" / "a.idx", np.zeros(5, np.uint8))
