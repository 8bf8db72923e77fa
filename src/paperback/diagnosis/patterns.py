"""Everything the doctor can say: one line for each pattern, with its stable slug.

judgement   "wrong": the gradient is not right; "unjudged": it could not be told, and why; "note": right, but know
            this
sentence    what is the matter, in general; a finding says it of one argument, with numbers
fix         what to change
"""

from __future__ import annotations

__all__ = ["PATTERNS", "Pattern"]

from dataclasses import dataclass


@dataclass(frozen=True)
class Pattern:
    """One thing that can be the matter with a gradient."""

    slug: str
    judgement: str
    sentence: str
    fix: str


def _table(*rows: tuple[str, str, str, str]) -> dict[str, Pattern]:
    return {row[0]: Pattern(*row) for row in rows}


WRONG, UNJUDGED, NOTE = "wrong", "unjudged", "note"

PATTERNS = _table(
    # size
    ("factor", WRONG, "off by a constant factor", "multiply the gradient by the inverse"),
    ("sign", WRONG, "of the opposite sign", "negate it"),
    ("missing-mean", WRONG, "too large by a number of elements: 1/N of a mean is missing", "divide by that number"),
    (
        "doubled-mean",
        WRONG,
        "too small by a number of elements: divided although the forward sums, or divided twice",
        "leave the division out",
    ),
    (
        "unequal-parts",
        WRONG,
        "scaled by another number at each index of an axis, as where parts of unequal size are averaged",
        "divide by the count that the forward divides by",
    ),
    (
        "zero",
        WRONG,
        "zero everywhere, as where it is never computed, detached or never stored",
        "compute it and return it",
    ),
    # axes
    ("axes-swapped", WRONG, "right in another order of the axes", "transpose back"),
    (
        "not-flipped",
        WRONG,
        "right after reversing axes: a kernel not flipped, or flipped twice",
        "reverse the kernel exactly once, along its spatial axes",
    ),
    ("shifted", WRONG, "right one place further along an axis", "check the offset: padding, or an index off by one"),
    (
        "swapped-arguments",
        WRONG,
        "the gradient of another argument",
        "return the gradients in the order of the arguments",
    ),
    # upstream
    ("upstream-ignored", WRONG, "the same whatever the upstream gradient is", "multiply by the upstream gradient"),
    ("upstream-ones", WRONG, "that of an upstream gradient of all ones", "use the upstream gradient that comes in"),
    ("upstream-first", WRONG, "computed from one element of the upstream gradient for all", "use every element of it"),
    ("upstream-averaged", WRONG, "computed from a mean or sum of the upstream gradient", "use every element of it"),
    ("upstream-squared", WRONG, "multiplied by the upstream gradient twice", "multiply by it once"),
    ("upstream-transformed", WRONG, "computed from a changed upstream gradient", "use it as it comes in"),
    (
        "upstream-mixed",
        WRONG,
        "pulled back through another output's upstream gradient",
        "use each output's own upstream gradient, and add",
    ),
    (
        "items-mixed",
        WRONG,
        "made of other items' upstream gradients, or of the order of the items",
        "treat every item of the batch alone, as the forward does",
    ),
    (
        "not-linear",
        WRONG,
        "not linear in the upstream gradient, as every backward is",
        "leave out the clipping, the threshold or the constant",
    ),
    # accumulation
    (
        "overwrite",
        WRONG,
        "only one of the contributions to each entry: written over instead of added up",
        "accumulate: +=, or np.add.at where indices repeat",
    ),
    (
        "overlap-averaged",
        WRONG,
        "divided by how many outputs read the entry",
        "add the contributions up, and do not divide",
    ),
    ("accumulates-across-calls", WRONG, "added to what an earlier call left", "start from zeros on every call"),
    ("missing-term", WRONG, "one part of the derivative only", "add the missing term of the product or chain rule"),
    (
        "diagonal-only",
        WRONG,
        "the diagonal of the Jacobian only",
        "add what the other outputs of the same sum contribute",
    ),
    # sums
    (
        "wrong-axis-sum",
        WRONG,
        "summed over the wrong axis",
        "sum over the axis that the forward broadcasts, or normalises, over",
    ),
    ("broadcast-not-summed", WRONG, "not summed over the axes that the forward broadcasts", "sum over these axes"),
    # masks and places
    ("mask-missing", WRONG, "let through where the forward blocks it", "multiply by the mask of the activation"),
    (
        "mask-wrong-side",
        WRONG,
        "let through exactly where the forward blocks it",
        "turn the comparison of the mask round",
    ),
    (
        "mask-extra",
        WRONG,
        "blocked where the forward lets it through",
        "leave out the second mask, or compute it from the saved input",
    ),
    ("branch", WRONG, "wrong in one place or one case only", "look at the branch that handles it"),
    (
        "wrong-at-kink",
        WRONG,
        "outside the slopes of both sides at a kink or a tie",
        "return a value between the two slopes there",
    ),
    ("one-entry", WRONG, "wrong in single entries", "look at what is special about these entries"),
    # values
    ("wrong-derivative", WRONG, "another function of the saved values", "differentiate the forward again"),
    ("local-derivative-missing", WRONG, "the upstream gradient itself", "multiply by the derivative of the forward"),
    ("forward-returned", WRONG, "the forward's output, or an argument, not a gradient", "return the gradient"),
    (
        "stale-saved",
        WRONG,
        "computed at values of another call",
        "save in every forward what its backward needs, and copy what may change",
    ),
    ("wrong-saved", WRONG, "computed with the wrong saved array", "save what the derivative reads"),
    ("argument-transformed", WRONG, "computed with an argument that is changed", "use the argument as it is"),
    ("rounding", WRONG, "less precise than its type", "accumulate in the type of the arguments, or a wider one"),
    ("nan", WRONG, "NaN or infinite where the forward is smooth", "guard the division, the logarithm or the root"),
    ("unexplained", WRONG, "wrong in a way that no pattern fits", "compare the worst entry with a calculation by hand"),
    # contract
    ("raises", WRONG, "backward raises", "see the message"),
    ("none", WRONG, "None where a gradient is needed", "return the gradient"),
    (
        "wrong-count",
        WRONG,
        "another number of gradients than arguments",
        "return one gradient for each argument that is not integer",
    ),
    ("wrong-shape", WRONG, "of another shape than its argument", "return the shape of the argument"),
    ("wrong-type", WRONG, "no array of real numbers", "return an array of the argument's type"),
    ("mutates-cotangent", WRONG, "backward writes into the upstream gradient", "copy it first: others read it too"),
    ("mutates-argument", WRONG, "backward writes into an argument", "copy it first"),
    (
        "stride0",
        WRONG,
        "wrong where the upstream gradient has strides of 0, as after y.sum().backward()",
        "copy it to contiguous memory first, or use its strides",
    ),
    (
        "noncontiguous",
        WRONG,
        "wrong where an array is not contiguous",
        "copy it to contiguous memory first, or use its strides",
    ),
    (
        "negative-stride",
        WRONG,
        "wrong where the upstream gradient has negative strides",
        "copy it to contiguous memory first, or use its strides",
    ),
    ("read-only", WRONG, "fails where the upstream gradient is read-only", "do not write into it"),
    (
        "not-repeatable",
        WRONG,
        "backward gives another answer when called again",
        "keep no state between calls, and start from zeros",
    ),
    ("jvp", WRONG, "the JVP is not the forward's derivative", "differentiate the forward again"),
    # what is not backward's fault
    (
        "kink",
        NOTE,
        "at a kink or a tie, where any value between the two slopes is right",
        "move the arguments a little to judge these entries",
    ),
    ("square-shapes", NOTE, "shapes that are equal hide swapped axes", "use different prime sizes"),
    ("degenerate-arguments", NOTE, "arguments of equal numbers hide mistakes", "use random numbers of both signs"),
    ("integer-argument", NOTE, "an integer argument has no gradient", "nothing"),
    ("setting", NOTE, "a number for which no gradient is returned is taken for a setting", "nothing"),
    ("empty", NOTE, "an empty array has nothing to judge", "use sizes above 0"),
    ("forward-mutates", NOTE, "the forward writes into its arguments", "copy them first: the caller's arrays change"),
    (
        "forward-random",
        UNJUDGED,
        "the forward gives another answer when called again",
        "make the random numbers an argument, or seed them inside",
    ),
    ("forward-raises", UNJUDGED, "the forward raises", "see the message"),
    ("forward-nan", UNJUDGED, "the forward gives NaN or infinity", "choose arguments where it is defined"),
    (
        "not-differentiable",
        UNJUDGED,
        "no differences can be taken here",
        "choose arguments where the forward is smooth",
    ),
    ("nothing-to-judge", UNJUDGED, "no argument or no output is real", "pass floating-point arguments"),
)
