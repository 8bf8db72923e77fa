"""The discrete cosine transform (DCT-II) of a signal or an image, and its inverse: fixed weights, nothing is learned.

    m[k,p] = s[k]*cos(pi*(p+1/2)*k/N)              Y = m x along every axis

    scaling         s[k]                           claim D2c
    "raw"           1
    "double"        2
    "root"          N^(-1/2)
    "orthonormal"   N^(-1/2) for k = 0, (2/N)^(1/2) for the others: m is an orthogonal matrix

The inverse is x[p] = sum(k) u[k,p]*Y[k] with u[k,p] = (1 for k = 0, 2 for the others)/N / s[k] * cos(...), so that for
every scaling the inverse of the transform is x; for "orthonormal" u = m.
"""

from __future__ import annotations

__all__ = ["BlockDCT", "DCT1d", "DCT2d"]

from collections.abc import Mapping
from dataclasses import dataclass

from paperback.errors import ModelError
from paperback.nn.layers.layer import Layer, Shape, natural, word

_FIRST = {"raw": "1", "double": "2", "root": "N^(-1/2)", "orthonormal": "N^(-1/2)"}
_REST = {**_FIRST, "orthonormal": "(2/N)^(1/2)"}
_FIRST_INVERSE = {"raw": "1/N", "double": "1/(2*N)", "root": "N^(-1/2)", "orthonormal": "N^(-1/2)"}
_REST_INVERSE = {"raw": "2/N", "double": "1/N", "root": "2*N^(-1/2)", "orthonormal": "(2/N)^(1/2)"}


def _matrix(name: str, size: str, scaling: str, inverse: bool) -> str:
    """The statement for the matrix of one axis of this size."""
    first, rest = (_FIRST_INVERSE, _REST_INVERSE) if inverse else (_FIRST, _REST)
    factors = [table[scaling].replace("N", size) for table in (first, rest)]
    scale = factors[0] if factors[0] == factors[1] else f"[k == 0]*{factors[0]} + [k > 0]*{factors[1]}"
    return f"{name}[k,p] = ({scale})*cos(pi*(p+1/2)*k/{size}) where k < {size}, p < {size}"


def _check_scaling(layer: Layer, scaling: str) -> None:
    word(layer, "scaling", scaling, tuple(_FIRST))


@dataclass(frozen=True, repr=False)
class DCT1d(Layer):
    """y[k,c] = sum(p) m[k,p]*x[p,c], the transform of a whole signal.

    Use: frequencies of a whole signal.
    Derivative: dx = m^T dy; the transform back, where m is orthonormal.
    Shapes: x: L C, y: L C, frequencies in place of places.
    Settings: m[k,p] = s[k]*cos(pi*(p+1/2)*k/N), and `scaling` is s: "raw" (1), "double" (2), "root" (N^(-1/2)) or
    "orthonormal" (N^(-1/2) for k = 0, (2/N)^(1/2) for the others: m is an orthogonal matrix); `inverse=True` takes the
    transform back, for every scaling.
    Source: claims D2b to D2h.
    """

    scaling: str = "orthonormal"
    inverse: bool = False

    axes = {"x": "L C"}

    def __post_init__(self) -> None:
        _check_scaling(self, self.scaling)

    @property
    def formula(self) -> str:
        place = "k,p" if not self.inverse else "p,k"
        return f"""{_matrix("m", "L", self.scaling, self.inverse)}
            y[k,c] = sum(p) m[{place}] * x[p,c]"""


@dataclass(frozen=True, repr=False)
class DCT2d(Layer):
    """y[k,l,c] = sum(p,q) m[k,p]*x[p,q,c]*m[l,q], the transform of a whole image, rows after columns.

    Use: frequencies of a whole image; smooth pictures have few that matter.
    Derivative: dx = m^T dy m; the transform back, where m is orthonormal.
    Shapes: x: H W C, y: H W C, frequencies in place of places.
    Settings: m[k,p] = s[k]*cos(pi*(p+1/2)*k/N), and `scaling` is s: "raw" (1), "double" (2), "root" (N^(-1/2)) or
    "orthonormal" (N^(-1/2) for k = 0, (2/N)^(1/2) for the others: m is an orthogonal matrix); `inverse=True` takes the
    transform back, for every scaling.
    Source: claims D2b to D2d, D2j.
    """

    scaling: str = "orthonormal"
    inverse: bool = False

    axes = {"x": "H W C"}

    def __post_init__(self) -> None:
        _check_scaling(self, self.scaling)

    @property
    def formula(self) -> str:
        rows, columns = (_matrix(*at, self.scaling, self.inverse) for at in (("m1", "H"), ("m2", "W")))
        first, second = ("k,p", "l,q") if not self.inverse else ("p,k", "q,l")
        return f"""{rows}
            {columns}
            r[k,q,c] = sum(p) m1[{first}] * x[p,q,c]
            y[k,l,c] = sum(q) m2[{second}] * r[k,q,c]"""


@dataclass(frozen=True, repr=False)
class BlockDCT(Layer):
    """y[a,b,N*N*c+N*k+l] = sum(p,q) m[k,p]*x[N*a+p,N*b+q,c]*m[l,q]: every N x N block becomes N*N channels.

    Use: frequencies block by block, as JPEG has them: a fixed first layer.
    Derivative: dx of a block is m^T dy m.
    Shapes: x: H W C with H and W multiples of N, y: H/N W/N N*N*C; the inverse takes that back to H W C.
    Settings: `block` is N, S in the formula; `scaling` and `inverse` as in `DCT2d`.
    Source: claims D2h to D2j (a convolution with N*N filters and stride N).
    """

    block: int = 4
    scaling: str = "orthonormal"
    inverse: bool = False

    def __post_init__(self) -> None:
        natural(self, "block", self.block)
        _check_scaling(self, self.scaling)

    @property
    def axes(self) -> Mapping[str, str]:
        return {"x": "A B K" if self.inverse else "H W C"}

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"S": self.block}

    @property
    def formula(self) -> str:
        matrix = _matrix("m", "S", self.scaling, self.inverse)
        if self.inverse:
            return f"""{matrix}
                r[a,p,b,l,c] = sum(k) m[k,p] * x[a,b,S*S*c+S*k+l] where k < S, p < S, l < S
                y[S*a+p,S*b+q,c] = sum(l) m[l,q] * r[a,p,b,l,c]"""
        return f"""{matrix}
            r[a,k,j,c] = sum(p) m[k,p] * x[S*a+p,j,c]
            y[a,b,S*S*c+S*k+l] = sum(q) m[l,q] * r[a,k,S*b+q,c]"""

    def check(self, shapes: Mapping[str, Shape]) -> None:
        shape, n = shapes["x"], self.block
        if self.inverse and shape[-1] % (n * n):
            raise ModelError(f"{shape[-1]} channels are no multiple of {n * n} = {n}*{n}: change block")
        if not self.inverse and (shape[0] % n or shape[1] % n):
            raise ModelError(f"{shape[0]}x{shape[1]} is not made of blocks of {n}x{n}: pad, crop or change block")
