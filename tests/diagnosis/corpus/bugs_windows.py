"""Mistakes in convolutions and poolings."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.diagnosis.corpus.bug import alter, plant, wrong
from tests.diagnosis.corpus.operation import Array, normal
from tests.diagnosis.corpus.operations import OPERATIONS
from tests.diagnosis.corpus.windows import avg_pool, crop, pad, patches, pixels, spread

Gradients = tuple[Any, ...]
conv1d, conv2d, strided, flipped = (
    OPERATIONS[n].backward for n in ("conv1d", "conv2d", "conv2d strided", "conv2d flipped")
)
same = normal((2, 3, 5, 4), (3, 3, 3, 3), (3,))  # as many channels in as out


def last(parts: Array, shape: tuple[int, ...], stride: int) -> Array:
    """`spread` that writes over what is there."""
    *_, height, width, rows, columns = parts.shape
    x = np.zeros(shape, parts.dtype)
    for k in range(rows):
        for l in range(columns):
            x[:, :, k : k + stride * height : stride, l : l + stride * width : stride] = parts[..., k, l]
    return x


# --- flips ---


@wrong("conv2d", "w", "not-flipped")
def dw_is_flipped(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    dx, dw, db = conv2d(g, x, w, b)
    return dx, dw[:, :, ::-1, ::-1], db


@wrong("conv2d", "x", "not-flipped argument-transformed")
def dx_is_correlated_with_the_flipped_kernel(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    return conv2d(g, x, w[:, :, ::-1, ::-1], b)[0], *conv2d(g, x, w, b)[1:]


@wrong("conv2d strided", "x", "not-flipped argument-transformed")
def dx_flips_the_rows_alone(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    return strided(g, x, w[:, :, ::-1], b)[0], *strided(g, x, w, b)[1:]


@wrong("conv2d flipped", "w", "not-flipped")
def dw_is_not_flipped(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    dx, dw, db = flipped(g, x, w, b)
    return dx, dw[:, :, ::-1, ::-1], db


@wrong("conv2d flipped", "x", "not-flipped argument-transformed")
def dx_is_not_flipped(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    return flipped(g, x, w[:, :, ::-1, ::-1], b)[0], *flipped(g, x, w, b)[1:]


@wrong("conv1d", "w", "not-flipped")
def the_kernel_runs_backwards(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    dx, dw, db = conv1d(g, x, w, b)
    return dx, dw[:, :, ::-1], db


@wrong("depthwise", "w", "not-flipped")
def only_columns_are_flipped(g: Array, x: Array, w: Array) -> Gradients:
    dx, dw = OPERATIONS["depthwise"].backward(g, x, w)
    return dx, dw[:, :, ::-1]


# --- axes ---


@wrong("conv2d strided", "w", "axes-swapped")
def dw_has_columns_before_rows(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    dx, dw, db = strided(g, x, w, b)
    return dx, dw.transpose(0, 1, 3, 2), db


@wrong("conv2d flipped", "w", "axes-swapped", sample=same)
def dw_has_channels_in_before_out(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    dx, dw, db = flipped(g, x, w, b)
    return dx, dw.transpose(1, 0, 2, 3), db


@wrong("conv2d flipped", "x", "axes-swapped argument-transformed", sample=same)
def dx_contracts_the_channels_in(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    return flipped(g, x, w.transpose(1, 0, 2, 3), b)[0], *flipped(g, x, w, b)[1:]


@wrong("conv2d strided", "x", "axes-swapped argument-transformed")
def dx_reads_the_kernel_by_columns(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    return strided(g, x, w.transpose(0, 1, 3, 2), b)[0], *strided(g, x, w, b)[1:]


@wrong("conv2d", "w", "axes-swapped")
def dw_is_reshaped_where_it_should_be_transposed(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    dx, dw, db = conv2d(g, x, w, b)
    return dx, dw.transpose(1, 2, 3, 0).reshape(w.shape), db


@wrong("depthwise", "w", "axes-swapped", sample=normal((3, 2, 6, 5), (2, 3, 3)))
def the_square_kernel_is_transposed(g: Array, x: Array, w: Array) -> Gradients:
    dx, dw = OPERATIONS["depthwise"].backward(g, x, w)
    return dx, dw.transpose(0, 2, 1)


@wrong("max pool", "x", "axes-swapped", sample=pixels(2, 3, 7, 7))
def the_square_image_is_transposed(g: Array, x: Array) -> Gradients:
    return (OPERATIONS["max pool"].backward(g, x)[0].transpose(0, 1, 3, 2),)


@wrong("average pool", "x", "axes-swapped", sample=pixels(3, 3, 7, 5))
def items_and_channels_are_exchanged(g: Array, x: Array) -> Gradients:
    return (OPERATIONS["average pool"].backward(g, x)[0].transpose(1, 0, 2, 3),)


@wrong("upsample", "x", "axes-swapped")
def pixels_are_read_by_columns(g: Array, x: Array) -> Gradients:
    dx = OPERATIONS["upsample"].backward(g, x)[0]
    return (dx.transpose(0, 1, 3, 2).reshape(x.shape),)


# --- accumulation ---


@wrong("conv1d", "x", "overwrite")
def windows_write_over_each_other(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    parts = np.einsum("noi,ock->ncik", g, w)[:, :, :, None, :, None]
    return last(parts, (*x.shape, 1), 2)[..., 0], *conv1d(g, x, w, b)[1:]


@wrong("conv2d", "x", "overwrite")
def the_last_window_stays(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    return last(np.einsum("noij,ockl->ncijkl", g, w), x.shape, 1), *conv2d(g, x, w, b)[1:]


@wrong("depthwise", "x", "overwrite")
def each_window_is_assigned(g: Array, x: Array, w: Array) -> Gradients:
    return last(np.einsum("ncij,ckl->ncijkl", g, w), x.shape, 1), OPERATIONS["depthwise"].backward(g, x, w)[1]


@wrong("max pool", "x", "overwrite")
def a_maximum_of_several_windows_keeps_the_last(g: Array, x: Array) -> Gradients:
    seen = patches(x, (3, 3), 2)
    best = seen.reshape(*seen.shape[:4], -1).argmax(-1)
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*best.shape):
        k, l = divmod(int(best[n, c, i, j]), 3)
        dx[n, c, 2 * i + k, 2 * j + l] = g[n, c, i, j]
    return (dx,)


@wrong("average pool", "x", "overwrite")
def overlaps_are_assigned(g: Array, x: Array) -> Gradients:
    parts = np.broadcast_to(g[..., None, None] / 9, (*g.shape, 3, 3))
    return (crop(last(parts, pad(x, 1).shape, 2), 1),)


@wrong("upsample", "x", "overwrite broadcast-not-summed upstream-first")
def one_pixel_of_each_block_is_read(g: Array, x: Array) -> Gradients:
    return (g[:, :, ::2, ::3] * 1,)


@wrong("average pool", "x", "overlap-averaged")
def what_overlaps_is_averaged(g: Array, x: Array) -> Gradients:
    count = crop(spread(np.ones((*g.shape, 3, 3)), pad(x, 1).shape, 2), 1)
    return (OPERATIONS["average pool"].backward(g, x)[0] / count,)


@wrong("conv2d", "x", "overlap-averaged")
def what_windows_share_is_averaged(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    dx, dw, db = conv2d(g, x, w, b)
    return dx / spread(np.ones((3, 2, *g.shape[2:], 3, 2)), x.shape, 1), dw, db


# --- places, masks, means, sums ---


@wrong("conv2d strided", "x", "shifted")
def padding_is_cut_off_at_one_end(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    parts = np.einsum("noij,ockl->ncijkl", g, w)
    return spread(parts, pad(x, 1).shape, 2)[:, :, :-2, :-2], *strided(g, x, w, b)[1:]


@wrong("average pool", "x", "shifted")
def columns_are_off_by_one(g: Array, x: Array) -> Gradients:
    parts = np.broadcast_to(g[..., None, None] / 9, (*g.shape, 3, 3))
    return (spread(parts, pad(x, 1).shape, 2)[:, :, 1:-1, :-2],)


@wrong("conv1d", "w", "shifted")
def dw_is_read_one_tap_late(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    dx, _, db = conv1d(g, x, w, b)
    return dx, conv1d(g, np.pad(x, ((0, 0), (0, 0), (1, 0)))[:, :, :-1], w, b)[1], db


@wrong("conv2d strided", "x", "branch argument-transformed upstream-transformed wrong-derivative")
def the_stride_is_taken_for_one(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    dx = crop(spread(np.einsum("noij,ockl->ncijkl", g, w), pad(x, 1).shape, 1), 1)
    return dx, *strided(g, x, w, b)[1:]


@wrong("max pool", "x", "mask-missing")
def every_entry_of_the_window_gets_it(g: Array, x: Array) -> Gradients:
    return (spread(np.broadcast_to(g[..., None, None], (*g.shape, 3, 3)), x.shape, 2),)


@wrong("max pool", "x", "mask-wrong-side wrong-derivative")
def the_minimum_gets_it(g: Array, x: Array) -> Gradients:
    return OPERATIONS["max pool"].backward(g, -x)


@wrong("average pool", "x", "missing-mean factor")
def nothing_divides_by_the_window(g: Array, x: Array) -> Gradients:
    return (9 * avg_pool(3, 2, 1)[1](g, x)[0],)


@wrong("average pool", "x", "branch unequal-parts overlap-averaged")
def padding_does_not_count_in_the_backward_alone(g: Array, x: Array) -> Gradients:
    count = patches(pad(np.ones_like(x), 1), (3, 3), 2).sum((4, 5))
    return avg_pool(3, 2, 1)[1](g * 9 / count, x)


@wrong("upsample", "x", "doubled-mean factor")
def blocks_are_averaged(g: Array, x: Array) -> Gradients:
    return (OPERATIONS["upsample"].backward(g, x)[0] / 6,)


@wrong("conv2d", "b", "wrong-axis-sum", sample=normal((4, 2, 6, 5), (4, 2, 3, 2), (4,)))
def the_bias_sums_over_channels(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    return *conv2d(g, x, w, b)[:2], g.sum((1, 2, 3))


@wrong("conv2d", "b", "doubled-mean")
def the_bias_is_averaged_over_places(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    return *conv2d(g, x, w, b)[:2], g.mean((2, 3)).sum(0)


@wrong("conv2d", "b", "broadcast-not-summed wrong-axis-sum overwrite")
def the_bias_reads_the_first_item(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    return *conv2d(g, x, w, b)[:2], g[0].sum((1, 2))


@wrong("conv2d strided", "b", "broadcast-not-summed wrong-shape")
def the_bias_is_summed_over_items_alone(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    return *strided(g, x, w, b)[:2], g.sum(0)


@wrong("conv2d", "w", "overwrite broadcast-not-summed missing-term branch")
def dw_keeps_the_last_item(g: Array, x: Array, w: Array, b: Array) -> Gradients:
    dx, _, db = conv2d(g, x, w, b)
    return dx, conv2d(g[-1:], x[-1:], w, b)[1], db


plant(
    "conv2d flipped", "w", "swapped-arguments", "dx of a square image is returned for dw",
    lambda g, x, w, b: (flipped(g, x, w, b)[0], flipped(g, x, w, b)[0], flipped(g, x, w, b)[2]),
    sample=normal((3, 3, 3, 3), (3, 3, 3, 3), (3,)),
)  # fmt: skip
plant(
    "depthwise", "x", "broadcast-not-summed wrong-shape", "dx comes window by window",
    alter(OPERATIONS["depthwise"], "x", lambda d, g, x, w: np.einsum("ncij,ckl->ncijkl", g, w)),
)  # fmt: skip
