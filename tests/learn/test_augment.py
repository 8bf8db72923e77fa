"""Augmentations: what each may do to an image, how many it changes, and that the seed decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paperback import nn
from paperback.learn.augment import Augment, Compose, Flip, Noise, Rotate, Shift, rotated
from paperback.learn.model import Model

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(60, 5, 7, 2))
SQUARE = RANDOM.normal(size=(4, 6, 6, 3))


def drawn(augment: Augment, images: Any = IMAGES) -> Any:
    return augment(images, np.random.default_rng(1))


@pytest.mark.parametrize(("vertical", "axis"), [(False, 1), (True, 0)])
def test_a_flip_mirrors_a_share_of_the_images(vertical: bool, axis: int) -> None:
    flipped = drawn(Flip(vertical, 0.4))
    mirrored = [np.array_equal(new, np.flip(old, axis)) for new, old in zip(flipped, IMAGES, strict=True)]
    same = [np.array_equal(new, old) for new, old in zip(flipped, IMAGES, strict=True)]
    assert all(m != s for m, s in zip(mirrored, same, strict=True)) and 12 < sum(mirrored) < 36


@pytest.mark.parametrize("turns", [-3, -2, -1, 0, 1, 2, 3, 4])
def test_a_right_angle_is_rot90(turns: int) -> None:
    np.testing.assert_allclose(rotated(SQUARE, 90 * turns), np.rot90(SQUARE, turns, axes=(1, 2)), atol=1e-8)


def test_bilinear_turns_of_a_plane_are_exact_where_all_neighbours_are_inside() -> None:
    """Bilinear interpolation is exact for a + b*i + c*j: compare with the plane turned on paper."""
    i, j = np.meshgrid(np.arange(9.0), np.arange(12.0), indexing="ij")
    plane = (2 + 0.5 * i - 0.25 * j)[None, :, :, None]
    checked = 0
    for degrees in (-17.0, 3.0, 30.0):
        turned, angle = rotated(plane, degrees)[0, :, :, 0], np.deg2rad(degrees)
        for row, column in np.ndindex(9, 12):
            y, x = 4 - row, column - 5.5  # y upwards: a turn of the picture by `angle` came from -angle
            from_x, from_y = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
            at_row, at_column = 4 - from_y, from_x + 5.5
            if 0 <= at_row <= 8 and 0 <= at_column <= 11:
                assert turned[row, column] == pytest.approx(2 + 0.5 * at_row - 0.25 * at_column, abs=1e-7)
                checked += 1
    assert checked > 200


def test_rotations_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    angles = RANDOM.uniform(-30, 30, len(SQUARE))
    radians = torch.tensor(np.deg2rad(angles))
    zero = torch.zeros_like(radians)
    top = torch.stack([radians.cos(), -radians.sin(), zero], dim=1)
    matrix = torch.stack([top, torch.stack([radians.sin(), radians.cos(), zero], dim=1)], dim=1)
    moved = torch.tensor(SQUARE).permute(0, 3, 1, 2)
    grid = torch.nn.functional.affine_grid(matrix, list(moved.shape), align_corners=False)
    theirs = torch.nn.functional.grid_sample(moved, grid, padding_mode="zeros", align_corners=False)
    np.testing.assert_allclose(rotated(SQUARE, angles), theirs.permute(0, 2, 3, 1).numpy(), atol=1e-7)


def test_a_share_of_the_images_turns() -> None:
    turned = drawn(Rotate(20, 0.5))
    same = sum(np.array_equal(new, old) for new, old in zip(turned, IMAGES, strict=True))
    assert 15 < same < 45 and turned.shape == IMAGES.shape
    assert drawn(Rotate(20), IMAGES.astype("float32")).dtype == np.float32
    assert drawn(Rotate(20), np.ones((2, 3, 3, 1), dtype=np.uint8)).dtype == np.float32


def test_noise_is_normal_of_the_given_scale() -> None:
    noise = drawn(Noise(0.3, 0.5)) - IMAGES
    still = (noise == 0).all(axis=(1, 2, 3))
    assert 15 < still.sum() < 45
    assert noise[~still].std() == pytest.approx(0.3, rel=0.1) and abs(noise[~still].mean()) < 0.03
    assert drawn(Noise(1), np.zeros((3, 4))).shape == (3, 4)


def test_a_composition_is_one_after_the_other_with_one_generator() -> None:
    generator = np.random.default_rng(1)
    expected = IMAGES
    for part in (Shift(1), Flip(), Rotate(5), Noise(0.1)):
        expected = part(expected, generator)
    np.testing.assert_array_equal(drawn(Compose(Shift(1), Flip(), Rotate(5), Noise(0.1))), expected)
    np.testing.assert_array_equal(drawn(Compose()), IMAGES)
    assert Compose(Flip(), Noise(1)) == Compose(Flip(), Noise(1)) != Compose(Noise(1), Flip())


@pytest.mark.parametrize("augment", [Shift(2, 0), Flip(share=0), Flip(True, 0), Rotate(9, 0), Rotate(0), Noise(9, 0)])
def test_a_share_of_nothing_changes_nothing(augment: Augment) -> None:
    np.testing.assert_array_equal(drawn(augment), IMAGES)


def test_seed_and_step_decide_after_a_resume_too() -> None:
    change, labels = Compose(Shift(1), Flip(), Rotate(8), Noise(0.05)), np.arange(60) % 3
    net = nn.Sequential(nn.Flatten(), nn.Dense(3))
    whole, parts, other = (Model(net, (5, 7, 2), seed=seed) for seed in (1, 1, 2))
    whole.fit(IMAGES, labels, batch_size=16, epochs=4, augment=change)
    for _ in range(2):
        parts.fit(IMAGES, labels, batch_size=16, epochs=2, augment=change)
    assert whole.parameters["dense_1.w"].tobytes() == parts.parameters["dense_1.w"].tobytes()
    seen: list[Any] = []

    def look(batch: Any, generator: np.random.Generator) -> Any:
        seen.append(change(batch, generator))
        return seen[-1]

    for model in (other, Model(net, (5, 7, 2), seed=2), Model(net, (5, 7, 2), seed=3)):
        model.fit(IMAGES, labels, batch_size=60, shuffle=False, augment=look)
    assert np.array_equal(seen[0], seen[1]) and not np.array_equal(seen[0], seen[2])
