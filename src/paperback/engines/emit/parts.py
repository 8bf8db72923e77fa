"""What a formula's `source` is made of: which functions, of which statements, with which arguments.

    forward      y                     from the inputs
    vjp          dx, dw ...            from the inputs and the cotangent dy
    jvp          dy                    from the inputs and their tangents dx, dw ...
    derivative   dy_dx                 the whole Jacobian, numerator layout
    autograd     forward and vjp as a torch.autograd.Function
    custom_vjp   forward and vjp as a jax.custom_vjp
"""

from __future__ import annotations

__all__ = ["WHAT", "source"]

from collections.abc import Callable, Iterable, Mapping, Sequence

from paperback.arguments import closest
from paperback.calculus import derive
from paperback.calculus.conventions import Conventions
from paperback.engines.emit.functions import TARGETS, Part, emit
from paperback.engines.emit.values import plain_name
from paperback.engines.emit.wrappers import autograd, custom_vjp
from paperback.errors import FormulaError, Problem
from paperback.notation.block import Block
from paperback.notation.expr import Tensor

WHAT = ("forward", "vjp", "jvp", "derivative", "autograd", "custom_vjp")
_WRAPPERS = {"autograd": ("torch", autograd), "custom_vjp": ("jax", custom_vjp)}


def source(
    block: Block,
    conventions: Conventions,
    target: str,
    what: str | Sequence[str],
    wrt: tuple[str, ...],
    name: str | None,
    finite: bool,
) -> str:
    """The text; `wrt` are inputs that hold floats."""
    if target not in TARGETS:
        raise _refused(f"no target is called {target!r}", closest(str(target), TARGETS))
    wanted = (what,) if isinstance(what, str) else tuple(what)
    if not wanted:
        raise _refused("nothing is asked for", 'write what="forward"')
    for one in wanted:
        if one not in WHAT:
            raise _refused(f"a source is not made of {one!r}", closest(str(one), WHAT))
    if name is not None and not (isinstance(name, str) and name.isidentifier()):
        raise _refused(f"{name!r} is no name for a function", 'write for example name="conv2d"')
    if wanted != ("forward",) and not wrt:
        raise _refused("there is no input to differentiate by", "name one that holds floats, or ask for the forward")
    wrapped = next((one for one in wanted if one in _WRAPPERS), None)
    if wrapped is None:
        return emit([_PARTS[one](block, conventions, wrt, name, finite) for one in wanted], target)
    of, wrapper = _WRAPPERS[wrapped]
    if target != of:
        raise _refused(f"{wrapped} is a word of {of}, not of {target}", f'write target="{of}", or what="vjp"')
    if len(wanted) > 1:
        raise _refused(f"{wrapped} is a forward and a vjp already", f'write what="{wrapped}"')
    name = name or "formula"
    forward = _forward(block, conventions, wrt, f"{name}_forward", finite)
    return wrapper(name, forward, _vjp(block, conventions, wrt, name, finite))


def _refused(message: str, hint: str) -> FormulaError:
    return FormulaError("", Problem(message, hint=hint))


def _title(block: Block) -> str:
    return f"{block.result.target} of {_listed(block.inputs)}." if block.inputs else f"{block.result.target}."


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _forward(block: Block, _: Conventions, __: tuple[str, ...], name: str | None, finite: bool) -> Part:
    return Part(name or "forward", block, block.inputs, (block.result.target,), _title(block), finite)


def _vjp(block: Block, conventions: Conventions, wrt: tuple[str, ...], name: str | None, _: bool) -> Part:
    back = derive.vjps(block, wrt, conventions)
    result, cotangent = block.result, back.cotangent
    inputs = {**block.inputs, cotangent: Tensor(cotangent, result.axes)}
    results = tuple(back.gradients[w] for w in wrt)
    title = f"The gradients of sum({cotangent}*{result.target}) by {_listed(wrt)}."
    if len(wrt) == 1:
        title = title.replace("gradients", "gradient")
    called = f"{name}_vjp" if name else "vjp"
    taken = tuple(plain_name(w) for w in wrt)
    return Part(called, back.block, inputs, results, title, True, of=block, of_inputs=taken)


def _jvp(block: Block, conventions: Conventions, wrt: tuple[str, ...], name: str | None, _: bool) -> Part:
    forward = derive.jvp(block, wrt, conventions)
    inputs: Mapping[str, Tensor] = {**block.inputs, **forward.inputs}
    title = f"The change of {block.result.target} along tangents of {_listed(wrt)}."
    called = f"{name}_jvp" if name else "jvp"
    return Part(called, forward, inputs, (forward.result.target,), title, True, of=block)


def _derivative(block: Block, conventions: Conventions, wrt: tuple[str, ...], name: str | None, _: bool) -> Part:
    if len(wrt) != 1:
        hint = f'write wrt="{wrt[0]}"'
        raise _refused(f"a derivative is by one input, not by {_listed(wrt)}", hint)
    jacobian = derive.derivative(block, wrt[0], conventions)
    title = f"The derivative of {block.result.target} by {wrt[0]}: axes of the result first."
    called = f"{name}_derivative" if name else "derivative"
    return Part(called, jacobian, block.inputs, (jacobian.result.target,), title, True, of=block)


_Parts = Callable[[Block, Conventions, tuple[str, ...], str | None, bool], Part]
_PARTS: Mapping[str, _Parts] = {"forward": _forward, "vjp": _vjp, "jvp": _jvp, "derivative": _derivative}
