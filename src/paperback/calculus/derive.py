"""Derivatives of blocks: JVP, VJP and Jacobian, each again a block of sentences.

    jvp         dy = sum over inputs of (dy/dx) dx          forward, statement by statement
    vjp         dx[t] = sum(o) dy[o] * dy[o]/dx[t]          backward, contributions to one tensor in one statement
    derivative  dy_dx[o, t]                                 forward, with a delta in the place of the tangent

`reverse` is the backward sweep itself; a Program's training step is made with the same function.
"""

from __future__ import annotations

__all__ = [
    "Backward", "backward", "depending", "derivative", "jvp", "live", "names_in", "reverse", "rotated", "vjp", "vjps",
    "without_copies",
]  # fmt: skip

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from paperback.calculus.adjoint import delta, differentiated_name, fresh_letters, target_binders, transpose
from paperback.calculus.conventions import DEFAULT, Conventions
from paperback.calculus.diff import Differential, LinearTerm, Names
from paperback.calculus.display import display
from paperback.calculus.guards import Box
from paperback.calculus.naming import known_values
from paperback.calculus.term import Term, expression
from paperback.notation.affine import Affine, Letter
from paperback.notation.block import Block
from paperback.notation.expr import Add, Binder, Node, Read, Reduce, Statement, Tensor, add
from paperback.notation.size import Size
from paperback.notation.walk import map_children, nodes, reads, rename_tensors, substitute
from paperback.notation.words import is_derivative


def depending(statements: Iterable[Statement], wrt: Iterable[str]) -> set[str]:
    """The tensors that depend on `wrt` through values (an argmax or an index depends on nothing)."""
    active = set(wrt)
    for statement in statements:
        if statement.is_position:
            continue
        if any(read.tensor in active for read in reads(statement.expr)):
            active.add(statement.target)
    return active


def reverse(
    statements: Sequence[Statement],
    cotangents: Mapping[str, str],
    wrt: Mapping[str, tuple[Size, ...]],
    names: Names,
    *,
    conventions: Mapping[str, Conventions] | None = None,
    default: Conventions = DEFAULT,
    lower: Mapping[str, int] | None = None,
) -> tuple[tuple[Statement, ...], tuple[Statement, ...], dict[str, str]]:
    """The backward sweep, in delta form.

    `cotangents`: result -> the tensor that holds its cotangent; `wrt`: tensor -> axes. Returns the statements extended
    by the selectors that the sweep needs (each right after its max), the gradients in the order in which they can be
    computed, and the name of the gradient of each tensor.
    """
    active = depending(statements, wrt)
    found: dict[str, list[tuple[Statement, LinearTerm, str]]] = {}
    selectors: dict[str, list[Statement]] = {}
    gradients: list[Statement] = []
    held = dict(cotangents)

    def emit(tensor: str, binders: tuple[Binder, ...], axes: tuple[Size, ...]) -> None:
        box = Box(binders, lower)
        terms = [transpose(s, d, cotangent, binders, box) for s, d, cotangent in found.pop(tensor, [])]
        name = names.fresh(differentiated_name(tensor))
        left = tuple(Affine.of(b.letter) for b in binders)
        gradients.append(Statement(name, left, binders, expression(t for t in terms if t is not None), axes))
        held[tensor] = name

    for statement in reversed(statements):
        target = statement.target
        if target not in active or (target not in found and target not in held):
            continue
        if target in found:
            if target in held:
                raise ValueError(f"{target} is a result and is read again; name the result by a statement of its own")
            letters = [b.letter.name for b in statement.binders] if statement.is_plain else []
            emit(target, _named_like(letters, statement.axes), statement.axes)
        rules = (conventions or {}).get(target, default)
        d = Differential(statement, active.__contains__, rules, names)
        selectors[target] = d.named
        for linear in d.terms:
            found.setdefault(linear.slot.tensor, []).append((statement, linear, held[target]))
    for tensor, axes in wrt.items():
        emit(tensor, target_binders(axes, [d.slot for _, d, _ in found.get(tensor, [])]), axes)
    extended = [s for statement in statements for s in (statement, *selectors.get(statement.target, []))]
    return tuple(extended), tuple(gradients), {t: held[t] for t in wrt}


def _named_like(letters: Sequence[str], axes: tuple[Size, ...]) -> tuple[Binder, ...]:
    plain = fresh_letters(axes, ())
    if len(letters) != len(axes):
        return plain
    return tuple(Binder(Letter.fresh(name), b.extent) for b, name in zip(plain, letters, strict=True))


def live(statements: Sequence[Statement], wanted: Iterable[str]) -> tuple[Statement, ...]:
    """The statements that the wanted tensors need, in order."""
    needed, kept = set(wanted), []
    for statement in reversed(statements):
        if statement.target in needed:
            kept.append(statement)
            needed.update(read.tensor for read in reads(statement.expr))
    return tuple(reversed(kept))


def names_in(block: Block) -> Names:
    """Every name of the block is taken, those of letters and sizes too."""
    taken = {s.target for s in block.statements} | set(block.inputs) | set(block.scalars) | set(block.functions)
    sums = [n for s in block.statements for n in nodes(s.expr) if isinstance(n, Reduce)]
    bound = [b for s in block.statements for b in s.binders] + [b for n in sums for b in n.binders]
    letters = {b.letter.name for b in bound}
    return Names(taken | letters | block.size_names)


def _rebuilt(block: Block, statements: Sequence[Statement], extra: Sequence[Tensor]) -> Block:
    """The block with other statements, and the inputs that they read or whose axes name a size."""
    computed = {s.target for s in statements}
    inputs = {name: t for name, t in block.inputs.items() if name not in computed} | {t.name: t for t in extra}
    read_names = {r.tensor for s in statements for r in reads(s.expr)}
    given = {t.name for t in extra}
    kept = {name: t for name, t in inputs.items() if name in read_names | given}
    named = {axis.terms for t in kept.values() for axis in t.axes}
    for name, tensor in inputs.items():  # what is not read is declared where only its axes give a size
        if name not in kept and any(axis.names and axis.terms not in named for axis in tensor.axes):
            kept[name] = tensor
            named |= {axis.terms for axis in tensor.axes}
    derived = Block(tuple(statements), kept, block.scalars, {}, block.facts, block.lower)
    called, known = derived.called, block.functions
    functions = {name: kind for name, kind in known.items() if name in called or not is_derivative(name, known)}
    primed = sorted(name for name in called - functions.keys() if name.endswith("'"))
    return replace(derived, functions={**functions, **dict.fromkeys(primed, False)})


@dataclass(frozen=True)
class Backward:
    """A block extended by the gradients of its result, in delta form, for an engine.

    `cotangent` is the new input; `gradients` names the statement that holds the gradient of each tensor.
    """

    block: Block
    cotangent: str
    gradients: Mapping[str, str]


def backward(block: Block, wrt: Iterable[str], conventions: Conventions = DEFAULT) -> Backward:
    """The gradients of `sum(d<result> * result)` with respect to several inputs, in one sweep."""
    wrt = tuple(wrt)
    _check_differentiable(block, wrt)
    extended, gradients, cotangent, held = _swept(block, wrt, conventions)
    statements = live((*extended, *gradients), held.values())
    given = [Tensor(cotangent, block.result.axes)]
    return Backward(_rebuilt(block, statements, given), cotangent, held)


def _swept(
    block: Block, wrt: tuple[str, ...], conventions: Conventions
) -> tuple[tuple[Statement, ...], tuple[Statement, ...], str, dict[str, str]]:
    names = names_in(block)
    result = block.result
    cotangent = names.fresh(differentiated_name(result.target))
    axes = {name: block.inputs[name].axes for name in wrt}
    swept = reverse(
        block.statements, {result.target: cotangent}, axes, names, default=conventions, lower=block.lower
    )
    return swept[0], swept[1], cotangent, swept[2]


def _check_differentiable(block: Block, wrt: Iterable[str]) -> None:
    for name in wrt:
        if name not in block.inputs:
            raise KeyError(name)


def vjp(block: Block, wrt: str, conventions: Conventions = DEFAULT) -> Block:
    """`dx` from `dy`: the gradient of `sum(dy * y)`; reads the inputs and the cotangent `d<result>`."""
    return vjps(block, (wrt,), conventions).block


def vjps(block: Block, wrt: tuple[str, ...], conventions: Conventions = DEFAULT) -> Backward:
    """The gradients of `sum(dy * y)` by several inputs, for people: `backward` with its deltas solved."""
    _check_differentiable(block, wrt)
    extended, gradients, cotangent, held = _swept(block, wrt, conventions)
    given = [Tensor(cotangent, block.result.axes)]
    shown = _shown(gradients, extended, block, given)
    statements = live((*extended, *shown), held.values())
    return Backward(_rebuilt(block, statements, given), cotangent, held)


def jvp(block: Block, wrt: Iterable[str] | None = None, conventions: Conventions = DEFAULT) -> Block:
    """`dy` from the tangents `d<input>` of the inputs in `wrt` (all that hold floats, where None)."""
    wrt = [t.name for t in block.inputs.values() if not t.integer] if wrt is None else list(wrt)
    _check_differentiable(block, wrt)
    names = names_in(block)
    tangents = {name: names.fresh(differentiated_name(name)) for name in wrt}
    given = [Tensor(tangents[name], block.inputs[name].axes) for name in wrt]

    def replaced(term: LinearTerm) -> Term:
        pad = None if term.slot.pad is None else Fraction(0)
        return term.term.times(Read(tangents[term.slot.tensor], term.slot.indices, pad))

    primal: list[Statement] = []
    derived: list[Statement] = []
    active = depending(block.statements, wrt)
    for statement in block.statements:
        primal.append(statement)
        if statement.target in active or statement is block.result:
            d = Differential(statement, active.__contains__, conventions, names)
            primal += d.named
            tangents[statement.target] = names.fresh(differentiated_name(statement.target))
            terms = [replaced(term) for term in d.terms]
            derived.append(_derived(statement, tangents[statement.target], terms, ()))
    shown = _shown(derived, primal, block, given)
    statements = live((*primal, *shown), [tangents[block.result.target]])
    return _rebuilt(block, statements, given)


def derivative(block: Block, wrt: str, conventions: Conventions = DEFAULT) -> Block:
    """`dy_dx[o, t]`: the Jacobian of the result by one input, numerator layout (output axes first)."""
    _check_differentiable(block, (wrt,))
    names = names_in(block)
    axes = block.inputs[wrt].axes
    primal: list[Statement] = []
    derived: list[Statement] = []
    jacobians: dict[str, str] = {}
    active = depending(block.statements, (wrt,))
    last = wrt.rpartition(".")[2]
    for statement in block.statements:
        primal.append(statement)
        if statement.target in active or statement is block.result:
            d = Differential(statement, active.__contains__, conventions, names)
            primal += d.named
            jacobians[statement.target] = names.fresh(f"{differentiated_name(statement.target)}_d{last}")
            taken = {b.letter.name for b in statement.binders} | names.taken
            target = fresh_letters(axes, taken)
            letters = tuple(Affine.of(b.letter) for b in target)
            terms = []
            for linear in d.terms:
                slot = linear.slot
                if slot.tensor == wrt:
                    terms.append(linear.term.where(*delta(slot, target)))
                else:
                    pad = None if slot.pad is None else Fraction(0)
                    terms.append(linear.term.times(Read(jacobians[slot.tensor], (*slot.indices, *letters), pad)))
            derived.append(_derived(statement, jacobians[statement.target], terms, target))
    shown = _shown(derived, primal, block, ())
    statements = live((*primal, *shown), [jacobians[block.result.target]])
    return _rebuilt(block, statements, [])


def rotated(block: Block, count: int) -> Block:
    """The block with the last `count` axes of its result put first: of a Jacobian the axes of the input."""
    result, first = block.result, len(block.result.axes) - count
    left, axes = ((*whole[first:], *whole[:first]) for whole in (result.left, result.axes))
    binders = (*result.binders[-count:], *result.binders[:-count]) if count else result.binders
    turned = replace(result, left=tuple(left), axes=tuple(axes), binders=binders)
    return replace(block, statements=(*block.statements[:-1], turned))


def without_copies(block: Block) -> Block:
    """The block without statements that copy a tensor, `b[i] = a[i]`, but for the result: a is read in their place."""
    names: dict[str, str] = {}
    kept = []
    for statement in block.statements:
        statement = replace(statement, expr=rename_tensors(statement.expr, names))
        expr = statement.expr
        copies = isinstance(expr, Read) and expr.indices == statement.left and expr.pad is None and statement.is_plain
        whole = isinstance(expr, Read) and copies and block.tensor(expr.tensor).axes == statement.axes
        if isinstance(expr, Read) and whole and statement.target != block.result.target:
            names[statement.target] = expr.tensor
        else:
            kept.append(statement)
    return replace(block, statements=tuple(kept))


def _derived(statement: Statement, name: str, terms: Iterable[Term], more: tuple[Binder, ...]) -> Statement:
    left = (*statement.left, *(Affine.of(b.letter) for b in more))
    axes = (*statement.axes, *(b.extent for b in more))
    gaps = None if statement.pad is None else Fraction(0)  # what a left side leaves out does not change
    return Statement(name, left, (*statement.binders, *more), expression(terms), axes, gaps)


def _shown(
    derived: Sequence[Statement], known: Sequence[Statement], block: Block, given: Iterable[Tensor]
) -> list[Statement]:
    named = known_values(known)
    names = Names((*names_in(block).taken, *(s.target for s in (*derived, *known))))
    axes = {tensor.name: tensor.axes for tensor in (*block.inputs.values(), *given)}
    axes.update((statement.target, statement.axes) for statement in (*known, *derived))
    shown = (display(statement, named, block.lower, axes) for statement in derived)
    parts = (part for statement in shown for part in _one_padding(statement, names))
    return [_padded_alike(part, Box(part.binders, block.lower, axes)) for part in parts]


def _padded_alike(statement: Statement, box: Box) -> Statement:
    """`x pads 0` holds for a whole statement: for every read of x but the bare ones, whose ranges are those of x."""
    pads = {read.tensor: read.pad for read in reads(statement.expr) if read.pad is not None}

    def alike(node: Node, inside: Box) -> Node:
        within = inside.with_binders(node.binders) if isinstance(node, Reduce) else inside
        node = map_children(node, lambda child: alike(child, within))
        if isinstance(node, Read) and node.tensor in pads:
            return Read(node.tensor, node.indices, None if inside.reads_whole(node) else pads[node.tensor])
        return node

    return replace(statement, expr=alike(statement.expr, box)) if pads else statement


def _one_padding(statement: Statement, names: Names) -> list[Statement]:
    """The statement, in parts where its terms read one tensor with different paddings: `pads` holds for a statement."""
    terms = statement.expr.terms if isinstance(statement.expr, Add) else (statement.expr,)
    groups: list[tuple[dict[str, object], list[Node]]] = []
    for term in terms:
        pads: dict[str, object] = {r.tensor: r.pad for r in reads(term) if r.pad is not None}
        for known, group in groups:
            if all(known.get(tensor, pad) == pad for tensor, pad in pads.items()):
                known.update(pads)
                group.append(term)
                break
        else:
            groups.append((pads, [term]))
    if len(groups) == 1:
        return [statement]
    parts = []
    for _, group in groups:
        fresh = {b.letter: Affine.of(Letter.fresh(b.letter.name)) for b in statement.binders}
        binders = tuple(Binder(fresh[b.letter].letters[0], b.extent) for b in statement.binders)
        expr = substitute(add(*group), fresh)
        parts.append(Statement.plain(names.fresh(statement.target + "_part"), binders, expr))
    letters = tuple(Affine.of(b.letter) for b in statement.binders)
    whole = add(*(Read(part.target, letters, None) for part in parts))
    return [*parts, replace(statement, expr=whole)]
