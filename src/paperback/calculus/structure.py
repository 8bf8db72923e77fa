"""The structure of a Jacobian: how its entries lie, in words, with the number of those that are not zero.

    identity · diagonal · selection (one 1 per row) · Toeplitz, band 0..P-1 · diagonal minus rank one · dense · zero
    Kronecker product of a row vector (t) and identity (o with u)

A structure is a Kronecker product of parts, each over some axes of the output and some of the input. `pattern` reads
it off a derivative; here is what it says, and what becomes of it in sums and products of maps. Of a product the words
name the factors; only where a rule is certain (identity, zero, two diagonals) are they one word.
"""

from __future__ import annotations

__all__ = ["Count", "Pair", "Part", "Structure"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from paperback.notation.size import Size, SizeLike
from paperback.notation.spell import size_text

Shape = tuple[Size, ...]

_ONE = Size.of(1)


@dataclass(frozen=True)
class Count:
    """A number of entries, a product of sizes divided by `over`; not exact, it is the most that there can be."""

    factors: tuple[Size, ...] = ()
    over: int = 1
    exact: bool = True

    @staticmethod
    def of(*extents: Size) -> Count:
        return Count(tuple(extent for extent in extents if extent != _ONE))

    def __mul__(self, other: Count) -> Count:
        return Count((*self.factors, *other.factors), self.over * other.over, self.exact and other.exact)

    @property
    def most(self) -> Count:
        """The same number, as a bound."""
        return replace(self, exact=False)

    @property
    def size(self) -> Size:
        """The product, as a polynomial; to be divided by `over`."""
        total = _ONE
        for factor in self.factors:
            total = total * factor
        return total

    @property
    def is_int(self) -> bool:
        return self.size.is_int

    @property
    def value(self) -> int:
        """The number, where all sizes are numbers."""
        return self.size.value // self.over

    def at(self, sizes: Mapping[str, SizeLike]) -> Count:
        return replace(self, factors=tuple(factor.substitute(sizes) for factor in self.factors))

    def __str__(self) -> str:
        if self.is_int:
            text = f"{self.value:,}"
        else:
            text = "*".join(map(size_text, self.factors)) if len(self.factors) != 1 else str(self.factors[0])
            text = text if self.over == 1 else f"{text if len(self.factors) > 1 else f'({text})'}/{self.over}"
        return text if self.exact else f"at most {text}"


@dataclass(frozen=True)
class Pair:
    """Letters of the rows and of the columns that go together, by their places on either side.

    kind     "identity": the entries lie where column = row;  "selection": the ones are known by the others, so that at
             most one entry is there;  "Toeplitz": one row and one column, whose entries depend on column - stride*row
             alone and are zero outside low..high;  "banded": the same zeros, with entries that depend on more;
             `turned`, it is row - stride*column
    """

    kind: str
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    stride: Size = _ONE
    turned: bool = False
    low: Size | None = None
    high: Size | None = None


@dataclass(frozen=True)
class Part:
    """A factor of the Kronecker product: a matrix over some letters of the rows and some of the columns.

    kind      identity, diagonal, selection, Toeplitz, banded, dense, row, column, rank one, diagonal plus rank, block
    core      of a block: the rows and columns that are left beside its pairs
    values    "ones" where nothing else stands there, "zero or one" where data decide, "equal", or ""
    rank      of what is added to the diagonal; `minus` where it is one product taken off
    """

    kind: str
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    count: Count
    pairs: tuple[Pair, ...] = ()
    core: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    values: str = ""
    rank: int = 0
    minus: bool = False


@dataclass(frozen=True)
class Structure:
    """What is known of a matrix without its numbers.

    shape_out, shape_in     its axes
    words                   how the entries lie
    count                   how many are not zero, whatever the numbers are
    parts                   the Kronecker factors, where it was read off a formula
    letters                 names and extents of the letters of the rows and of the columns that parts speak of
    """

    shape_out: Shape
    shape_in: Shape
    words: str
    count: Count
    parts: tuple[Part, ...] = ()
    letters: tuple[tuple[tuple[str, Size], ...], tuple[tuple[str, Size], ...]] = ((), ())

    @staticmethod
    def identity(shape: Sequence[int]) -> Structure:
        axes = tuple(Size.of(extent) for extent in shape)
        return Structure(axes, axes, "identity", Count.of(*axes))

    @staticmethod
    def unread(shape_out: Sequence[SizeLike], shape_in: Sequence[SizeLike]) -> Structure:
        """Nothing is known: any entry may be there."""
        rows, columns = (tuple(Size.of(extent) for extent in shape) for shape in (shape_out, shape_in))
        return Structure(rows, columns, "not known", Count.of(*rows, *columns).most)

    @property
    def kind(self) -> str:
        """One word: that of its part, or "Kronecker", or the first of its words."""
        if len(self.parts) == 1:
            return self.parts[0].kind
        return "Kronecker" if self.parts else self.words.partition(" ")[0]

    @property
    def nnz(self) -> int | str:
        """How many entries are not zero: a number, or a polynomial in the sizes; "at most" where data decide."""
        return self.count.value if self.count.is_int and self.count.exact else str(self.count)

    def __str__(self) -> str:
        total = Count.of(*self.shape_out, *self.shape_in)
        if self.count.exact and self.count.size == total.size * self.count.over:
            return f"{self.words}; all {total} entries non-zero"
        return f"{self.words}; {self.count} of {total} entries non-zero"

    def counted(self, number: int) -> Structure:
        """The same with the number that was counted, for given arrays."""
        return replace(self, count=Count.of(Size.of(number)))

    # --------------------------------------------------------------------------------------------------- of maps

    @property
    def transposed(self) -> Structure:
        words = self.words if self.words in _SYMMETRIC else f"transpose of {self.words}"
        turned = self.words.removeprefix("transpose of ") if self.words.startswith("transpose of ") else words
        return Structure(self.shape_in, self.shape_out, turned, self.count)

    def scaled(self, number: float) -> Structure:
        if number == 0:
            return replace(self, words="zero", count=Count((Size(),)), parts=())
        words = "a multiple of the identity" if self.words == "identity" and number != 1 else self.words
        return replace(self, words=words, parts=())

    def __matmul__(self, other: Structure) -> Structure:
        most = Count.of(*self.shape_out, *other.shape_in).most
        words = [self.words, other.words]
        if "zero" in words:
            return Structure(self.shape_out, other.shape_in, "zero", Count((Size(),)))
        if self.words == "identity":
            return other
        if other.words == "identity":
            return self
        if all(text in _DIAGONAL for text in words):
            most = Count.of(*self.shape_out).most
            return Structure(self.shape_out, other.shape_in, "diagonal", most)
        return Structure(self.shape_out, other.shape_in, _joined("product of", words), most)

    def __add__(self, other: Structure) -> Structure:
        if other.words == "zero":
            return self
        if self.words == "zero":
            return other
        if {self.words, other.words} <= _DIAGONAL:
            return Structure(self.shape_out, self.shape_in, "diagonal", Count.of(*self.shape_out).most)
        most = Count.of(*self.shape_out, *self.shape_in).most
        return Structure(self.shape_out, self.shape_in, _joined("sum of", [self.words, other.words]), most)


_DIAGONAL = {"identity", "diagonal", "a multiple of the identity", "diagonal of 0 and 1"}
_SYMMETRIC = _DIAGONAL | {"dense", "zero", "not known"}


def _joined(how: str, words: Sequence[str]) -> str:
    """`product of: a; b; c`: products in products are one list."""
    flat: list[str] = []
    for text in words:
        flat += text.removeprefix(f"{how}: ").split("; ") if text.startswith(f"{how}: ") else [text]
    return f"{how}: {'; '.join(flat)}"

