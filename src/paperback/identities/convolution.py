"""Identities of convolutions: both flips, matrices, and one after another.

Each is written in one dimension, with channels r and filters k; more dimensions repeat the letters i, p.
"""

from __future__ import annotations

__all__ = ["IDENTITIES"]

from paperback.identities.identity import Identity

_TRUE = "y[i,k] = sum(p,r) x[s*i+p,r]*w[P-1-p,r,k] + b[k] where w: P R K, stride: s"
_CROSS = "y[i,k] = sum(p,r) x[s*i+p,r]*{0}[p,r,k] + b[k] where stride: s"
_FLIP = "u[p,r,k] = w[P-1-p,r,k] where w: P R K, p < P; "
_MATRIX = "y[i,k] = sum(m,r) x[m,r]*u[m,r,i,k] + b[k]"
_ENTRY = "u[m,r,i,k] = [{0}]*w[{1},r,k] where w: P R K, x: H R, stride: s, m < H, i < floor((H-P)/s)+1; "
_UNFLAT = (
    "u[p,r,k] = w[{0},k] where x: I R, w: M K, M = I*R, p < I, r < R; y[k] = sum(p,r) x[p,r]*u[p,r,k] + b[k]"
)

IDENTITIES = (
    Identity(
        name="correlation_from_convolution",
        title="a convolution is the cross-correlation with its kernel read backwards",
        claims=("A4.3a", "E1"),
        left=_TRUE,
        right=_FLIP + _CROSS.format("u"),
        declared={"w": "P R K"},
        wrong={
            "not flipped": _CROSS.format("w"),
            "flipped one place too far": (
                "u[p,r,k] = [0 <= P-2-p]*w[P-2-p,r,k] where w: P R K, p < P; " + _CROSS.format("u")
            ),
        },
        replaces=("Conv(flip=True)", "Conv with the kernel flipped"),
    ),
    Identity(
        name="convolution_from_correlation",
        title="a cross-correlation is the convolution with its kernel read backwards",
        claims=("A4.3a", "E1"),
        left=_CROSS.format("w"),
        right=_FLIP + "y[i,k] = sum(p,r) x[s*i+p,r]*u[P-1-p,r,k] + b[k] where stride: s",
        declared={"w": "P R K"},
        wrong={"not flipped": _TRUE},
        replaces=("Conv", "Conv(flip=True) with the kernel flipped"),
    ),
    Identity(
        name="dense_from_convolution",
        title="a convolution with a window of one place is a dense layer at every place",
        claims=("B3c", "C3"),
        left="y[i,k] = sum(p<1,r) x[i+p,r]*w[p,r,k] + b[k] where x: H R, w: 1 R K",
        right="u[r,k] = w[0,r,k] where x: H R, w: 1 R K; y[i,k] = sum(r) x[i,r]*u[r,k] + b[k]",
        conditions=("the window covers one place, its stride is 1 and it is not padded", "all channels are one group"),
        wrong={
            "every place but its own": (
                "u[r,k] = w[0,r,k] where x: H R, w: 1 R K; y[i,k] = sum(j,r) x[j,r]*u[r,k] + b[k] where i < H"
            ),
        },
        replaces=("Conv(1)", "dense at every place"),
    ),
    Identity(
        name="convolution_from_dense",
        title="a dense layer on a flattened signal is a convolution whose window is all of it",
        claims=("E5", "E6"),
        left="f[R*i+r] = x[i,r] where x: I R; y[k] = sum(m) f[m]*w[m,k] + b[k]",
        right=_UNFLAT.format("R*p+r"),
        declared={"x": "I R"},
        conditions=("the dense layer reads what a Flatten gives",),
        wrong={
            "flattened in another order": _UNFLAT.format("I*r+p"),
        },
        replaces=("Flatten, Dense", "Conv of full size, Flatten"),
    ),
    Identity(
        name="dense_from_full_convolution",
        title="a convolution whose window is the whole signal is a dense layer on the flattened signal",
        claims=("E5", "E6"),
        left="y[k] = sum(p,r) x[p,r]*w[p,r,k] + b[k] where x: I R, w: I R K",
        right=(
            "f[R*i+r] = x[i,r] where x: I R; u[R*p+r,k] = w[p,r,k] where w: I R K; y[k] = sum(m) f[m]*u[m,k] + b[k]"
        ),
        declared={"x": "I R", "w": "I R K"},
        conditions=("the window is as large as x, which is not padded", "all channels are one group"),
        wrong={
            "weights flattened in another order": (
                "f[R*i+r] = x[i,r] where x: I R; u[m,k] = sum(p,r) [m == I*r+p]*w[p,r,k] where m < I*R, w: I R K; "
                "y[k] = sum(m) f[m]*u[m,k] + b[k]"
            ),
        },
        replaces=("Conv of full size", "Flatten, Dense, Unflatten"),
    ),
    Identity(
        name="matrix_from_convolution",
        title="a convolution is the product with its (block) Toeplitz matrix",
        claims=("A5.2a", "E2"),
        left="y[i,k] = sum(p,r) x[s*i+p,r]*w[p,r,k] + b[k] where x: H R, w: P R K, stride: s",
        right=_ENTRY.format("0 <= m-s*i < P", "m-s*i") + _MATRIX,
        declared={"w": "P R K"},
        wrong={
            "the band one place off": _ENTRY.format("0 <= m-s*i-1 < P", "m-s*i-1") + _MATRIX,
            "the band cut short": _ENTRY.format("0 <= m-s*i < P-1", "m-s*i") + _MATRIX,
        },
        replaces=("Conv", "Flatten, Dense with the Toeplitz matrix, Unflatten"),
    ),
    Identity(
        name="merge_convolutions",
        title="a convolution after one of stride 1, with nothing between them, is one convolution",
        claims=("A5.8",),
        left=(
            "h[i,k] = sum(p,r) x[i+p,r]*w[p,r,k] + b[k]; "
            "y[i,m] = sum(q,k) h[s*i+q,k]*v[q,k,m] + c[m] where stride: s"
        ),
        right=(
            "u[p,r,m] = sum(q,k) [0 <= p-q < P]*w[p-q,r,k]*v[q,k,m] where w: P R K, v: Q K M, p < P+Q-1; "
            "d[m] = c[m] + sum(q,k) b[k]*v[q,k,m]; "
            "y[i,m] = sum(p,r) x[s*i+p,r]*u[p,r,m] + d[m] where stride: s"
        ),
        declared={"w": "P R K", "v": "Q K M"},
        conditions=(
            "the first has stride 1, neither is dilated or in groups",
            "the second is not padded (what it reads outside would be 0, not the first one's bias)",
            "the first has one bias for each filter, not one for each place",
        ),
        wrong={
            "kernels correlated, not convolved": (
                "u[p,r,m] = sum(q,k) [0 <= p-Q+1+q < P]*w[p-Q+1+q,r,k]*v[q,k,m] "
                "where w: P R K, v: Q K M, p < P+Q-1; d[m] = c[m] + sum(q,k) b[k]*v[q,k,m]; "
                "y[i,m] = sum(p,r) x[s*i+p,r]*u[p,r,m] + d[m] where stride: s"
            ),
            "the first bias not carried through": (
                "u[p,r,m] = sum(q,k) [0 <= p-q < P]*w[p-q,r,k]*v[q,k,m] where w: P R K, v: Q K M, p < P+Q-1; "
                "y[i,m] = sum(p,r) x[s*i+p,r]*u[p,r,m] + c[m] where stride: s"
            ),
        },
        replaces=("Conv, Conv", "Conv with a window of P+Q-1"),
    ),
)
