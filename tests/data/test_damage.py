"""Damaged files of every format: read, or refused by a typed error, without a warning and without much memory."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import paperback as pb
from paperback import nn
from paperback.errors import PaperbackError

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7), dtype=np.uint8)
LABELS = np.array([0, 1], np.uint8)
ROUNDS = 150
MEMORY = 1 << 26
_NUMBERS = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f")  # as a size: too much, or none


def saved(write: Callable[[BytesIO], Any]) -> bytes:
    buffer = BytesIO()
    write(buffer)
    return buffer.getvalue()


def idx() -> bytes:
    return b"\0\0\x08\x03\0\0\0\x02\0\0\0\x03\0\0\0\x05" + bytes(range(30))


def checkpoint(folder: Path) -> bytes:
    net = nn.Sequential(nn.Conv2d(2, 3), nn.BatchNorm(), nn.Flatten(), nn.Dense(3))
    model = pb.Model(net, (5, 4, 1), engine="numpy")
    model.train_step(optimizer=pb.optim.Adam())(np.ones((4, 5, 4, 1)), [0, 1, 2, 0])
    model.save(folder / "good")
    return (folder / "good").read_bytes()


def picture(kind: str) -> bytes:
    image = pytest.importorskip("PIL.Image")
    return saved(lambda buffer: image.fromarray(PIXELS).save(buffer, kind))


def damaged(good: bytes, chance: random.Random) -> bytes:
    """One to four changes: a byte, a bit, a cut, a gap, an insertion, a number, a piece copied elsewhere."""
    data = bytearray(good)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(data) or 1)
        way = chance.randrange(7)
        if way == 0:
            data[at : at + 1] = bytes([chance.randrange(256)])
        elif way == 1 and data:
            data[at] ^= 1 << chance.randrange(8)
        elif way == 2:
            del data[at:]
        elif way == 3:
            del data[at : at + chance.randrange(1, 20)]
        elif way == 4:
            data[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif way == 5:
            data[at : at + 4] = chance.choice(_NUMBERS)
        else:
            other = chance.randrange(len(data) or 1)
            data[at : at + 10] = data[other : other + 10]
    return bytes(data)


FORMATS: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "npz": (lambda _: saved(lambda b: np.savez_compressed(b, x=np.ones((2, 3, 5)), y=LABELS)), "a.npz"),
    "npy": (lambda _: saved(lambda b: np.save(b, np.arange(30.0).reshape(6, 5))), "a.npy"),
    "csv": (lambda _: b'a,"b",kind\n1,2.5,0\n3,-4e1,2\n"5",6,1\n', "a.csv"),
    "csv, packed": (lambda _: gzip.compress(b"a,b,kind\n1,2.5,red\n3,-4e1,blue\n"), "b.csv.gz"),
    "idx": (lambda _: idx(), "a-images-idx3-ubyte"),
    "idx, packed": (lambda _: gzip.compress(idx()), "a-images-idx3-ubyte.gz"),
    "png": (lambda _: picture("PNG"), "set/a/1.png"),
    "jpeg": (lambda _: picture("JPEG"), "set/a/1.jpg"),
    "tiff": (lambda _: picture("TIFF"), "set/a/1.tif"),
    "checkpoint": (checkpoint, "model"),
}


def read(path: Path, folder: Path) -> object:
    if path.name == "a.npy":
        pb.data.read_npy(path)
        return pb.data.map_array(path)
    if path.name == "model":
        return pb.load(path, engine="numpy")
    return pb.data.load(folder / "set" if path.parent != folder else path)


@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_refused_or_harmless(name: str, tmp_path: Path) -> None:
    make, place = FORMATS[name]
    good, path = make(tmp_path), tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    pb.data.write_idx(tmp_path / "a-labels-idx1-ubyte", LABELS)
    path.write_bytes(good)
    read(path, tmp_path)
    chance, refused = random.Random(name), 0
    tracemalloc.start()
    for _ in range(ROUNDS):
        path.write_bytes(damaged(good, chance))
        try:
            read(path, tmp_path)
        except PaperbackError as error:
            refused += 1
            assert place.split("/")[0] in str(error), error
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > ROUNDS // 4
    assert peak < MEMORY


def test_the_formats_are_all_there() -> None:
    assert len(FORMATS) == 10
