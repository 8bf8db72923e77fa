"""CSV and NPZ: the numbers come through as they stand, and every bad cell and lying header is named."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperback.data import Dataset, load, load_splits
from paperback.errors import DataError

pixels = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
LABELS = np.array([1, 0], np.uint8)


def words(call: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    "text",
    ["1,2.5,0\n3,-4e1,2\n", "a,b,label\r\n1, 2.5 ,0\r\n\r\n3,-4e1,2", "\ufeff1,2.5,0\n3,-40,2.0"],
    ids=["bare", "heading", "byte order mark"],
)
def test_csv(tmp_path: Path, text: str, pack: type[bytes]) -> None:
    path = tmp_path / ("a.csv" if pack is bytes else "a.CSV.gz")
    path.write_bytes(pack(text.encode()))
    data = load(path)
    assert isinstance(data, Dataset)
    assert (data.x.tolist(), data.y.tolist(), data.classes) == ([[1, 2.5], [3, -40]], [0, 2], 3)
    assert (data.x.dtype, data.y.dtype) == (np.float32, np.int64)


singles = st.floats(width=32, allow_nan=False, allow_infinity=False)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.tuples(st.lists(singles, min_size=width, max_size=width), st.integers(0, 9)), min_size=1, max_size=6
    )
)


@given(tables)
@settings(deadline=None)
def test_csv_round_trip(tmp_path_factory: pytest.TempPathFactory, table: list[tuple[list[float], int]]) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_text("".join(",".join(map(repr, [*features, label])) + "\n" for features, label in table))
    data = load(path)
    assert isinstance(data, Dataset)
    assert data.x.tolist() == [features for features, _ in table]
    assert data.y.tolist() == [label for _, label in table]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("kind", ["<f4", ">f8", "<i2", "?"])
def test_npz(tmp_path: Path, save: Callable[..., None], kind: str) -> None:
    x = np.asfortranarray(np.arange(6).reshape(2, 3) % 2).astype(kind)
    save(tmp_path / "a.npz", x=x, y=np.array([0, 1]), more=np.zeros(3))
    data = load(tmp_path / "a.npz")
    assert isinstance(data, Dataset)
    assert data.x.tolist() == [[0, 1, 0], [1, 0, 1]] and data.x.dtype == np.float32 and data.y.tolist() == [0, 1]


def test_npz_images(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=pixels, y=LABELS)
    data = load(tmp_path / "a.npz")
    assert isinstance(data, Dataset)
    assert data.x.shape == (2, 3, 5, 1) and data.x.max() == np.float32(29) / np.float32(255)


def npy(array: np.ndarray) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def claim(shape: str) -> bytes:
    """A .npy file that claims a shape and holds one number."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\x07"


def test_bad_npz(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(b"not a zip file")
    assert words(lambda: load(path)) == (
        f"{path}: needs an NPZ archive, found none (File is not a zip file); save it with numpy.savez"
    )
    npz(path, x=npy(pixels))
    assert words(lambda: load(path)) == (
        f"{path}: needs the arrays x and y, found x; save it with numpy.savez(path, x=images, y=labels)"
    )
    for bad in (b"", b"\x93NUMPY", npy(pixels)[:40], npy(pixels)[:8] + b"\xff\xff" + npy(pixels)[10:], claim("(-1,)")):
        npz(path, x=bad, y=npy(LABELS))
        assert words(lambda: load(path)).startswith(f"{path}: the array x is damaged (")
    npz(path, x=npy(pixels)[:-1], y=npy(LABELS))
    assert words(lambda: load(path)) == (
        f"{path}: the array x claims shape (2, 3, 5) of uint8 = 30 bytes, 29 follow; save it again"
    )
    npz(path, x=npy(pixels) + b"!", y=npy(LABELS))
    assert words(lambda: load(path)) == (
        f"{path}: the array x claims shape (2, 3, 5) of uint8 = 30 bytes, more follow; save it again"
    )
    npz(path, x=claim("(1000000000, 8)"), y=npy(LABELS))
    assert words(lambda: load(path)) == (
        f"{path}: the array x claims shape (1000000000, 8) of uint8 = 8000000000 bytes, 1 follow; save it again"
    )
    npz(path, x=claim("(1000000000000, 0)"), y=npy(LABELS))
    assert words(lambda: load(path)) == (
        f"{path}: the array x claims shape (1000000000000, 0) of uint8, the limit is 8589934592 bytes; split it"
    )
    npz(path, x=npy(np.array([[1 + 2j]])), y=npy(LABELS))
    assert words(lambda: load(path)) == (
        f"{path}: the array x must hold numbers, it holds complex128; convert it with astype"
    )
    npz(path, x=npy(pixels), y=npy(np.array(["a", "b"])))
    assert words(lambda: load(path)) == f"{path}: the array y must hold numbers, it holds <U1; convert it with astype"


class Bomb:
    """Would leave a file behind if it were ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, x=np.array([Bomb(tmp_path / "boom")], dtype=object), y=LABELS)
    assert words(lambda: load(path)) == (
        f"{path}: the array x must hold numbers, it holds object; convert it with astype"
    )
    assert not (tmp_path / "boom").exists()


def test_any_damage_is_a_typed_error(tmp_path: Path) -> None:
    whole = npz(tmp_path / "good.npz", x=npy(pixels), y=npy(LABELS)).read_bytes()
    path = tmp_path / "bad.npz"

    @given(place=st.integers(0, len(whole) - 1), value=st.integers(0, 255), cut=st.booleans())
    @settings(deadline=None, max_examples=200)
    def check(place: int, value: int, cut: bool) -> None:
        path.write_bytes(whole[:place] if cut else whole[:place] + bytes([value]) + whole[place + 1 :])
        try:
            data = load(path)
        except DataError:
            return
        assert isinstance(data, Dataset) and len(data) == 2

    check()


@pytest.mark.parametrize("label", ["kind", 1, -2])
def test_the_label_may_stand_in_any_column(tmp_path: Path, label: int | str) -> None:
    path = tmp_path / "a.csv"
    path.write_text('height,"kind",width\n1,0,2.5\n3,2,-4\n')
    train, held_out = load_splits(path, label=label, held_out=0.5)
    assert sorted([*train.y.tolist(), *held_out.y.tolist()]) == [0, 2]
    data = load(path, label=label)
    assert isinstance(data, Dataset)
    assert (data.x.tolist(), data.y.tolist()) == ([[1, 2.5], [3, -4]], [0, 2])


@pytest.mark.parametrize(
    "text", ["a,b,kind\n1,2,tulip\n3,4,rose\n5,6,tulip\n", '"1", "2","tulip"\n3,4,"rose"\n5,6,tulip']
)
def test_labels_may_be_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    data = load(path)
    assert isinstance(data, Dataset)
    assert (data.x.tolist(), data.y.tolist()) == ([[1, 2], [3, 4], [5, 6]], [1, 0, 1])
    assert (data.classes, data.class_names) == (2, ("rose", "tulip"))


def test_quotes_hold_commas_and_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"1.5",2,"red, or ""pink"""\n3,4,white\n')
    assert load(path).class_names == ('red, or "pink"', "white")
    assert load(path).x.tolist() == [[1.5, 2], [3, 4]]
