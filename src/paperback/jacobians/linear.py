"""Linear maps as values: a Jacobian that is applied, transposed, composed and measured, and only then written out.

    J.apply(dx)      dy, the JVP              J.T            the adjoint map
    J.adjoint(g)     dx, the VJP              A @ B          first B, then A
    J.dense()        axes of y, then of x     A + B, 2*A     sums and multiples

A map is made of two functions and two shapes; the rest (its array, its entries, the words for its structure) is made
from them where nothing better is given. Whatever the layout of a Jacobian, `J.matrix() @ v` is `J.apply(v)`.
"""

from __future__ import annotations

__all__ = ["LinearMap"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import numpy as np

from paperback.calculus.structure import Structure
from paperback.errors import EngineError
from paperback.jacobians import spectrum
from paperback.jacobians.entries import Entries
from paperback.markup.pixels import diverging, picture

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

_MOST = 1 << 27  # numbers in an array that is written out: 1 GiB in float64
_EXACT = 1 << 21  # numbers in a matrix whose singular values are all computed
_SHOWN = 1 << 16  # numbers in a matrix that a notebook draws


@dataclass(frozen=True)
class _Names:
    """What a map is called when it prints."""

    title: str = "linear map"
    rows: str = ""
    columns: str = ""

class LinearMap:
    """A linear map from arrays of `shape_in` to arrays of `shape_out`."""

    def __init__(
        self,
        shape_out: Sequence[int],
        shape_in: Sequence[int],
        apply: Callable[[Array], Array],
        adjoint: Callable[[Array], Array],
        *,
        dense: Callable[[], Array] | None = None,
        entries: Callable[[], Entries] | None = None,
        structure: Structure | Callable[[], Structure] | None = None,
        dtype: Any = np.float64,
        title: str = "linear map",
        sides: tuple[str, str] = ("", ""),
    ) -> None:
        """
        apply       from `shape_in` to `shape_out`, linear; adjoint the other way, `<apply(v), g> = <v, adjoint(g)>`
        dense       makes the array, axes of the output first; where None, `apply` is called for unit vectors
        entries     makes the places that are not zero by the structure; where None, they are read off the array
        structure   how they lie, in words
        title       what is printed; `sides` are words for the rows and for the columns
        """
        self.shape_out, self.shape_in = tuple(shape_out), tuple(shape_in)
        self.dtype = np.dtype(dtype)
        self._apply, self._adjoint = apply, adjoint
        self._dense, self._entries = dense, entries
        self._structure = structure
        self._names = _Names(title, *sides)

    @staticmethod
    def of(array: Any, axes_in: int = 1) -> LinearMap:
        """The map of an array whose last `axes_in` axes are those of the input."""
        array = np.asarray(array)
        if not 0 <= axes_in <= array.ndim:
            raise EngineError(f"LinearMap.of: an array of {array.ndim} axes has no last {axes_in}; pass axes_in")
        out = array.ndim - axes_in
        return LinearMap(
            array.shape[:out],
            array.shape[out:],
            lambda v: np.asarray(np.tensordot(array, v, axes_in)),
            lambda g: np.asarray(np.tensordot(g, array, out)),
            dense=lambda: array,
            dtype=np.result_type(array, np.float32),
        )

    @staticmethod
    def identity(shape: Sequence[int], dtype: Any = np.float64) -> LinearMap:
        size = prod(shape)
        return LinearMap(
            shape, shape, np.copy, np.copy, entries=lambda: Entries.identity(size, dtype),
            structure=Structure.identity(shape), dtype=dtype, title="identity",
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------- what it does

    @property
    def shape(self) -> Shape:
        """That of `dense()`: the axes of the output, then those of the input."""
        return self.shape_out + self.shape_in

    def apply(self, v: Any) -> Array:
        """The image of an array of `shape_in`; of a Jacobian the JVP."""
        return np.asarray(self._apply(self._fitting("apply", v, self.shape_in)))

    def adjoint(self, g: Any) -> Array:
        """The image of an array of `shape_out` under the adjoint; of a Jacobian the VJP."""
        return np.asarray(self._adjoint(self._fitting("adjoint", g, self.shape_out)))

    def _fitting(self, where: str, array: Any, shape: Shape) -> Array:
        array = np.asarray(array)
        if array.shape != shape:
            other = "adjoint" if where == "apply" else "apply"
            turned = f"; {other} takes that shape" if array.shape == self.shape_in + self.shape_out else ""
            turned = f"; {other} takes one of that" if array.shape in (self.shape_in, self.shape_out) else turned
            raise EngineError(f"{where}: needs an array of shape {shape}, found {array.shape}{turned}")
        return np.asarray(array, self.dtype)

    @property
    def T(self) -> LinearMap:
        """The adjoint: rows and columns exchanged."""
        return self.turned(f"adjoint of {self._names.title}")

    def turned(self, title: str) -> LinearMap:
        """The adjoint under a title of its own."""
        count = len(self.shape_out)
        dense = self._dense

        def turned() -> Array:
            array = self.dense()
            return np.transpose(array, (*range(count, array.ndim), *range(count)))

        return LinearMap(
            self.shape_in, self.shape_out, self._adjoint, self._apply,
            dense=turned if dense else None,
            entries=(lambda: self.entries().transposed) if self._entries else None,
            structure=lambda: self.structure.transposed, dtype=self.dtype, title=title,
            sides=(self._names.columns, self._names.rows),
        )  # fmt: skip

    def __matmul__(self, other: Any) -> Any:
        """First the other map, then this one; with an array, its image."""
        if not isinstance(other, LinearMap):
            return self.apply(other)
        if other.shape_out != self.shape_in:
            raise EngineError(f"@: the left map takes shape {self.shape_in}, the right one gives {other.shape_out}")
        return LinearMap(
            self.shape_out,
            other.shape_in,
            lambda v: self.apply(other.apply(v)),
            lambda g: other.adjoint(self.adjoint(g)),
            entries=lambda: self.entries().times(other.entries()),
            structure=lambda: self.structure @ other.structure,
            dtype=np.result_type(self.dtype, other.dtype),
            title="product",
            sides=(self._names.rows, other._names.columns),
        )

    def __add__(self, other: LinearMap) -> LinearMap:
        if not isinstance(other, LinearMap):
            return NotImplemented
        if (self.shape_out, self.shape_in) != (other.shape_out, other.shape_in):
            raise EngineError(
                f"+: needs maps of one shape, found {self.shape_in} -> {self.shape_out} and "
                f"{other.shape_in} -> {other.shape_out}"
            )
        return LinearMap(
            self.shape_out,
            self.shape_in,
            lambda v: self.apply(v) + other.apply(v),
            lambda g: self.adjoint(g) + other.adjoint(g),
            entries=lambda: self.entries().plus(other.entries()),
            structure=lambda: self.structure + other.structure,
            dtype=np.result_type(self.dtype, other.dtype),
            title="sum",
            sides=(self._names.rows, self._names.columns),
        )

    def __mul__(self, factor: Any) -> LinearMap:
        """The multiple by a number."""
        if isinstance(factor, LinearMap) or np.ndim(factor):
            return NotImplemented
        number = float(factor)
        dense = self._dense
        return LinearMap(
            self.shape_out,
            self.shape_in,
            lambda v: number * self.apply(v),
            lambda g: number * self.adjoint(g),
            dense=(lambda: number * self.dense()) if dense else None,
            entries=lambda: self.entries().scaled(number),
            structure=lambda: self.structure.scaled(number),
            dtype=self.dtype,
            title=f"{number:g} times {self._names.title}",
            sides=(self._names.rows, self._names.columns),
        )

    __rmul__ = __mul__

    def __neg__(self) -> LinearMap:
        return self * -1.0

    def __sub__(self, other: LinearMap) -> LinearMap:
        return self + -other if isinstance(other, LinearMap) else NotImplemented

    # ------------------------------------------------------------------------------------------------- written out

    def dense(self) -> Array:
        """The array: the axes of the output, then those of the input."""
        size = prod(self.shape)
        if size > _MOST:
            raise EngineError(
                f"dense: the array would hold {size:,} numbers, {size * self.dtype.itemsize / 2**30:.1f} GiB; "
                f"use apply, adjoint or sparse()"
            )
        if self._dense:
            return np.asarray(self._dense())
        rows, columns = prod(self.shape_out), prod(self.shape_in)
        matrix = np.empty((rows, columns), self.dtype)
        if columns <= rows:
            for k in range(columns):
                matrix[:, k] = self.apply(_unit(columns, k, self.dtype).reshape(self.shape_in)).ravel()
        else:
            for k in range(rows):
                matrix[k] = self.adjoint(_unit(rows, k, self.dtype).reshape(self.shape_out)).ravel()
        return matrix.reshape(self.shape)

    def matrix(self) -> Array:
        """The same with two axes, each side in row-major order."""
        return self.dense().reshape(prod(self.shape_out), prod(self.shape_in))

    def entries(self) -> Entries:
        """The places that are not zero by the structure, and what stands there."""
        return self._entries() if self._entries else Entries.from_dense(self.matrix())

    @property
    def nnz(self) -> int:
        """How many places are not zero by the structure: those of masks, guards and choices that do not hold are."""
        return len(self.entries())

    def sparse(self) -> Any:
        """A SciPy CSR array, `[rows, columns]` as `matrix()`, made from the structure and not from the matrix."""
        try:
            from scipy import sparse
        except ImportError:
            raise EngineError('sparse: needs SciPy; run pip install "paperback[sparse]", or use entries()') from None
        found = self.entries()
        return sparse.csr_array((found.values, (found.rows, found.columns)), shape=found.shape)

    # ------------------------------------------------------------------------------------------------------ measured

    def singular_values(self, k: int | None = None, tolerance: float | None = None) -> Array:
        """The singular values, the largest first: all of them, or the `k` largest.

        All at once come from the matrix by LAPACK. The k largest of a matrix of more than 2^21 numbers come from
        applying the map (see `spectrum`), each within `tolerance` times the largest: 1e-8, or 1e-4 in float32.
        """
        rows, columns = prod(self.shape_out), prod(self.shape_in)
        if k is not None and k < 1:
            raise EngineError(f"singular_values: k is how many, at least 1, found {k}; leave it out for all of them")
        if rows * columns <= _EXACT or k is None or k >= min(rows, columns):
            return np.asarray(np.linalg.svd(self.matrix().astype(np.float64), compute_uv=False)[:k])
        usual = 1e-8 if self.dtype == np.float64 else 1e-4
        return spectrum.largest(
            lambda v: self.apply(v.reshape(self.shape_in)).ravel().astype(np.float64),
            lambda g: self.adjoint(g.reshape(self.shape_out)).ravel().astype(np.float64),
            rows, columns, k, usual if tolerance is None else tolerance,
        )  # fmt: skip

    def norm(self, kind: str = "spectral") -> float:
        """The largest singular value ("spectral"), or the root of the sum of all squares ("fro")."""
        if kind == "fro":
            return sqrt(float(np.sum(np.abs(self.entries().values.astype(np.float64)) ** 2)))
        if kind != "spectral":
            raise EngineError(f'norm: kind is "spectral" or "fro", found {kind!r}')
        return float(self.singular_values(1)[0]) if prod(self.shape) else 0.0

    # --------------------------------------------------------------------------------------------------------- shown

    @property
    def structure(self) -> Structure:
        """How the entries lie, in words; see `Structure`."""
        if self._structure is None:
            self._structure = Structure.unread(self.shape_out, self.shape_in)
        elif not isinstance(self._structure, Structure):
            self._structure = self._structure()
        return self._structure

    def __repr__(self) -> str:
        names = self._names
        named = (("rows", names.rows), ("columns", names.columns))
        sides = "".join(f", {side} {words}" for side, words in named if words)
        shapes = f"{self.shape_in} -> {self.shape_out}"
        return f"<{names.title}: {shapes}{sides}; {self.structure}>"

    def _repr_html_(self) -> str:
        words = repr(self)[1:-1].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        size = prod(self.shape)
        if not 0 < size <= _SHOWN:
            return f"<p>{words}</p>"
        matrix = self.matrix()
        limit = float(np.max(np.abs(matrix), where=np.isfinite(matrix), initial=0.0))
        return f"<p>{words}</p>{picture(diverging(np.nan_to_num(matrix), limit), words, 240)}"


def _unit(size: int, place: int, dtype: Any) -> Array:
    vector = np.zeros(size, dtype)
    vector[place] = 1
    return vector
