"""What must not matter: the layout of the upstream gradient, its size, a repeated call, the order of the examples.

    pull(0) = 0      pull(a*g) = a*pull(g)      pull(g + h) = pull(g) + pull(h)      pull(same numbers) = same
    pull(items in another order) = pull(items) in that order, where the forward does so

No true gradient is needed: the backward is compared with itself.
"""

from __future__ import annotations

__all__ = ["probes"]

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from paperback.diagnosis.arrays import Array, layouts, rounded_anew
from paperback.diagnosis.report import Finding, Worst
from paperback.diagnosis.subject import Complaint
from paperback.diagnosis.tolerance import rounding
from paperback.diagnosis.truth import close_to

if TYPE_CHECKING:
    from paperback.diagnosis.examination import Examination

Arrays = list[Array | None]
_SAME = {8: 1e-7, 4: 1e-3, 2: 5e-2}  # how near the same numbers must come, by the bytes of the type
_SHARE = {1e-7: 1e-2, 1e-3: 1e-2, 5e-2: 1.0}  # beside the share of the largest that rounding may have


def probes(examination: Examination, g: Array) -> list[Finding]:
    """All that is found, the repeated call first."""
    probe = _Probe(examination)
    try:
        probe.first = probe.pull(g)
    except Complaint as complaint:
        return [Finding(complaint.slug, complaint.argument, f"when called again, {complaint.sentence}")]
    for check in (_repeated, _interleaved, _layouts, _linear, _reordered):
        try:
            check(probe, g)
        except Complaint as complaint:
            probe.find(complaint.slug, complaint.argument, f"for another upstream gradient, {complaint.sentence}")
    return probe.findings


class _Probe:
    def __init__(self, examination: Examination) -> None:
        self.examination = examination
        self.subject, self.main = examination.subject, examination.main
        self.wrong = {f.argument for f in examination.findings if f.judgement == "wrong"}
        self.findings: list[Finding] = []
        self.first: list[Array] = []
        self.near = _SAME[rounding(examination.epsilon)]

    def pull(self, g: Array | Sequence[Array], arrays: Arrays | None = None, as_they_are: bool = False) -> list[Array]:
        found = self.subject.pull(g, self.main if arrays is None else arrays, as_they_are=as_they_are)
        return [gradient.astype(np.float64) for gradient in found]

    def compare(
        self,
        slug: str,
        words: str,
        g: Array | Sequence[Array],
        expected: list[Array],
        arrays: Arrays | None = None,
        weight: float = 1.0,
    ) -> list[Array] | None:
        """The gradients for g, at other arguments where some are given; None, and a finding, where not as expected.

        weight    how much larger than the usual upstream gradient g is
        """
        try:
            found = self.pull(g, arrays, arrays is not None)
        except Complaint as complaint:
            written = complaint.slug in ("mutates-cotangent", "mutates-argument")
            told = complaint.sentence if written else f"{words}: {complaint.sentence}"
            self.find(complaint.slug if written else slug, complaint.argument, told)
            return None
        return found if self.same(slug, words, found, expected, weight) else None

    def same(
        self,
        slug: str,
        words: str,
        found: list[Array],
        expected: list[Array],
        weight: float = 1.0,
        slack: Sequence[float | Array] | None = None,
    ) -> bool:
        """Are these the gradients that were expected, up to some slack? A finding for each that is not."""
        fine = True
        for k, (place, one, other, first) in enumerate(zip(self.subject.wrt, found, expected, self.first, strict=True)):
            finite = np.isfinite(first)  # what is infinite at a plain call was told, or is right
            largest = max(float(np.abs(each[finite]).max(initial=0.0)) for each in (first, other))
            size = _SHARE[self.near] * (largest + weight * self.natural(place))
            apart = np.abs(one - other)
            allowed = self.near * np.maximum(np.abs(other), size) + (0.0 if slack is None else slack[k])
            if not (apart <= allowed)[finite].all():
                apart = np.where(finite, np.where(np.isnan(apart), np.inf, apart), -1)
                index = np.unravel_index(int(apart.argmax()), apart.shape)
                worst = Worst(tuple(map(int, index)), float(one[index]), float(other[index]))
                name = self.subject.arguments[place].name
                self.find(slug, name, words.replace("another gradient", f"another gradient of {name}"), worst)
                fine = False
        return fine

    def natural(self, place: int) -> float:
        """What a slope may be by the sizes of output and argument, where the true one is as good as 0."""
        return float(self.examination.truth.slopes.natural(place).max(initial=0.0))

    def find(self, slug: str, argument: str | None, words: str, worst: Worst | None = None) -> None:
        if not any(f.pattern == slug and f.argument == argument for f in self.findings + self.examination.findings):
            self.findings.append(Finding(slug, argument, words, worst=worst))


def _repeated(probe: _Probe, g: Array) -> None:
    first, second, third = probe.first, probe.pull(g), probe.pull(g)
    slug, words = "not-repeatable", "the same call gives another gradient"
    steps = zip(first, second, third, strict=True)
    if all(np.allclose(c - b, b - a, rtol=1e-4, atol=1e-9) for a, b, c in steps):
        slug, words = "accumulates-across-calls", "every call adds to what the call before left"
    probe.same(slug, words, second, first)


def _interleaved(probe: _Probe, g: Array) -> None:
    """The forward runs elsewhere between; a backward that gets all arguments does not care."""
    earlier = probe.examination.earlier
    if earlier is None or probe.findings or probe.subject.stateful:
        return
    probe.subject.outputs(earlier)
    found = [gradient.astype(np.float64) for gradient in probe.subject.pull(g, probe.main, fresh=False)]
    probe.same("stale-saved", "another gradient when the forward ran on other arguments before", found, probe.first)


def _layouts(probe: _Probe, g: Array) -> None:
    parts = probe.subject.split(g, probe.main)
    for k, part in enumerate(parts):
        for slug, words, laid in layouts(part):
            given = [*parts[:k], laid, *parts[k + 1 :]]
            probe.compare(slug, f"another gradient when the upstream gradient {words}", given, probe.first)
    for told, strided in _spread(parts):
        try:
            expected = probe.pull([part.copy() for part in strided])
        except Complaint:
            continue
        words = f"another gradient when the upstream gradient is {told} (strides of 0)"
        probe.compare("stride0", words, strided, expected)
    for k in probe.subject.reals:
        array = probe.main[k]
        if array is not None and array.ndim and array.size > 1:
            wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)[..., ::2]
            wide[...] = array
            words = f"another gradient when {probe.subject.arguments[k].name} is not contiguous"
            probe.compare("noncontiguous", words, g, probe.first, [*probe.main[:k], wide, *probe.main[k + 1 :]])


def _spread(parts: list[Array]) -> list[tuple[str, list[Array]]]:
    """Cotangents with strides of 0: all ones, as of a sum, and one number along each axis."""
    if not any(part.ndim for part in parts):
        return []
    found = [("that of a sum", [np.broadcast_to(np.ones((), part.dtype), part.shape) for part in parts])]
    for axis in range(max(part.ndim for part in parts)):
        spread = [
            np.broadcast_to(part.take([0], axis), part.shape) if part.ndim > axis and part.size else part
            for part in parts
        ]
        found.append((f"constant along axis {axis}", spread))
    return found


def _linear(probe: _Probe, g: Array) -> None:
    """Zero, scaled, added. Of an argument that is known to be wrong nothing more is said."""
    before = len(probe.findings)
    _scaled_and_added(probe, g)
    probe.findings[before:] = [f for f in probe.findings[before:] if f.argument not in probe.wrong]


def _scaled_and_added(probe: _Probe, g: Array) -> None:
    first, slug = probe.first, "not-linear"
    words = "an upstream gradient of zeros gives another gradient than zeros"
    if probe.compare(slug, words, 0 * g, [0 * one for one in first]) is None:
        return
    for scale in (-1.0, 8.0, 0.125) if probe.near > 1e-2 else (-1.0, 1e3, 1e-3):
        words = f"the gradient does not follow when the upstream gradient is multiplied by {scale:g}"
        if probe.compare(slug, words, scale * g, [scale * one for one in first], weight=max(1.0, abs(scale))) is None:
            return
    if g.size > 1:
        half, last = np.where(np.arange(g.size) % 2 == 0, g, 0), np.where(np.arange(g.size) == g.size - 1, g, 0)
        for part, words in ((half, "every second entry"), (last, "one entry")):
            rest = [a - b for a, b in zip(first, probe.pull(g - part), strict=True)]
            probe.compare(slug, f"the gradient for {words} of an upstream gradient is not its share", part, rest)


def _reordered(probe: _Probe, g: Array) -> None:
    """The items of the batch backwards: where the outputs follow, the gradients do. At a tie an order may choose."""
    subject, main = probe.subject, probe.main
    parts = probe.subject.split(g, main)
    count = parts[0].shape[0] if parts[0].ndim else 0
    tied = any(finding.pattern in ("kink", "not-differentiable") for finding in probe.examination.findings)
    if count < 2 or tied or any(part.shape[:1] != (count,) for part in parts):
        return
    batched = [k for k, array in enumerate(main) if array is not None and array.shape[:1] == (count,)]
    found = next((turned for turned in (batched, batched[:1]) if _follows(probe, turned)), None)
    if not found:
        return
    expected = [one[::-1] if k in found else one for k, one in zip(subject.wrt, probe.first, strict=True)]
    random = np.random.default_rng([probe.examination.seed, 6])
    moved = probe.pull(g, rounded_anew(main, probe.examination.epsilon, random))
    slack = [16 * float(np.abs(a - b).max(initial=0.0)) for a, b in zip(moved, probe.first, strict=True)]
    returned = probe.pull([part[::-1].copy() for part in parts], _backwards(main, found))
    before = len(probe.findings)
    words = "another gradient for the same items in another order, though the outputs follow the order"
    probe.same("items-mixed", words, returned, expected, slack=slack)
    probe.findings[before:] = [f for f in probe.findings[before:] if f.argument not in probe.wrong]


def _follows(probe: _Probe, turned: list[int]) -> bool:
    """Are the outputs the same in reverse order where these arguments are reversed?"""
    try:
        given, reversed_ = (probe.subject.outputs(arrays) for arrays in (probe.main, _backwards(probe.main, turned)))
    except Exception:  # the forward does not take these in another order
        return False
    pairs = zip(given, reversed_, strict=True)
    return all(close_to(there, here[::-1], probe.examination.epsilon) for here, there in pairs)


def _backwards(arrays: Arrays, turned: list[int]) -> Arrays:
    return [array[::-1].copy() if k in turned and array is not None else array for k, array in enumerate(arrays)]
