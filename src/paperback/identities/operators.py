"""Identities of image operators: differences, grey and the cosine transform are convolutions with given weights."""

from __future__ import annotations

__all__ = ["IDENTITIES"]

from paperback.identities.identity import Identity

_DCT = "m[k,p] = cos(pi*(p+1/2)*k/N) where k < N, p < N, block: N, x: H W; "
_DIFFERENCES = "x pads 0, x: H W, i < H, j < W, k < 2"

IDENTITIES = (
    Identity(
        name="convolution_from_differences",
        title="finite differences are a convolution with two 3x3 filters and padding 1",
        claims=("B1a",),
        left=f"y[i,j,k] = [k == 0]*x[i+1,j] + [k == 1]*x[i,j+1] - x[i,j] where {_DIFFERENCES}",
        right=(
            "w[p,q,k] = [k == 0]*[p == 2]*[q == 1] + [k == 1]*[p == 1]*[q == 2] - [p == 1]*[q == 1] "
            "where p < 3, q < 3, k < 2; "
            f"y[i,j,k] = sum(p<3,q<3) x[i+p-1,j+q-1]*w[p,q,k] where {_DIFFERENCES}"
        ),
        wrong={
            "filters with their centre at a corner (C1b)": (
                "w[p,q,k] = [k == 0]*[p == 1]*[q == 0] + [k == 1]*[p == 0]*[q == 1] - [p == 0]*[q == 0] "
                "where p < 3, q < 3, k < 2; "
                f"y[i,j,k] = sum(p<3,q<3) x[i+p-1,j+q-1]*w[p,q,k] where {_DIFFERENCES}"
            ),
        },
        replaces=("FiniteDifferences", "FixedConv 3x3, padding 1"),
    ),
    Identity(
        name="convolution_from_grey",
        title="brightness is a convolution with a window of one place over red, green and blue",
        claims=("B3a", "B3c", "C3"),
        left="y[i] = 0.299*x[i,0] + 0.587*x[i,1] + 0.114*x[i,2] where x: I 3",
        right=(
            "w[r] = 0.299*[r == 0] + 0.587*[r == 1] + 0.114*[r == 2] where r < 3; "
            "y[i] = sum(r<3) x[i,r]*w[r] where x: I 3"
        ),
        wrong={
            "green 0.581 (B3a)": (
                "w[r] = 0.299*[r == 0] + 0.581*[r == 1] + 0.114*[r == 2] where r < 3; "
                "y[i] = sum(r<3) x[i,r]*w[r] where x: I 3"
            ),
        },
        replaces=("Grey", "FixedConv 1x1"),
    ),
    Identity(
        name="convolution_from_blockdct",
        title="the cosine transform of blocks is one convolution with N*N filters of N x N and stride N",
        claims=("D2h", "D2i", "D2j"),
        left=_DCT + "y[a,b,k,l] = sum(p,q) m[k,p]*x[N*a+p,N*b+q]*m[l,q]",
        right=(
            _DCT + "w[p,q,k,l] = m[k,p]*m[l,q]; "
            "y[a,b,k,l] = sum(p,q) x[N*a+p,N*b+q]*w[p,q,k,l]"
        ),
        wrong={
            "rows and columns exchanged": (
                _DCT + "w[p,q,k,l] = m[k,q]*m[l,p]; "
                "y[a,b,k,l] = sum(p,q) x[N*a+p,N*b+q]*w[p,q,k,l]"
            ),
        },
        replaces=("BlockDCT", "FixedConv N x N, stride N, N*N filters"),
    ),
    Identity(
        name="separable_from_blockdct",
        title="the cosine transform of blocks is a convolution along columns, then one along rows",
        claims=("D2j",),
        left=_DCT + "y[a,b,k,l] = sum(p,q) m[k,p]*x[N*a+p,N*b+q]*m[l,q]",
        right=(
            _DCT + "h[a,j,k] = sum(p) x[N*a+p,j]*m[k,p]; "
            "y[a,b,k,l] = sum(q) h[a,N*b+q,k]*m[l,q]"
        ),
        wrong={
            "the columns' transform twice": (
                _DCT + "h[a,j,k] = sum(p) x[N*a+p,j]*m[k,p]; "
                "y[a,b,k,l] = sum(q) h[a,N*b+q,k]*m[k,q] where l < N"
            ),
        },
        replaces=("BlockDCT", "FixedConv N x 1, FixedConv 1 x N"),
    ),
)
