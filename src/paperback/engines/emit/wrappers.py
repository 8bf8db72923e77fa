"""A formula and its VJP as one differentiable function: what a hand-written backward pass is written for.

    class Conv(torch.autograd.Function)      forward and backward
    conv = jax.custom_vjp(...)               conv.defvjp(conv_fwd, conv_bwd)
"""

from __future__ import annotations

__all__ = ["autograd", "custom_vjp"]

from collections.abc import Sequence

from paperback.engines.emit.dialects import DIALECTS
from paperback.engines.emit.functions import Function, Part, module
from paperback.engines.emit.values import plain_name, wrapped


def autograd(name: str, forward: Part, backward: Part) -> str:
    """The two functions, and a `torch.autograd.Function` made of them."""
    dialect = DIALECTS["torch"]
    first, second = Function(forward, dialect), Function(backward, dialect)
    title = "".join(word.capitalize() for word in name.split("_"))
    tensors = [plain_name(n) for n in forward.inputs]
    numbers = [a for a in first.arguments if a not in tensors]
    keywords = list(dict.fromkeys((*first.keywords, *second.keywords)))
    cotangent = next(a for a in second.arguments if a not in first.arguments)
    saved = f"({', '.join(tensors)},)" if len(tensors) == 1 else ", ".join(tensors)
    lines = [f"class {title}(torch.autograd.Function):"]
    lines += [f'    """{forward.title} Call {title}.apply({", ".join((*first.arguments, *keywords))})."""', ""]
    lines += ["    @staticmethod", f"    def forward(ctx, {', '.join((*first.arguments, *keywords))}):"]
    body = [f"ctx.save_for_backward({', '.join(tensors)})"]
    body += [f"ctx.{number} = {number}" for number in (*numbers, *keywords)]
    body += [f"return {_call(first, first.arguments)}"]
    lines += [line for text in body for line in wrapped(text, "        ")]
    lines += ["", "    @staticmethod", f"    def backward(ctx, {cotangent}):"]
    stored = {n: f"ctx.{n}" for n in (*numbers, *keywords)}
    given = [stored.get(a, a) for a in second.arguments]
    body = [f"{saved} = ctx.saved_tensors", *_returned(second, backward, first.arguments, given, keywords, stored)]
    lines += [line for text in body for line in wrapped(text, "        ")]
    return module(dialect, [first.text, second.text, "\n".join(lines)])


def custom_vjp(name: str, forward: Part, backward: Part) -> str:
    """The formula as a `jax.custom_vjp`, with its two rules."""
    dialect = DIALECTS["jax"]
    first, second = Function(forward, dialect), Function(backward, dialect)
    keywords = list(dict.fromkeys((*first.keywords, *second.keywords)))
    arguments = [*first.arguments, *keywords]
    cotangent = next(a for a in second.arguments if a not in first.arguments)
    static = [len(first.arguments) + k for k in range(len(keywords))]
    decorator = "@jax.custom_vjp"
    if static:
        decorator = f"@partial(jax.custom_vjp, nondiff_argnums=({', '.join(map(str, static))},))"
    taken = ", ".join(arguments)
    kept = f"({', '.join(first.arguments)},)" if len(first.arguments) == 1 else f"({', '.join(first.arguments)})"
    lines = [decorator, f"def {name}({taken}):", f'    """{forward.title}"""']
    lines += wrapped(f"return {_call(first, first.arguments)}", "    ")
    lines += ["", "", f"def {name}_fwd({taken}):"]
    lines += wrapped(f"return {name}({taken}), {kept}", "    ")
    lines += ["", "", f"def {name}_bwd({', '.join((*keywords, 'residuals', cotangent))}):"]
    body = [f"{kept[1:-1]} = residuals" if len(first.arguments) > 1 else f"{kept} = residuals"]
    body += _returned(second, backward, first.arguments, second.arguments, [], {})
    lines += [line for text in body for line in wrapped(text, "    ")]
    lines += ["", "", f"{name}.defvjp({name}_fwd, {name}_bwd)"]
    text = module(dialect, [first.text, second.text, "\n".join(lines)])
    return f"from functools import partial\n\n{text}" if static else text


def _call(function: Function, given: Sequence[str], stored: dict[str, str] | None = None) -> str:
    keywords = [f"{name}={(stored or {}).get(name, name)}" for name in function.keywords]
    return f"{function.part.name}({', '.join((*given, *keywords))})"


def _returned(
    function: Function,
    part: Part,
    arguments: Sequence[str],
    given: Sequence[str],
    more: Sequence[str],
    stored: dict[str, str],
) -> list[str]:
    """The lines that give back a gradient for every argument: None for what has none."""
    gradients = dict(zip(part.of_inputs, map(plain_name, part.results), strict=True))
    whole = [gradients.get(name, "None") for name in (*arguments, *more)]
    call = _call(function, given, stored)
    if len(whole) == len(gradients) and len(whole) > 1:
        return [f"return {call}"]
    names = ", ".join(gradients.values())
    return [f"{names} = {call}", f"return {', '.join(whole)}{',' if len(whole) == 1 else ''}"]
