"""Writes the pages that come from formulas: a page per layer, and one of losses, optimizers and identities.

    python docs/generate.py            writes docs/layers/*.md, docs/losses.md, optimizers.md, identities.md
    python docs/generate.py --check    says which of them are stale, and exits with 1 if any is

Nothing stands on a page that is not made from the source: formulas and derivatives are those of the layer, settings and
their defaults those of its signature, words those of its docstring, and what an example prints is what it printed.
`layer_examples.py` beside this file has what only a person can choose: an example for every layer.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import paperback as pb
from paperback import nn
from paperback.errors import FormulaError
from paperback.formulas import Formula
from paperback.identities import IDENTITIES
from paperback.learn.optim import Optimizer
from paperback.nn.layers.layer import Layer
from paperback.nn.losses import LOSSES, Loss
from paperback.notation.expr import Tensor
from paperback.notation.read import read
from paperback.notation.size import Size
from paperback.notation.walk import canonical
from paperback.program.lift import lift

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

from layer_examples import EXAMPLES, GROUPS, VARIANTS, Example  # noqa: E402  # beside this file, wherever it is run from
from pieces import fenced, pycon  # noqa: E402

MADE = "<!-- Made by docs/generate.py from the source and docs/layer_examples.py: change those, and run it again. -->"
STAR = r"\*"
SECTIONS = ("Use", "Derivative", "Shapes", "Settings", "Kinks", "After training", "Every step", "Source")


@functools.cache
def pages() -> dict[Path, str]:
    """Every page by its path below docs/."""
    found = {Path("layers") / f"{name.lower()}.md": layer_page(name) for names in GROUPS.values() for name in names}
    return {
        **found, Path("layers/README.md"): index(), Path("losses.md"): loss_page(),
        Path("optimizers.md"): optimizer_page(), Path("identities.md"): identity_page(),
    }  # fmt: skip


# --- layers ----------------------------------------------------------------------------------------------------------


def layer_page(name: str) -> str:
    kind: type[Layer] = getattr(nn, name)
    example = EXAMPLES[name]
    layer = eval(example.layer, {"pb": pb})
    words = sections(kind)
    parts = [f"# {name}", MADE, prose(words["Use"])]
    parts += [fenced(f"pb.nn.{name}{signature(kind)}", "python"), fenced(words[""])]
    if not isinstance(layer, nn.Sequential):
        parts += ["## Formula", *formulas(layer, example), *variants(name)]
        parts += ["## Derivatives", *derivatives(layer, example), in_words(words, derivative=True)]
    else:
        parts += [in_words(words, derivative=True)]
    conventions = in_words(words, derivative=False)
    parts += ["## Shapes and conventions", conventions] if conventions else []
    parts += ["## Settings", settings(kind), *map(prose, inherited(kind, "Settings"))]
    parts += tensors(layer)
    parts += ["## Example", pycon(example.code())]
    parts += ["## Source", prose(words["Source"])] if "Source" in words else []
    return "\n\n".join(part for part in parts if part) + "\n"


def sections(kind: type) -> dict[str, str]:
    """The docstring's parts by what they begin with; "" is what stands before the first."""
    found: dict[str, list[str]] = {"": []}
    at = ""
    for line in (inspect.getdoc(kind) or "").splitlines():
        start = re.match(r"([A-Z][A-Za-z, ]*): (.*)", line)
        if start and any(word.lower() in start[1].lower() for word in SECTIONS):
            at, line = start[1], start[2]
        found.setdefault(at, []).append(line)
    text = {name: "\n".join(lines).strip() for name, lines in found.items()}
    return text


def in_words(words: Mapping[str, str], derivative: bool) -> str:
    """What the docstring says of the derivative, or of anything else that has no place of its own on the page."""
    heads = [head for head in words if head not in ("", "Use", "Settings", "Source")]
    chosen = [head for head in heads if ("Derivative" in head) == derivative]
    return "\n\n".join(f"**{head}**: {prose(words[head], upper=False)}" for head in chosen)


def inherited(kind: type, name: str) -> Iterator[str]:
    """A section of this class and of those that it is made from, once."""
    seen = set()
    for base in kind.__mro__:
        if base.__module__.startswith("paperback.nn.layers") and "__doc__" in vars(base):
            text = next((text for head, text in sections(base).items() if name.lower() in head.lower()), "")
            if text and text not in seen and not text.startswith("as `"):
                seen.add(text)
                yield text


def formula_of(layer: Layer, text: str, example: Example) -> tuple[Formula, dict[str, int]]:
    """A layer's formula with names for its sizes; with those numbers, without which it is no formula."""
    said = layer.text(example.shape)
    words = set(re.findall(r"[^\W\d]\w*'*", text))
    axes = {name: axes for name, axes in said.axes.items() if name in words}
    scalars = tuple(name for name in layer.constants if name in words)
    known: dict[str, int] = {}
    try:
        block = read(text, axes=axes, scalars=scalars)
    except FormulaError:
        known = {name: size for name, size in {**layer.sizes, **said.sizes}.items() if size is not None}
        block = read(text, axes=axes, scalars=scalars, sizes=known)
    return Formula(block, layer.conventions), known


def formulas(layer: Layer, example: Example) -> Iterator[str]:
    """What the layer computes, in training and after it, as text and in LaTeX."""
    said = layer.text(example.shape)
    for title, text in (("", said.formula), ("After training:", said.inference)):
        if text:
            formula, known = formula_of(layer, text, example)
            if known:
                numbers = ", ".join(f"{name} = {size}" for name, size in known.items())
                yield f"For {numbers}, as of `{example.layer}` in the example below:"
            yield from (title, *shown(formula))
            if not title:
                yield from ranges(formula)
    if said.update:
        lines = "\n".join(line.strip() for line in said.update.splitlines())
        yield from ("Every training step, with the old value on the right:", fenced(lines))


def ranges(formula: Formula) -> Iterator[str]:
    bounds = ", ".join(f"`{letter} < {extent}`" for letter, extent in formula.ranges.items())
    if bounds:
        yield f"Ranges, from 0 on: {bounds}."
    if formula.constraints:
        yield f"Sizes must satisfy {', '.join(f'`{fact}`' for fact in formula.constraints)}."


def shown(formula: Formula) -> tuple[str, str]:
    return fenced(str(formula)), fenced(formula.latex(where=False), "math")


def variants(name: str) -> Iterator[str]:
    """What settings change in the formula."""
    if name not in VARIANTS:
        return
    yield "Settings change the formula, not only the result:"
    lines = []
    for text, shape in VARIANTS[name]:
        layer = eval(f"pb.nn.{text}", {"pb": pb})
        said = layer.text(shape)
        lines += [f"# {text}", *(line.strip() for line in said.formula.splitlines()), ""]
    yield fenced("\n".join(lines[:-1]))


def derivatives(layer: Layer, example: Example) -> Iterator[str]:
    """One block with the gradients by the input, the results of branches and every parameter."""
    formula, _ = formula_of(layer, layer.text(example.shape).formula, example)
    inputs = formula.block.inputs
    wrt = [
        name
        for name in ["x", *layer.branches, *layer.parameters]
        if name in inputs and not inputs[name].integer
    ]
    yield "The gradients of `sum(dy*y)`, `dy` the gradient that comes from above:"
    statements, declared, scalars = [], {}, []
    seen = set()
    for name in wrt:
        block = formula.vjp(name).block
        scalars += [scalar for scalar in block.scalars if scalar not in scalars]
        declared.update({key: tensor for key, tensor in block.inputs.items() if isinstance(tensor, Tensor)})
        for statement in block.statements:
            if (key := canonical(statement)) not in seen:
                seen.add(key)
                statements.append(statement)
    if len({statement.target for statement in statements}) < len(statements):
        raise ValueError(f"the gradients of {example.layer} give one name to two things")
    whole = replace(block, statements=tuple(statements), inputs=declared, scalars=tuple(scalars))
    yield from shown(Formula(whole, layer.conventions, origin=formula))
    yield structures(formula, layer, wrt)


def structures(formula: Formula, layer: Layer, wrt: Iterable[str]) -> str:
    """How the entries of every Jacobian lie; what works on single numbers is shown on a row of them."""
    over = [("i", Size.of("I"))] if layer.extra_axes and not formula.shape else []
    signals = {"x", *layer.branches, *layer.masks}
    block = lift(formula.block, signals, over) if over else formula.block
    shown = Formula(block, layer.conventions)
    words = [f"by `{name}`: {shown.structure(name)}" for name in wrt]
    lines = "\n".join(f"- {text.replace('*', STAR)}" for text in words)
    return f"Jacobian structure{', of a row of I numbers' if over else ''}:\n\n{lines}"


def settings(kind: type) -> str:
    """The settings with their defaults."""
    rows = [
        f"| `{name}` | `{annotation(p.annotation)}` | {default(p)} |"
        for name, p in inspect.signature(kind).parameters.items()
    ]
    return "\n".join(["| setting | what it is | default |", "|---|---|---|", *rows]) if rows else "It has none."


def annotation(value: str) -> str:
    return value.replace("Padding", "int | str | tuple").replace("|", "\\|")


def default(parameter: inspect.Parameter) -> str:
    return "needed" if parameter.default is inspect.Parameter.empty else f"`{parameter.default!r}`"


def signature(maker: Callable[..., Any]) -> str:
    parts = []
    for name, parameter in inspect.signature(maker).parameters.items():
        star = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else ""
        bare = parameter.default is inspect.Parameter.empty
        parts.append(f"{star}{name}" if bare else f"{name}={parameter.default!r}")
    return f"({', '.join(parts)})"


def tensors(layer: Layer) -> Iterator[str]:
    """Parameters and state: axes, and how they start."""
    plain = usual(layer)
    rows = []
    for how, starts in (("learned", plain.parameters), ("kept", plain.state)):
        for name, start in starts.items():
            if name in plain.axes:
                meaning = (inspect.getdoc(type(start)) or "").partition("\n")[0]
                rows.append(f"| `{name}` | `{plain.axes[name]}` | {how} | `{start!r}`: {meaning} |")
    if rows:
        yield "## Parameters"
        yield "\n".join(["| tensor | axes | | starts as |", "|---|---|---|---|", *rows])


def usual(layer: Layer) -> Layer:
    """The layer with the initialisers that it has unless others are given."""
    if "init" not in getattr(layer, "__dataclass_fields__", {}):
        return layer
    return replace(layer, init=layer.__dataclass_fields__["init"].default)  # type: ignore[attr-defined, type-var]


def index() -> str:
    """The list of all layers."""
    parts = ["# Layers", MADE]
    parts += [
        "A layer is a formula, and everything else follows from it: these pages are made from the formulas. `x` is one "
        "example, `y` the result, `dy` the gradient that comes from above; indices begin at 0, and channels are last."
    ]
    for group, names in GROUPS.items():
        uses = [prose(sections(getattr(nn, name))["Use"]).replace("|", "\\|") for name in names]
        rows = [f"| [{name}]({name.lower()}.md) | {use} |" for name, use in zip(names, uses, strict=True)]
        parts += [f"## {group}", "\n".join(["| layer | use |", "|---|---|", *rows])]
    parts += ["See also [losses](../losses.md), [optimizers](../optimizers.md) and [training](../training.md)."]
    return "\n\n".join(parts) + "\n"


# --- losses and optimizers -------------------------------------------------------------------------------------------


def loss_page() -> str:
    parts = [
        "# Losses", MADE,
        "A loss is a formula of `z`, the network's output for one example, and `y`, its label. An output with more "
        "axes than the formula names has a loss at every place. The gradient `dz` is of one example's loss, with `dJ` "
        "the gradient from above: 1/N where the mean over N examples is taken.",
    ]  # fmt: skip
    for loss in LOSSES.values():
        parts += [f"## {loss.name}", f'`loss="{loss.name}"`']
        for label, text in loss.formulas.items():
            parts += [f"Labels: {LABELS[label]}.", *loss_formulas(loss, label, text)]
    parts += ["## Losses with settings"]
    for maker in (nn.softmax_cross_entropy, nn.mean_squared_error, nn.huber):
        parts += [fenced(f"pb.nn.{maker.__name__}{signature(maker)}", "python"), docstring(maker)]
    return "\n\n".join(parts) + "\n"


LABELS = {
    "integer": "a whole number, the class, per example",
    "distribution": "a probability per class, which sum to 1",
    "probability": "a probability, most often 0 or 1, per output",
    "real": "a number per output",
    "sign": "1 or -1 per output",
}


def docstring(maker: Callable[..., Any]) -> str:
    return fenced(inspect.getdoc(maker) or "")


def loss_formulas(loss: Loss, label: str, text: str) -> Iterable[str]:
    integers = ("y",) if label == "integer" else ()
    formula = Formula(read(text, axes={"z": loss.z_axes, "y": loss.label_axes(label)}, integers=integers))
    return *shown(formula), *shown(formula.vjp("z"))


def optimizer_page() -> str:
    parts = [
        "# Optimizers", MADE,
        "An optimizer is a formula for one element of a parameter `w`: `g[]` is its gradient, `t` the number of the "
        "step, from 1 on; a name with brackets is an old value. It joins the training step as statements like any "
        "others, here with the settings of the example as numbers.",
    ]  # fmt: skip
    for kind, examples in OPTIMIZERS.items():
        name = kind.__name__
        parts += [f"## {name}", fenced(f"pb.optim.{name}{signature(kind)}", "python"), docstring(kind)]
        for text in examples:
            rule = eval(f"pb.optim.{name}{text}", {"pb": pb})
            statements = [f"# {name}{text}", *(line.strip() for line in rule.formula.splitlines())]
            parts.append(fenced("\n".join(statements)))
    return "\n\n".join(parts) + "\n"


OPTIMIZERS: dict[type[Optimizer], tuple[str, ...]] = {
    pb.optim.SGD: ("(0.1)", "(0.1, momentum=0.9)", "(0.1, momentum=0.9, nesterov=True)", "(0.1, weight_decay=0.01)"),
    pb.optim.RMSProp: ("(0.01)",),
    pb.optim.Adam: ("(0.001)",),
    pb.optim.AdamW: ("(0.001)",),
}


# --- pieces ----------------------------------------------------------------------------------------------------------


def prose(text: str, upper: bool = True) -> str:
    """Words of a docstring as Markdown: stars and angles are no markup, and names of layers are links."""
    parts = re.split(r"(`[^`]*`)", text)
    for place, part in enumerate(parts):
        name = part.strip("`")
        if not part.startswith("`"):
            parts[place] = re.sub(r"([*<])", r"\\\1", part)
        elif name in EXAMPLES:
            parts[place] = f"[{part}]({name.lower()}.md)"
    whole = "".join(parts)
    return whole[0].upper() + whole[1:] if upper and re.match(r"[a-z-]+[ ,:]", whole) else whole


# --- identities ------------------------------------------------------------------------------------------------------


def identity_page() -> str:
    parts = [
        "# The identities", MADE,
        "What `pb.rewrite` applies to models (see [rewrites](rewrites.md)): two formulas that are one function for all "
        "sizes. The tests prove each with `pb.prove`, and refute the wrong versions.",
    ]  # fmt: skip
    for entry in IDENTITIES.values():
        claims = f" Claims {', '.join(entry.claims)}." if entry.claims else ""
        parts += [
            f"## {entry.name}", f"{entry.title[0].upper()}{entry.title[1:]}.{claims}",
            f"`{entry.replaces[0]}` becomes `{entry.replaces[1]}`.",
            fenced(f"{entry.left}\n=\n{entry.right}", "text"),
        ]  # fmt: skip
        parts += ["\n".join(f"- needed: {condition}" for condition in entry.conditions)] if entry.conditions else []
        parts += [f"Wrong, and refuted: {'; '.join(entry.wrong)}."]
    return "\n\n".join(parts) + "\n"


def stale() -> list[Path]:
    """The pages that are not what this script would write, those that nothing makes any more included."""
    wanted = pages()
    there = {path.relative_to(DOCS) for path in (DOCS / "layers").glob("*.md")}
    changed = [path for path, text in wanted.items() if not (DOCS / path).exists() or (DOCS / path).read_text() != text]
    return sorted({*changed, *(there - set(wanted))})


def main() -> None:
    late = stale()
    if "--check" in sys.argv[1:]:
        print("\n".join(f"stale: docs/{path}" for path in late) or "all pages are up to date")
        sys.exit(1 if late else 0)
    wanted = pages()
    (DOCS / "layers").mkdir(exist_ok=True)
    for path in late:
        if path in wanted:
            (DOCS / path).write_text(wanted[path], encoding="utf-8")
        else:
            (DOCS / path).unlink()
        print(f"docs/{path}")


if __name__ == "__main__":
    main()
