"""Convolutions with fewer multiplications: minimal filtering, after Winograd (1980) and Lavin and Gray (2016).

    y[i] = sum(p < P) d[i+p] g[p],  i < m       =    A ((G g) * (B d))       of t = m+P-1 products, not m*P

is the product of two polynomials, evaluated at t-1 points and at infinity, and interpolated from there. In two
dimensions a tile of m x m results takes t*t products for every channel, and the sums over the channels are t*t products
of matrices, whose rows are the tiles:

    U[u,r,k] = G w G'      V[n,z,u,r] = B x B'      M[n,z,u,k] = sum(r) V U      y = A' M A

With a stride of s there are s such products, of the entries s*k, of s*k+1, and so on: their matrices are side by side.
The points are those with the least error (docs/engines.md): for 5x5 kernels and m = 2 it is that of a sum of one term
after the other, for others half of it. With 0 and infinity among them and m = 2, a result depends on its own window
alone. There, infinities would come out as NaN, and numbers that are too large too: rows of an example of which a result
is not finite are computed again, as they are written.
"""

from __future__ import annotations

__all__ = ["POINTS", "WIDTH", "Minimal", "matrices", "minimal", "wanted"]

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from paperback.engines.llvm.lowering.arrange import affine_indices, product_of_reads, with_node
from paperback.errors import EngineError
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import Binder, Node, Read, Reduce, Statement, add, const, mul
from paperback.notation.size import Size
from paperback.notation.walk import nodes, substitute

WIDTH = 2  # results of a tile, along each side
POINTS: dict[int, tuple[Fraction, ...]] = {  # by the extent of the kernel, or of a phase of it
    1: (),
    2: (Fraction(0), Fraction(1)),
    3: (Fraction(0), Fraction(1), Fraction(-1)),
    5: (Fraction(0), Fraction(2, 3), Fraction(-2, 3), Fraction(3, 2), Fraction(-3, 2)),
}
_KINDS = {(3, 1), (5, 1), (3, 2), (5, 2)}  # side of the kernel, stride
_LEAST_CHANNELS = 16  # before and after: the tiles' own work is shared by so many
_MOST_WEIGHTS = 1 << 18  # numbers that the second cache holds

Matrix = Sequence[Sequence[Fraction]]
Grid = Sequence[Sequence[Node]]


@dataclass(frozen=True)
class Minimal:
    """The statements of a convolution: of its weights, its tiles, their products and its results; the sum of squares of
    a row of results is finite where all of them are. Weights are transformed in halves, of which neither takes what the
    other computes.
    """

    weights: tuple[tuple[Statement, ...], ...]
    tiles: tuple[Statement, ...]
    products: tuple[Statement, ...]
    results: tuple[Statement, ...]
    squares: tuple[Statement, ...]


@dataclass(frozen=True)
class _Convolution:
    """y[n,i,j,k] = .. sum(p,q,r) x[n,s*i+p+a,s*j+q+b,r]*w[p,q,r,k] ..; `offsets` are a and b."""

    node: Reduce
    x: Read
    w: Read
    out: tuple[Binder, Binder, Binder, Binder]
    p: Binder
    q: Binder
    r: Binder
    stride: int
    offsets: tuple[int, int]


def wanted(element: str) -> bool:
    """Are convolutions in numbers of this type minimal? In single precision, unless PAPERBACK_WINOGRAD=off says no.

    Raises EngineError for any other word but "on".
    """
    word = os.environ.get("PAPERBACK_WINOGRAD") or "on"
    if word not in ("on", "off"):
        raise EngineError(f"PAPERBACK_WINOGRAD={word} means nothing; set it to off, or to on, which it is by default")
    return word == "on" and element == "float32"


def minimal(statement: Statement) -> Minimal | None:
    """The forms of a convolution in the layout of channels last for which they pay; None for any other statement."""
    found = _convolution(statement)
    if found is None:
        return None
    _, i, j, k = found.out
    side, channels = found.p.extent.value, found.r.extent.value
    if (side, found.stride) not in _KINDS or side != found.q.extent.value:
        return None
    forms = matrices(WIDTH, side, found.stride)
    t = len(forms[1])
    if min(channels, k.extent.value) < _LEAST_CHANNELS or t * t * channels * k.extent.value > _MOST_WEIGHTS:
        return None
    return _forms(statement, found, forms) if not any(b.extent.value % WIDTH for b in (i, j)) else None


def _convolution(statement: Statement) -> _Convolution | None:
    sums = [node for node in nodes(statement.expr) if isinstance(node, Reduce)]
    factors = product_of_reads(sums[0]) if len(sums) == 1 else None
    if factors is None or not statement.is_plain or len(statement.binders) != 4 or len(sums[0].binders) != 3:
        return None
    if any(f.pad is not None for f in factors):
        return None
    n, i, j, k = statement.binders
    inner = {b.letter: b for b in sums[0].binders}
    for x, w in (factors, factors[::-1]):
        place, bare = affine_indices(x), {f.bare for f in affine_indices(w)}
        if len(place) != 4 or place[0].bare != n.letter or place[3].bare not in inner:
            continue
        slopes = [dict(form.terms).get(b.letter, Size.of(0)).value for form, b in zip(place[1:3], (i, j), strict=True)]
        stride = slopes[0]
        rows, columns = (place[1] - Affine.of(i.letter) * stride, place[2] - Affine.of(j.letter) * stride)
        letters = [f.letters[0] if len(f.letters) == 1 else None for f in (rows, columns)]
        p, q, r = (inner.get(l) if l is not None else None for l in (*letters, place[3].bare))
        if p is None or q is None or r is None or len({p, q, r}) != 3:
            continue
        if bare != {p.letter, q.letter, r.letter, k.letter}:
            continue
        offsets = [f - b.letter for f, b in ((rows, p), (columns, q))]
        if all(f.is_size for f in offsets) and len(affine_indices(w)) == 4:
            first, second = (f.const.value for f in offsets)
            return _Convolution(sums[0], x, w, (n, i, j, k), p, q, r, stride, (first, second))
    return None


def _forms(statement: Statement, c: _Convolution, forms: tuple[Matrix, Matrix, Matrix]) -> Minimal:
    n, i, j, k = c.out
    name, m = statement.target, WIDTH
    down, across = (Size.of(b.extent.value // m) for b in (i, j))
    a_, g_, b_ = forms
    t = len(b_)
    every = [(a, b) for a in range(t) for b in range(t)]
    u_, z_ = Size.of(t * t), Size.of(down.value * across.value)
    room = Size.of(t * t | 1)  # of a tile: an odd number of vectors, so that its neighbours have other sets of a cache
    names = {what: f"{name} ({what})" for what in ("weights", "tiles", "products", "squares")}

    def several(grid: Grid, binders: Sequence[Binder], axes: Sequence[Size], left: Callable[[int], Sequence[Affine]],
                target: str) -> tuple[Statement, ...]:  # fmt: skip
        return tuple(
            Statement(target, tuple(left(a * t + b)), tuple(binders), grid[a][b], tuple(axes)) for a, b in every
        )

    r, ks = Letter.fresh("r"), Letter.fresh("k")

    def weight(p: int, q: int) -> Node:
        at = {c.p.letter: Affine.of(p), c.q.letter: Affine.of(q), c.r.letter: Affine.of(r), k.letter: Affine.of(ks)}
        return _at(c.w, at)

    side = range(c.p.extent.value)
    weights = several(
        _both(g_, [[weight(p, q) for q in side] for p in side]), [Binder(r, c.r.extent), Binder(ks, k.extent)],
        [u_, c.r.extent, k.extent], lambda u: (Affine.of(u), Affine.of(r), Affine.of(ks)), names["weights"],
    )  # fmt: skip
    half = (t + 1) // 2 * t

    example, y, x, s = (Letter.fresh(l) for l in ("n", "y", "x", "r"))

    def entry(a: int, b: int) -> Node:
        step = m * c.stride
        rows, columns = (Affine.of(l) * step + at + o for l, at, o in zip((y, x), (a, b), c.offsets, strict=True))
        return Read(c.x.tensor, (Affine.of(example), rows, columns, Affine.of(s)), None)

    tiles = several(
        _both(b_, [[entry(a, b) for b in range(len(b_[0]))] for a in range(len(b_[0]))]),
        [Binder(example, n.extent), Binder(y, down), Binder(x, across), Binder(s, c.r.extent)],
        [n.extent, z_, room, c.r.extent],
        lambda u: (Affine.of(example), Affine.of(y) * across.value + x, Affine.of(u), Affine.of(s)), names["tiles"],
    )  # fmt: skip

    e2, u, z, k2, r2 = (Letter.fresh(l) for l in ("n", "u", "z", "k", "r"))
    both = mul(
        Read(names["tiles"], tuple(map(Affine.of, (e2, z, u, r2))), None),
        Read(names["weights"], tuple(map(Affine.of, (u, r2, k2))), None),
    )
    box = [Binder(e2, n.extent), Binder(z, z_), Binder(u, u_), Binder(k2, k.extent)]
    left, total = tuple(Affine.of(b.letter) for b in box), Reduce("sum", (Binder(r2, c.r.extent),), (), both)
    products = Statement(names["products"], left, tuple(box), total, (n.extent, z_, room, k.extent))

    y2, x2 = Letter.fresh("y"), Letter.fresh("x")

    def product(a: int, b: int) -> Node:
        place = (Affine.of(n.letter), Affine.of(y2) * across.value + x2, Affine.of(a * t + b), Affine.of(k.letter))
        return Read(names["products"], place, None)

    sums = _both(a_, [[product(a, b) for b in range(t)] for a in range(t)])
    results = []
    for a in range(m):
        for b in range(m):
            moved = {i.letter: Affine.of(y2) * m + a, j.letter: Affine.of(x2) * m + b}
            left = tuple(form.substitute(moved) for form in statement.left)
            binders = (n, Binder(y2, down), Binder(x2, across), k)
            expr = substitute(with_node(statement, c.node, sums[a][b]).expr, moved)
            results.append(Statement(name, left, binders, expr, statement.axes))

    own = [Binder(Letter.fresh(b.letter.name), b.extent) for b in c.out]
    result = Read(name, tuple(Affine.of(b.letter) for b in own), None)
    squares = Statement.plain(names["squares"], own[:2], Reduce("sum", tuple(own[2:]), (), mul(result, result)))
    return Minimal((weights[:half], weights[half:]), tiles, (products,), tuple(results), (squares,))


def _at(read: Read, letters: Mapping[Letter, Affine]) -> Node:
    return Read(read.tensor, tuple(form.substitute(letters) for form in affine_indices(read)), None)


# ---------------------------------------------------------------------------------------------------------------------
# The matrices


def matrices(m: int, side: int, stride: int = 1) -> tuple[Matrix, Matrix, Matrix]:
    """A' (m x t), G (t x side) and B (t x what a tile reads): those of every phase of the stride, side by side.

    y[i] = sum(p) d[s*i+p] g[p] is a sum of s products of polynomials: of the entries d[s*k+a] and g[s*k+a], for each a.
    """
    results: list[list[Fraction]] = [[] for _ in range(m)]
    weights, tiles = [], []
    reads = stride * (m - 1) + side
    for phase in range(min(stride, side)):
        own = range(phase, side, stride)
        a, g, b = _one_phase(m, len(own), POINTS[len(own)])
        results = [[*row, *more] for row, more in zip(results, a, strict=True)]
        weights += [_spread(row, phase, stride, side) for row in g]
        tiles += [_spread(row, phase, stride, reads) for row in b]
    return results, weights, tiles


def _spread(row: Sequence[Fraction], first: int, step: int, length: int) -> list[Fraction]:
    """The numbers at every step-th place, from the first; 0 between."""
    spread = [Fraction(0)] * length
    spread[first : first + step * len(row) : step] = row
    return spread


def _one_phase(m: int, side: int, points: Sequence[Fraction]) -> tuple[Matrix, Matrix, Matrix]:
    """A' (m x t), G (t x side) and B (t x t) for t = m+side-1, from t-1 points; for a kernel of one, the products."""
    t = m + side - 1
    if side == 1:
        one = [[Fraction(int(a == b)) for b in range(m)] for a in range(m)]
        return one, [[Fraction(1)]] * m, one
    results = [[*(p**i for p in points), Fraction(int(i == m - 1))] for i in range(m)]
    weights, tiles = [], []
    for p in points:
        others = [q for q in points if q != p]
        norm = prod((p - q for q in others), start=Fraction(1))
        weights.append([p**k / norm for k in range(side)])
        tiles.append([*_polynomial(others), Fraction(0)])
    weights.append([Fraction(int(k == side - 1)) for k in range(side)])
    tiles.append(_polynomial(points))
    assert len(weights) == len(tiles) == t
    return results, weights, tiles


def _polynomial(roots: Sequence[Fraction]) -> list[Fraction]:
    """The coefficients of the product of (x - root), from that of 1."""
    found = [Fraction(1)]
    for root in roots:
        found = [Fraction(0), *found]
        for k in range(len(found) - 1):
            found[k] -= root * found[k + 1]
    return found


def _both(matrix: Matrix, grid: Grid) -> Grid:
    """matrix @ grid @ matrix', with what several entries share as one node."""
    columns = list(zip(*grid, strict=True))
    first = [[_combined(row, column) for column in columns] for row in matrix]
    return [[_combined(row, line) for row in matrix] for line in first]


def _combined(numbers: Sequence[Fraction], values: Sequence[Node]) -> Node:
    terms = [v if c == 1 else mul(const(c), v) for c, v in zip(numbers, values, strict=True) if c]
    return add(*terms)
