"""The public Formula: one or more statements that print, differentiate and run.

    conv = formula("C[i,j,k] = sum(p,q,r) x[s*i+p, s*j+q, r] * w[p,q,r,k] + b[k]", x="H W R", s=2)
    conv.vjp("x")                  another Formula
    conv(x=x, w=w, b=b)            its result
    conv.gradients({...}, dC)      the gradients of sum(dC * C)

Everything here delegates: reading and printing to `notation`, derivatives to `calculus`, running to an engine.
"""

from __future__ import annotations

__all__ = ["Formula", "formula", "sorted_out"]

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from paperback import engines
from paperback.calculus import derive
from paperback.calculus.conventions import DEFAULT, Conventions
from paperback.calculus.pattern import structure
from paperback.calculus.structure import Structure
from paperback.engines.emit import source
from paperback.errors import EngineError, FormulaError, FormulaWarning, Problem, warn
from paperback.jacobians import LinearMap, jacobian
from paperback.jacobians.draw import matrix_text
from paperback.notation.bind import bind_sizes
from paperback.notation.block import Block
from paperback.notation.expr import Tensor
from paperback.notation.latex import latex
from paperback.notation.mathml import mathml
from paperback.notation.read import read
from paperback.notation.show import show
from paperback.notation.walk import reads

Array = np.ndarray[Any, Any]
Axes = str | Sequence[str | int]


def formula(
    text: str,
    /,
    *,
    integers: Iterable[str] = (),
    scalars: Iterable[str] = (),
    conventions: Conventions = DEFAULT,
    base: int | None = None,
    **declared: Axes | int,
) -> Formula:
    r"""Read a formula, in plain text or in LaTeX.

    A text with a backslash, a dollar, or a brace behind `_` or `^` is LaTeX, as `C_{ij} = \sum_{k} a_{ik} b_{kj}`; its
    indices count from `base`: 1, or 0 where nothing is said.

    A keyword with a string (or a sequence of names and numbers) names a tensor's axes, `x="H W R"`; one with an int
    gives a size, `s=2`. Both are optional: what is not declared is inferred. `integers` are tensors of ids, `scalars`
    scalar inputs; `conventions` are the slopes at kinks of its derivatives.

    Raises FormulaError, with a caret and a fix, for a text that is no sentence of the notation. Warns (FormulaWarning)
    of a declared tensor that is neither read nor gives a size that is used.
    """
    if not isinstance(text, str):
        raise FormulaError("", Problem(f"a formula is a text, not {text!r}", hint='write it as "y[i] = x[i]^2"'))
    axes, sizes = sorted_out(declared)
    block = read(text, axes=axes, sizes=sizes, integers=integers, scalars=scalars, base=base)
    _warn_of_idle(block, axes)
    return Formula(block, conventions)


def sorted_out(declared: Mapping[str, Axes | int]) -> tuple[dict[str, Axes], dict[str, int]]:
    """Keywords as axes of tensors, and sizes. Raises FormulaError for what is neither."""
    axes = {name: value for name, value in declared.items() if isinstance(value, str | Sequence)}
    return axes, {name: _whole(name, value) for name, value in declared.items() if name not in axes}


def _warn_of_idle(block: Block, axes: Iterable[str]) -> None:
    """A tensor that is not read declares its sizes on purpose; one whose sizes nothing uses is a slip."""
    reading = {read.tensor for statement in block.statements for read in reads(statement.expr)}
    for name in axes:
        if name in reading or name not in block.inputs:
            continue
        own = {size for axis in block.inputs[name].axes for size in axis.names}
        rest = replace(block, inputs={other: tensor for other, tensor in block.inputs.items() if other != name})
        if not own & rest.size_names:
            given = f" gives {', '.join(sorted(own))}, which nothing uses, and" if own else ""
            warn(f"{name}{given} is never read: leave it out, or correct its name", FormulaWarning)


def _whole(name: str, value: Any) -> int:
    """A size is a whole number."""
    try:
        return operator.index(value)
    except TypeError:
        message = f"{name} is given as {value!r}, which is neither a size (a whole number) nor axes"
        raise FormulaError("", Problem(message, hint=f'write {name}=2 or {name}="H W"')) from None


class Formula:
    """One or more statements; the last is the result. Immutable; equal when the statements are, whatever their letters.

    A Formula prints as text that reads back to itself, and so does every derivative of it.
    """

    def __init__(
        self,
        block: Block,
        conventions: Conventions = DEFAULT,
        *,
        origin: Formula | None = None,
        functions: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self._block = block
        self._conventions = conventions
        self._functions = dict(functions or {})
        self._origin = origin  # the formula that this is a derivative of
        self._backward: dict[tuple[tuple[str, ...], tuple[tuple[str, int], ...]], derive.Backward] = {}

    @property
    def block(self) -> Block:
        """The elaborated statements."""
        return self._block

    @property
    def ranges(self) -> dict[str, str]:
        """The extent of every index on the left of the result, as a size: {"i": "floor((H-P)/2)+1"}."""
        return {b.letter.name: str(b.extent) for b in self._block.result.binders}

    @property
    def shape(self) -> tuple[str, ...]:
        """The axes of the result, as sizes."""
        return tuple(str(axis) for axis in self._block.result.axes)

    @property
    def constraints(self) -> list[str]:
        """What sizes must still satisfy; checked before anything runs."""
        return [str(fact) for fact in self._block.facts]

    @property
    def inputs(self) -> dict[str, tuple[str, ...]]:
        """The tensors to pass, with their axes."""
        return {name: tuple(str(axis) for axis in t.axes) for name, t in self._block.inputs.items()}

    def __str__(self) -> str:
        return show(self._block, bounded=self._origin is not None)

    def __repr__(self) -> str:
        return f"formula({str(self)!r})"

    def latex(self, *, where: bool = True) -> str:
        r"""The statements in LaTeX, to go between dollars; several, or with clauses, they are an `aligned`.

        With `where`, what `str` writes after `where` follows each statement. It compiles in LaTeX with amsmath and
        amssymb, in KaTeX and in MathJax.
        """
        return latex(self._block, bounded=self._origin is not None, where=where)

    def mathml(self, *, where: bool = True) -> str:
        """The same as one `<math>` element, which browsers draw without any script."""
        return mathml(self._block, bounded=self._origin is not None, where=where)

    def source(
        self,
        target: str = "numpy",
        what: str | Sequence[str] = "forward",
        wrt: str | Sequence[str] | None = None,
        *,
        name: str | None = None,
        finite: bool | None = None,
    ) -> str:
        """The formula as source text: a plain function of arrays, to paste into a code base.

        target    "numpy", "torch" or "jax"; the text imports nothing else
        what      "forward"; "vjp", from the inputs and the cotangent to the gradients by `wrt`; "jvp", from the inputs
                  and tangents of `wrt`; "derivative", the Jacobian by the one input `wrt`; "autograd" (torch) and
                  "custom_vjp" (jax), forward and VJP as one differentiable function; or several of the first four
        wrt       inputs that hold floats; all of them where None
        name      what the function is called; a vjp of f is f_vjp
        finite    whether masks may become factors, so that a masked sum stays a matrix product: equal where arrays hold
                  finite numbers. Derivatives do that; a forward by default does not, so that 0 wins over NaN and inf

        Sizes come from shapes. Raises FormulaError for a target or an input that there is not.
        """
        floats = [n for n, t in self._block.inputs.items() if not t.integer]
        names = tuple(floats if wrt is None else [wrt] if isinstance(wrt, str) else wrt)
        derived = self._origin is not None if finite is None else finite
        return source(self._over(*names), self._conventions, target, what, names, name, derived)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def _repr_html_(self) -> str:
        return self.mathml()

    def __eq__(self, other: object) -> bool:
        return self._block == other._block if isinstance(other, Formula) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._block)

    # ------------------------------------------------------------------------------------------------ derivatives

    def derivative(self, wrt: str, layout: str = "numerator") -> Formula:
        """The Jacobian as a Formula.

        layout    "numerator": `dy_dx[o, t]`, the axes of the output first, then those of `wrt`. "denominator":
                  `dy_dx[t, o]`, the other way round; of a dense layer y = W x it is the transpose of W
        """
        _check_layout(layout)
        over = self._over(wrt)
        jacobian = derive.derivative(over, wrt, self._conventions)
        if layout == "denominator":
            jacobian = derive.rotated(jacobian, len(over.inputs[wrt].axes))
        return self._derived(jacobian)

    def jacobian(self, wrt: str, /, layout: str = "numerator", **arrays: Any) -> LinearMap:
        """The Jacobian at these arrays, as a linear map: `.apply(dx)`, `.adjoint(g)`, `.dense()`, `.structure` ...

        layout    "numerator": from changes of `wrt` to those of the result, whose axes come first. "denominator": the
                  transposed map, the axes of `wrt` first; it takes cotangents
        """
        _check_layout(layout)
        given, sizes = self._sort(arrays)
        title = f"Jacobian d{self._block.result.target}/d{wrt}, {layout} layout"
        found = jacobian(self._over(wrt), wrt, given, sizes, self._conventions, self._functions, title)
        return found if layout == "numerator" else found.turned(title)

    def structure(self, wrt: str, **sizes: int) -> Structure:
        """How the entries of the Jacobian by `wrt` lie, for all sizes, or with some sizes given as numbers."""
        return structure(self._over(wrt).at(sizes), wrt, self._conventions)

    def matrix(self, wrt: str, **sizes: int) -> str:
        """A small Jacobian as it stands on paper: a symbol for each entry, a dot where the structure has a zero."""
        return matrix_text(self._over(wrt).at(sizes), wrt, self._conventions)

    def hessian(self, wrt: str, wrt2: str | None = None) -> Formula:
        """The derivative by `wrt` of which the derivative by `wrt2` (`wrt` again where None) is taken.

        `d2[o, s, t]`: axes of the output, of `wrt`, of `wrt2`; of a scalar result the Hessian matrix.
        """
        second = self.derivative(wrt).derivative(wrt2 or wrt)
        return self.derivative(wrt)._derived(derive.without_copies(second.block))

    def vjp(self, wrt: str) -> Formula:
        """The gradient of `sum(dy * y)` by one input, as a Formula over the inputs and the cotangent dy."""
        return self._derived(derive.vjp(self._over(wrt), wrt, self._conventions))

    def jvp(self, *wrt: str) -> Formula:
        """The change of the result along tangents `dx` of the inputs (all that hold floats, where none is named)."""
        return self._derived(derive.jvp(self._over(*wrt), wrt or None, self._conventions))

    def _derived(self, block: Block) -> Formula:
        return Formula(block, self._conventions, origin=self, functions=self._functions)

    def _over(self, *names: str) -> Block:
        """The block with these inputs declared: a derivative may not read what its formula reads, and is then 0."""
        candidates = self._candidates
        for name in names:
            tensor = candidates.get(name)
            if tensor is None or tensor.integer:
                floats = [n for n, t in candidates.items() if not t.integer]
                what = f"{name} holds integers" if tensor else f"{name} is no tensor of this formula"
                near = get_close_matches(str(name), floats, 1)
                hint = f"did you mean {near[0]}?" if near else f"its tensors are {', '.join(floats) or 'none'}"
                if name in self._block.scalars:
                    what = f"{name} is a scalar"
                    hint = f"write {name}[], a tensor without axes, to have its derivative"
                raise FormulaError("", Problem(f"{what}; there is no derivative by it", hint=hint))
        return replace(self._block, inputs={**self._block.inputs, **{name: candidates[name] for name in names}})

    @property
    def _candidates(self) -> dict[str, Tensor]:
        """The inputs, and those of the formula that this is a derivative of."""
        above = self._origin._candidates if self._origin else {}
        computed = {s.target for s in self._block.statements}
        return {**{n: t for n, t in above.items() if n not in computed}, **self._block.inputs}

    # ---------------------------------------------------------------------------------------------------- running

    def with_functions(self, functions: Mapping[str, Callable[..., Any]]) -> Formula:
        """The formula with functions for the names that `where phi function` leaves open; derivatives call `phi'`.

        A function takes and gives arrays of the engine that runs.
        """
        return Formula(
            self._block, self._conventions, origin=self._origin, functions={**self._functions, **functions}
        )

    def __call__(self, /, **arrays: Any) -> Array:
        """The result for these arrays, numbers for scalars, and ints for sizes that no array gives.

        float64 where any array is float64 or integer data is given for floats, else float32. Raises EngineError for
        arrays that do not fit, before anything is computed.
        """
        return self.all(**arrays)[self._block.result.target]

    def all(self, /, **arrays: Any) -> dict[str, Array]:
        """Every statement's value by name."""
        given, sizes = self._sort(arrays)
        return engines.run(self._block, given, sizes, functions=self._functions)

    def gradients(
        self, arrays: Mapping[str, Any], cotangent: Any, wrt: Iterable[str] | None = None
    ) -> dict[str, Array]:
        """The gradients of `sum(cotangent * result)` with respect to the inputs in `wrt` (all that hold floats)."""
        given, sizes = self._sort(dict(arrays))
        floats = [n for n, t in self._block.inputs.items() if not t.integer]
        names = tuple(floats if wrt is None else wrt)
        block = self._over(*names)
        sizes = bind_sizes(block, {n: np.shape(given[n]) for n in block.inputs if n in given}, sizes)
        key = names, tuple(sorted(sizes.items()))
        if key not in self._backward:
            self._backward[key] = derive.backward(block.at(sizes), names, self._conventions)
        backward = self._backward[key]
        given[backward.cotangent] = cotangent
        results = engines.run(backward.block, given, sizes, functions=self._functions)
        return {name: results[backward.gradients[name]] for name in names}

    def _sort(self, arrays: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
        """Arrays and scalars on one side, sizes on the other."""
        block = self._block
        known = set(block.inputs) | set(block.scalars)
        unread = set(self._candidates)  # a derivative takes, and ignores, what its formula reads and it does not
        size_names = block.size_names
        sizes = {name: _count(name, value) for name, value in arrays.items() if name in size_names - known}
        for name in arrays:
            if name not in known | size_names | unread:
                near = get_close_matches(name, [*known, *size_names], 1)
                fix = f"did you mean {near[0]}?" if near else f"its inputs are {', '.join(sorted(known))}"
                raise EngineError(f"{name} is neither an input nor a size of this formula; {fix}")
        return {name: value for name, value in arrays.items() if name in known}, sizes


def _check_layout(layout: str) -> None:
    if layout not in ("numerator", "denominator"):
        hint = 'write layout="numerator" for the axes of the output first'
        raise FormulaError("", Problem(f"layout is numerator or denominator, not {layout!r}", hint=hint))


def _count(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise EngineError(f"the size {name} must be a whole number; got {value!r}") from None
