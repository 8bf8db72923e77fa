"""Linear maps: the laws of linear algebra, against NumPy and SciPy; spectra against LAPACK; errors word for word."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

import paperback as pb
from paperback.errors import EngineError, FormulaError
from paperback.jacobians import Entries, spectrum

Array = np.ndarray[Any, Any]
SHAPES = [((3,), (4,)), ((2, 3), (5,)), ((7,), (2, 2)), ((), (4,)), ((3, 2), ()), ((1,), (1,)), ((4, 2), (2, 4))]


def map_of(matrix: Array, out: tuple[int, ...], inside: tuple[int, ...]) -> pb.LinearMap:
    """A map of two plain functions, as a user makes one."""
    return pb.LinearMap(
        out, inside, lambda v: (matrix @ v.ravel()).reshape(out), lambda g: (g.ravel() @ matrix).reshape(inside)
    )


def drawn(out: tuple[int, ...], inside: tuple[int, ...], seed: int = 0) -> tuple[pb.LinearMap, Array]:
    matrix = np.random.default_rng(seed).standard_normal((int(np.prod(out)), int(np.prod(inside))))
    return map_of(matrix, out, inside), matrix


@pytest.mark.parametrize(("out", "inside"), SHAPES)
def test_what_it_does_and_what_it_is(out: tuple[int, ...], inside: tuple[int, ...]) -> None:
    found, matrix = drawn(out, inside)
    random = np.random.default_rng(1)
    v, g = random.standard_normal(inside), random.standard_normal(out)
    assert np.allclose(found.matrix(), matrix) and found.dense().shape == found.shape == out + inside
    assert np.isclose(np.sum(found.apply(v) * g), np.sum(v * found.adjoint(g)))
    assert np.allclose(found.T.matrix(), matrix.T) and np.allclose(found.T.apply(g), found.adjoint(g))
    assert np.allclose((2.5 * found - found).matrix(), 1.5 * matrix)
    assert np.allclose((found.T @ found).matrix(), matrix.T @ matrix)
    assert np.allclose((found.T @ found).entries().dense(), matrix.T @ matrix)
    assert np.allclose((found + found).entries().dense(), 2 * matrix)
    assert np.allclose(found @ v, found.apply(v))
    assert np.allclose(found.sparse().toarray(), matrix) and found.nnz == matrix.size
    values = np.linalg.svd(matrix, compute_uv=False)
    assert np.allclose(found.singular_values(), values) and np.isclose(found.norm(), values[0])
    assert np.isclose(found.norm("fro"), np.linalg.norm(matrix))


@pytest.mark.parametrize("seed", range(20))
def test_entries_multiply_and_add_like_matrices(seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = (random.standard_normal(s) * (random.random(s) < 0.4) for s in ((7, 5), (5, 9)))
    c = random.standard_normal((7, 9)) * (random.random((7, 9)) < 0.3)
    one, two, three = map(Entries.from_dense, (a, b, c))
    assert np.allclose(one.times(two).plus(three).dense(), a @ b + c)
    assert np.array_equal(one.transposed.dense(), a.T) and np.array_equal(one.scaled(2).dense(), 2 * a)
    assert np.array_equal(one.places.times(two.places).dense(), (a != 0).astype(int) @ (b != 0).astype(int) > 0)


SPECTRA = {
    "random": np.random.default_rng(0).standard_normal((60, 40)),
    "wide": np.random.default_rng(1).standard_normal((20, 90)),
    "every value twice": np.kron(np.eye(2), np.random.default_rng(2).standard_normal((30, 20))),
    "every value five times": np.kron(np.eye(5), np.diag([3.0, 2.0, 1.0, 0.5])),
    "identity": np.eye(25),
    "rank two": np.outer(np.arange(30.0), np.ones(20)) + np.outer(np.ones(30), np.arange(20.0)),
    "zero": np.zeros((8, 6)),
    "one row": np.ones((1, 12)),
    "ill-conditioned": np.diag(10.0 ** -np.arange(15)),
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("count", [1, 3, 6])
def test_the_largest_values_are_those_of_lapack(name: str, count: int) -> None:
    matrix = SPECTRA[name]
    found = spectrum.largest(lambda v: matrix @ v, lambda g: matrix.T @ g, *matrix.shape, count, 1e-9)
    truth = np.linalg.svd(matrix, compute_uv=False)[:count]
    assert len(found) == len(truth) and np.abs(found - truth).max() <= 1e-8 * max(truth[0], 1)


def test_a_run_without_the_search_for_a_second_copy_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """One start vector sees a value that occurs twice only once."""
    run = spectrum._run
    calls = []

    def once(*given: Any) -> Any:
        calls.append(given)
        return run(*given) if len(calls) == 1 else (np.zeros(0), np.zeros((0, given[3])))

    monkeypatch.setattr(spectrum, "_run", once)
    matrix = SPECTRA["every value five times"]
    found = spectrum.largest(lambda v: matrix @ v, lambda g: matrix.T @ g, *matrix.shape, 3, 1e-9)
    assert np.abs(found - 3).max() > 0.5


def test_a_large_map_is_not_written_out() -> None:
    d = 4001
    conv = pb.formula("y[i] = sum(p) x[i+p]*w[p] where x: d, w: k").jacobian("x", x=np.zeros(d), w=np.ones(3))
    assert conv.nnz == 3 * (d - 2) and conv.structure.words == "Toeplitz, band 0..2"
    assert conv.sparse().nnz == conv.nnz
    scaled = pb.formula("y[i] = g[i]*x[i]").jacobian("x", x=np.zeros(d), g=1 / (1 + np.arange(d)))
    assert np.allclose(scaled.singular_values(3), [1, 1 / 2, 1 / 3], atol=1e-8) and np.isclose(scaled.norm(), 1)
    with pytest.raises(EngineError, match=r"^dense: the array would hold 16,\d+,\d+,000 numbers"):
        pb.LinearMap.identity((127, 1000)).dense()


def test_identities_vanish_and_diagonals_stay() -> None:
    a, _ = drawn((3,), (3,))
    one = pb.LinearMap.identity((3,))
    relu = pb.formula("y[i] = relu(x[i])").jacobian("x", x=np.array([1.0, -1.0, 2.0]))
    assert (one @ relu).structure.words == relu.structure.words == "diagonal of 0 and 1"
    assert relu.structure.nnz == relu.nnz == 2
    assert (relu @ relu).structure.words == (relu + one).structure.words == "diagonal"
    assert (a @ one).structure.words == "not known" and (0 * one).structure.words == "zero"
    conv = pb.formula("y[i] = sum(p) x[i+p-1]*w[p] where x: d, w: 3, x pads 0, i < d")
    chain = relu @ conv.jacobian("x", x=np.zeros(3), w=np.ones(3)) @ relu
    assert chain.structure.words == "product of: diagonal of 0 and 1; Toeplitz, band -1..1; diagonal of 0 and 1"
    assert chain.T.T.structure.words == chain.structure.words
    assert chain.nnz == np.count_nonzero(chain.matrix()) == 2


def test_layouts() -> None:
    dense = pb.formula("y[o] = sum(i) x[i]*w[o,i] where w: O I")
    w = np.arange(6.0).reshape(2, 3)
    numerator = dense.jacobian("x", x=np.zeros(3), w=w)
    denominator = dense.jacobian("x", layout="denominator", x=np.zeros(3), w=w)
    assert np.array_equal(numerator.dense(), w) and np.array_equal(denominator.dense(), w.T)
    assert np.array_equal(denominator.dense(), dense.derivative("x", "denominator")(w=w))
    assert repr(numerator) == (
        "<Jacobian dy/dx, numerator layout: (3,) -> (2,), rows y, columns x; dense; all 6 entries non-zero>"
    )
    assert repr(denominator) == (
        "<Jacobian dy/dx, denominator layout: (2,) -> (3,), rows x, columns y; dense; all 6 entries non-zero>"
    )
    with pytest.raises(FormulaError, match="layout is numerator or denominator, not 'rows'"):
        dense.jacobian("x", layout="rows", x=np.zeros(3), w=w)


def test_it_shows_itself_as_a_picture() -> None:
    small, _ = drawn((3,), (4,))
    assert 'src="data:image/png;base64,' in small._repr_html_() and "&lt;" not in small._repr_html_()
    assert "png" not in pb.LinearMap.identity((300,))._repr_html_()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda a: a.apply(np.zeros(3)),
         "apply: needs an array of shape (2, 2), found (3,); adjoint takes one of that"),
        (lambda a: a.adjoint(np.zeros(5)), "adjoint: needs an array of shape (3,), found (5,)"),
        (lambda a: a @ a, "@: the left map takes shape (2, 2), the right one gives (3,)"),
        (lambda a: a + a.T, "+: needs maps of one shape, found (2, 2) -> (3,) and (3,) -> (2, 2)"),
        (lambda a: a.norm("max"), 'norm: kind is "spectral" or "fro", found \'max\''),
        (lambda a: a.singular_values(0),
         "singular_values: k is how many, at least 1, found 0; leave it out for all of them"),
        (lambda a: pb.LinearMap.of(np.zeros(3), 2), "LinearMap.of: an array of 1 axes has no last 2; pass axes_in"),
    ],
)  # fmt: skip
def test_errors(wrong: Any, words: str) -> None:
    with pytest.raises(EngineError) as error:
        wrong(drawn((3,), (2, 2))[0])
    assert str(error.value) == words


def test_without_scipy_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def blocked(name: str, *given: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "scipy":
            raise ImportError(name)
        return real(name, *given, **more)

    monkeypatch.setattr(builtins, "__import__", blocked)
    with pytest.raises(EngineError) as error:
        drawn((3,), (2,))[0].sparse()
    assert str(error.value) == 'sparse: needs SciPy; run pip install "paperback[sparse]", or use entries()'
