"""Identities of average pooling: it is a convolution with constant weights."""

from __future__ import annotations

__all__ = ["IDENTITIES"]

from paperback.identities.identity import Identity

_POOL = "y[i,c] = sum(p<P) x[s*i+p,c]/P where window: P, stride: s, x: H C"
_CONDITION = "every window lies inside x: no padding, and no window for what is left over"

IDENTITIES = (
    Identity(
        name="convolution_from_avgpool",
        title="average pooling is a strided convolution with constant weights, 0 between different channels",
        claims=("B2a", "B2c", "C2b", "C2c"),
        left=_POOL,
        right=(
            "w[p,r,c] = [r == c]/P where p < P, r < C, c < C, window: P, x: H C; "
            "y[i,c] = sum(p,r) x[s*i+p,r]*w[p,r,c] where x: H C, stride: s"
        ),
        conditions=(_CONDITION,),
        wrong={
            "summed over all channels": (
                "w[p,r,c] = 1/P where p < P, r < C, c < C, window: P, x: H C; "
                "y[i,c] = sum(p,r) x[s*i+p,r]*w[p,r,c] where x: H C, stride: s"
            ),
            "divided by another size": (
                "w[p,r,c] = [r == c]/C where p < P, r < C, c < C, window: P, x: H C; "
                "y[i,c] = sum(p,r) x[s*i+p,r]*w[p,r,c] where x: H C, stride: s"
            ),
        },
        replaces=("AvgPool", "FixedConv with weights [r == c]/(P*Q)"),
    ),
    Identity(
        name="depthwise_from_avgpool",
        title="average pooling is a grouped convolution with constant weights, one group for each channel",
        claims=("B2a", "C2b"),
        left=_POOL,
        right="w[p] = 1/P where p < P, window: P; y[i,c] = sum(p) x[s*i+p,c]*w[p] where x: H C, stride: s",
        conditions=(_CONDITION,),
        wrong={
            "weights that are not divided": (
                "w[p] = 1 where p < P, window: P; y[i,c] = sum(p) x[s*i+p,c]*w[p] where x: H C, stride: s"
            ),
        },
        replaces=("AvgPool", "FixedConv with weights 1/(P*Q), every channel by itself"),
    ),
    Identity(
        name="avgpool_from_depthwise",
        title="a convolution of every channel by itself with equal weights that sum to 1 is average pooling",
        claims=("B2a", "C2b"),
        left="w[p] = 1/P where p < P, window: P; y[i,c] = sum(p) x[s*i+p,c]*w[p] where x: H C, stride: s",
        right=_POOL,
        conditions=("all weights are 1/(P*Q), nothing is padded or dilated",),
        wrong={"the sum, not the mean": "y[i,c] = sum(p<P) x[s*i+p,c] where window: P, stride: s, x: H C"},
        replaces=("FixedConv with weights 1/(P*Q)", "AvgPool"),
    ),
)
