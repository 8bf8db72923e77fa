"""Identities of affine maps: two in a row are one, and what scales a signal goes into the weights beside it."""

from __future__ import annotations

__all__ = ["IDENTITIES"]

from paperback.identities.identity import Identity

_NORM = "(h[k] - mean[k])*(var[k] + eps)^(-1/2)*scale[k] + shift[k] where eps scalar"

IDENTITIES = (
    Identity(
        name="merge_dense",
        title="two dense layers, with nothing between them, are one",
        claims=("E6",),
        left="h[j] = sum(i) x[i]*w[i,j] + b[j]; y[k] = sum(j) h[j]*v[j,k] + c[k]",
        right=(
            "u[i,k] = sum(j) w[i,j]*v[j,k]; d[k] = c[k] + sum(j) b[j]*v[j,k]; y[k] = sum(i) x[i]*u[i,k] + d[k]"
        ),
        conditions=("the first layer's result is read by the second alone",),
        wrong={
            "the first bias not carried through": "u[i,k] = sum(j) w[i,j]*v[j,k]; y[k] = sum(i) x[i]*u[i,k] + c[k]",
            "the first bias added as it is": (
                "u[i,k] = sum(j) w[i,j]*v[j,k] where b: J, w: I J; y[k] = sum(i) x[i]*u[i,k] + c[k] + sum(j) b[j]"
            ),
        },
        replaces=("Dense, Dense", "Dense"),
    ),
    Identity(
        name="fold_batchnorm",
        title="batch normalisation after training is part of the affine layer before it",
        claims=(),
        left=f"h[k] = sum(i) x[i]*w[i,k] + b[k]; y[k] = {_NORM}",
        right=(
            "g[k] = scale[k]*(var[k] + eps)^(-1/2) where eps scalar; "
            "y[k] = sum(i) x[i]*(w[i,k]*g[k]) + (b[k] - mean[k])*g[k] + shift[k]"
        ),
        conditions=(
            "the normalised result is read by the batch norm alone",
            "it is used after training: running statistics, not those of a batch",
        ),
        wrong={
            "the bias not scaled": (
                "g[k] = scale[k]*(var[k] + eps)^(-1/2) where eps scalar; "
                "y[k] = sum(i) x[i]*(w[i,k]*g[k]) + b[k] - mean[k]*g[k] + shift[k]"
            ),
            "the variance in place of its root": (
                "g[k] = scale[k]*(var[k] + eps)^(-1) where eps scalar; "
                "y[k] = sum(i) x[i]*(w[i,k]*g[k]) + (b[k] - mean[k])*g[k] + shift[k]"
            ),
        },
        replaces=("affine, BatchNorm", "affine"),
    ),
    Identity(
        name="fold_scale",
        title="a factor and a shift of the input are part of the affine layer after them",
        claims=(),
        left="h[i] = x[i]*a + c where a scalar, c scalar; y[k] = sum(i) h[i]*w[i,k] + b[k]",
        right="y[k] = sum(i) x[i]*(a*w[i,k]) + b[k] + c*sum(i) w[i,k] where a scalar, c scalar",
        conditions=("the scaled signal is read by the affine layer alone",),
        wrong={
            "the shift forgotten": "y[k] = sum(i) x[i]*(a*w[i,k]) + b[k] where a scalar",
            "the bias scaled too": (
                "y[k] = sum(i) x[i]*(a*w[i,k]) + a*b[k] + c*sum(i) w[i,k] where a scalar, c scalar"
            ),
        },
        replaces=('Formula("y = a*x[] + c"), affine', "affine"),
    ),
    Identity(
        name="drop_zero_residual",
        title="a residual block that adds 0 is the identity",
        claims=("D4a",),
        left="z[j] = sum(i) h[i]*w[i,j]*0 + b[j]*0; y[j] = x[j] + z[j]",
        right="y[j] = x[j]",
        conditions=("the weights and the bias of the block's last layer are all 0",),
        wrong={"the block kept, the way around it dropped": "y[j] = 0*x[j]"},
        replaces=("Residual(..., affine with zeros)", "Identity"),
    ),
)
