"""Folders of pictures: pixels and labels as they were saved, and every picture that cannot be taken is named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paperback.data import Dataset, load, load_splits, read_images, write_idx
from paperback.data.examples import load_examples
from paperback.errors import DataError

Image = pytest.importorskip("PIL.Image")
RANDOM = np.random.default_rng(0)


def put(path: Path, pixels: Any, mode: str | None = None) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(path)
    return pixels


def grey(rows: int = 4, columns: int = 6) -> Any:
    return RANDOM.integers(0, 256, (rows, columns), dtype=np.uint8)


def refusal(call: Any) -> str:
    with pytest.raises(DataError) as caught:
        call()
    return str(caught.value)


def test_grey_pictures_by_class(tmp_path: Path) -> None:
    saved = [put(tmp_path / place, grey()) for place in ("cat/1.png", "cat/2.PNG", "dog/0.png", "eel/7.png")]
    put(tmp_path / ".hidden" / "1.png", grey())
    (tmp_path / "dog" / "notes.txt").write_text("no picture")
    data = load(tmp_path)
    assert isinstance(data, Dataset)
    assert data.y.tolist() == [0, 0, 1, 2] and data.classes == 3 and data.class_names == ("cat", "dog", "eel")
    assert data.x.shape == (4, 4, 6, 1) and data.x.dtype == np.float32
    np.testing.assert_allclose(data.x[..., 0] * 255, np.stack(saved), atol=1e-4)


def test_colours_make_all_pictures_colours(tmp_path: Path) -> None:
    colour = put(tmp_path / "a" / "1.png", RANDOM.integers(0, 256, (4, 6, 3), dtype=np.uint8))
    plain = put(tmp_path / "b" / "1.png", grey())
    transparent = put(tmp_path / "b" / "2.png", RANDOM.integers(0, 256, (4, 6, 4), dtype=np.uint8))
    images, labels, names = read_images(tmp_path)
    assert images.shape == (3, 4, 6, 3) and labels.tolist() == [0, 1, 1] and names == ("a", "b")
    np.testing.assert_allclose(images[0] * 255, colour, atol=1e-4)
    np.testing.assert_allclose(images[1] * 255, np.repeat(plain[..., None], 3, axis=2), atol=1e-4)
    np.testing.assert_allclose(images[2] * 255, transparent[..., :3], atol=1e-4)


def test_one_size_for_all(tmp_path: Path) -> None:
    put(tmp_path / "a" / "1.png", np.full((4, 6), 51, np.uint8))
    put(tmp_path / "a" / "2.png", np.full((9, 3), 102, np.uint8))
    assert refusal(lambda: read_images(tmp_path)) == (
        f"{tmp_path / 'a' / '2.png'}: needs 4x6 pixels as 1.png, found 9x3; bring all to one size with size=(4, 6), or "
        "--size 4x6 on the command line"
    )
    images, _, _ = read_images(tmp_path, size=(5, 7))
    assert images.shape == (2, 5, 7, 1)
    np.testing.assert_allclose(images[0], 0.2, atol=1e-6)
    np.testing.assert_allclose(images[1], 0.4, atol=1e-6)


def test_hidden_files_and_other_files_are_no_pictures(tmp_path: Path) -> None:
    put(tmp_path / "a" / "1.png", grey())
    for name in ("a/.DS_Store", "a/._1.png", "a/Thumbs.db", "a/notes.txt", ".hidden.png", "readme.md"):
        (tmp_path / name).write_bytes(b"no picture")
    (tmp_path / ".git").mkdir()
    assert len(load(tmp_path)) == 1


def test_sixteen_bits_are_not_cut_to_eight(tmp_path: Path) -> None:
    deep = np.array([[0, 1000, 65535], [256, 40000, 128]], np.uint16)
    put(tmp_path / "a" / "1.png", deep)
    images, _, _ = read_images(tmp_path)
    np.testing.assert_allclose(images[0, ..., 0], deep / 65535, atol=1e-7)
    put(tmp_path / "b" / "1.png", np.full((2, 3, 3), 255, np.uint8))
    images, _, _ = read_images(tmp_path)
    np.testing.assert_allclose(images[0], np.repeat(deep[..., None] / 65535, 3, axis=2), atol=1e-7)
    assert read_images(tmp_path, size=(4, 4))[0].shape == (2, 4, 4, 3)


def test_examples_come_in_the_shape_that_a_network_takes(tmp_path: Path) -> None:
    put(tmp_path / "b.png", np.full((4, 6), 51, np.uint8))
    put(tmp_path / "a.png", np.full((9, 3, 3), 102, np.uint8))
    both = load_examples(tmp_path, (4, 6, 1))
    assert both.shape == (2, 4, 6, 1)
    np.testing.assert_allclose([both[0].mean(), both[1].mean()], [0.4, 0.2], atol=1e-6)
    np.testing.assert_array_equal(load_examples(tmp_path / "b.png", (4, 6, 1)), both[1:])
    assert load_examples(tmp_path / "b.png", (5, 5, 3)).shape == (1, 5, 5, 3)
    put(tmp_path / "set" / "one" / "c.png", RANDOM.integers(0, 256, (4, 6, 3), dtype=np.uint8))
    assert load_examples(tmp_path / "set", (4, 6, 1)).shape == (1, 4, 6, 1)
    assert load(tmp_path / "set", size=(2, 2, 3)).x.shape == (1, 2, 2, 3)
    for text, label in (("1,2\n3,4\n", None), ("1,2,0\n3,4,1\n", None), ("kind,a,b\n0,1,2\n1,3,4\n", "kind")):
        (tmp_path / "t.csv").write_text(text)
        assert load_examples(tmp_path / "t.csv", (2,), label=label).tolist() == [[1, 2], [3, 4]]
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    assert load_examples(tmp_path / "x.npy", (2,)).shape == (3, 2)
    assert len(load_examples(None, (8, 8, 1))) == 1797


def test_train_and_test_folders(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("test", 2)):
        for name in ("x", "y"):
            for number in range(count):
                put(tmp_path / part / name / f"{number}.png", grey())
    train, test = load_splits(tmp_path)
    assert (len(train), len(test), train.class_names) == (6, 4, ("x", "y"))
    put(tmp_path / "test" / "z" / "1.png", grey())
    assert refusal(lambda: load(tmp_path)) == (
        f"{tmp_path}: train and test need the same classes and one shape, found x, y of (4, 6, 1) and x, y, z of "
        f"(4, 6, 1); keep one data set in a folder"
    )


def test_folders_that_are_refused(tmp_path: Path) -> None:
    missing = tmp_path / "no"
    assert refusal(lambda: read_images(missing)) == (
        f"{missing}: needs a folder with one folder for each class, found none; check the path"
    )
    assert refusal(lambda: read_images(tmp_path)) == (
        f"{tmp_path}: needs one folder for each class, found no folder in it; sort the pictures by class"
    )
    (tmp_path / "a").mkdir()
    assert refusal(lambda: read_images(tmp_path)) == (
        f"{tmp_path / 'a'}: needs pictures (.png .jpg .jpeg .bmp .gif .tif .tiff .webp .pgm .ppm), found none; remove "
        f"the empty class"
    )
    put(tmp_path / "a" / "1.png", grey())
    assert refusal(lambda: read_images(tmp_path, size=(0, 3))) == (
        f"{tmp_path / 'a'}: size is (rows, columns), from 1 on, and perhaps 1 or 3 channels, found (0, 3); pass "
        f"size=(32, 32)"
    )
    assert refusal(lambda: read_images(tmp_path, limit=95)) == (
        f"{tmp_path / 'a'}: 1 pictures of 4x6x1 take 96 bytes, the limit is 95; pass a smaller size"
    )


def test_pictures_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a" / "1.png"
    put(path, grey(40, 40))
    whole = path.read_bytes()
    path.write_bytes(b"no picture")
    no_picture = f"{path}: is no picture that Pillow can read; remove the file, or save it again"
    assert refusal(lambda: read_images(tmp_path)) == no_picture
    refused = 0
    for end in range(0, len(whole) - 12, 37):  # the last 12 bytes only say that it ends
        path.write_bytes(whole[:end])
        cut = f"{path}: the picture is damaged or cut short; fetch it again"
        assert refusal(lambda: read_images(tmp_path)) in (no_picture, cut)
        refused += 1
    assert refused > 30
    path.write_bytes(whole)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    message = refusal(lambda: read_images(tmp_path))
    assert message.startswith(f"{path}: more pixels than Pillow thinks safe (") and "smaller" in message


def test_without_pillow_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a" / "1.png", grey())
    for name in [*(name for name in sys.modules if name.startswith("PIL")), "PIL", "PIL.Image"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert refusal(lambda: read_images(tmp_path)) == (
        f"{tmp_path / 'a'}: pictures need Pillow, which is not installed; pip install 'paperback[images]'"
    )


def test_names_are_for_all_classes_or_none() -> None:
    assert refusal(lambda: Dataset(np.zeros((1, 2)), np.zeros(1, int), 2, "data", ("a",))) == (
        "data: needs a name for each of the 2 classes, found 1; name all or none"
    )


def test_the_mnist_files_come_before_folders_beside_them(tmp_path: Path) -> None:
    put(tmp_path / "a" / "1.png", grey())
    for part, count in (("train", 3), ("t10k", 2)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", RANDOM.integers(0, 256, (count, 4, 6), dtype=np.uint8))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.zeros(count, np.uint8))
    train, test = load_splits(tmp_path)
    assert (len(train), len(test)) == (3, 2)
