"""One examination, from the first call of the forward to the findings.

1  the forward: does it run, is it finite, does it repeat itself, does it leave its arguments alone
2  the backward's contract: count, shapes, types, no NaN, nothing written
3  every gradient beside the true one: by whole Jacobians where they are small, along random directions else
4  what differs is explained
5  what must not change a gradient: zero and scaled cotangents, their layout, a repeated call, another batch
"""

from __future__ import annotations

__all__ = ["Examination"]

import time
from dataclasses import replace

import numpy as np

from paperback.diagnosis import contract, directions, shapes, variants
from paperback.diagnosis.arrays import Array, epsilon
from paperback.diagnosis.budget import Budget
from paperback.diagnosis.entries import Entries, Outcome
from paperback.diagnosis.patterns import WRONG
from paperback.diagnosis.report import ArgumentVerdict, Finding, Report
from paperback.diagnosis.subject import Complaint, Subject, quiet
from paperback.diagnosis.tangents import judge_tangents
from paperback.diagnosis.truth import Truth, close_to, widened

_SWAPPED = "swapped-arguments"
_DROPPED = {"none", "wrong-shape", "wrong-type"}  # complaints about one argument; the others can be judged still


class Examination:
    """See the module. `run` gives the report."""

    def __init__(self, subject: Subject, budget: Budget, seed: int) -> None:
        self.subject, self.budget, self.seed = subject, budget, seed
        self.random = np.random.default_rng(seed)
        self.findings: list[Finding] = []
        self.verdicts: dict[str, ArgumentVerdict] = {}
        self.power = ""
        self.earlier: list[Array | None] | None = None

    def run(self) -> Report:
        with quiet(self.subject):
            self._examine()
        self._tell_order()
        order = {"wrong": 0, "unjudged": 1, "note": 2}
        findings = sorted(self.findings, key=lambda f: (order[f.judgement], f.pattern == "unexplained"))
        subject = self.subject
        return Report(
            subject.name, tuple(findings), self.verdicts, self.power, subject.forward_calls, subject.backward_calls
        )

    def _examine(self) -> None:
        if not self._forward_is_fit():
            return
        self.subject.wrt = tuple(i for i in self.subject.wrt if self._has_gradient(i))
        if not self.subject.wrt:
            if not any(f.pattern == "empty" for f in self.findings):
                self._find("nothing-to-judge", None, "no real argument is asked about")
            return
        self.truth = Truth(self.subject, self.wide)
        if self.truth.m == 0:
            self._find("empty", None, "the forward's outputs are empty: nothing to judge")
            return
        if self.subject.backward is None:
            self.main, self.epsilon = self.subject.arrays, self._native_epsilon()
            self._take(judge_tangents(self))
            return
        self._drop_settings()
        self._choose_precision()
        g = self.cotangents(1)[0]
        if not self._contract_is_kept(g):
            return
        self._judge()
        if self.subject.jvp is not None:
            self.findings += judge_tangents(self).findings
        self.findings += contract.probes(self, g)
        self._notes()
        self.findings += variants.sizes_of_one(self)

    # --- the forward -------------------------------------------------------------------------------------------------

    def _forward_is_fit(self) -> bool:
        subject = self.subject
        self._warm_up()
        try:
            first = subject.values(subject.arrays)
            second = subject.values(subject.arrays)
        except Exception as error:
            told = str(error).strip().splitlines()
            self._find("forward-raises", None, f"the forward raises {type(error).__name__}: {told[0] if told else ''}")
            return False
        for name in sorted(subject.written):
            self._find("forward-mutates", name, f"the forward writes into {name}; the check gives it copies")
        if not np.isfinite(first).all():
            self._find(
                "forward-nan",
                None,
                f"{int((~np.isfinite(first)).sum()):,} of {first.size:,} outputs are NaN or infinite",
            )
            return False
        if not close_to(first, second, 10 * subject.epsilon):
            apart = np.abs(first - second).max() if first.shape == second.shape else np.inf
            self._find(
                "forward-random", None, f"two calls of the forward with the same arguments differ by {apart:.3g}"
            )
            return False
        self.wide = widened(subject)
        return True

    def _warm_up(self) -> None:
        """One call elsewhere, before the first at the arguments: what is saved once for all is stale from then on."""
        subject = self.subject
        moved = moved_elsewhere(subject.arrays, np.random.default_rng([self.seed, 1]))
        calls = subject.forward_calls, subject.backward_calls
        try:
            values = subject.values(moved)
            if np.isfinite(values).all() and subject.backward is not None:
                subject.pull(np.ones(values.size), moved)
            self.earlier = moved
        except Exception:  # the forward does not take these: no matter
            subject.forward_calls, subject.backward_calls = calls
        subject.written.clear()

    def _has_gradient(self, place: int) -> bool:
        argument = self.subject.arguments[place]
        if argument.real and argument.array is not None and argument.array.size:
            return True
        if argument.real:
            self._find("empty", argument.name, f"{argument.name} is empty: nothing to judge")
        else:
            self._find("integer-argument", argument.name, f"{argument.name} is not real: it has no gradient")
        return False

    # --- the backward ------------------------------------------------------------------------------------------------

    def _drop_settings(self) -> None:
        """Numbers like an eps, for which a backward returns nothing."""
        subject = self.subject
        while True:
            try:
                subject.pull(self.cotangents(1)[0], subject.arrays)
                return
            except Complaint as complaint:
                if complaint.slug != "setting":
                    return
                subject.wrt = tuple(i for i in subject.wrt if subject.arguments[i].name != complaint.argument)
                told = f"no gradient is returned for the number {complaint.argument}: it is taken for a setting"
                self._find("setting", complaint.argument, told)

    def _choose_precision(self) -> None:
        """The backward is judged in 64 bits where it computes in them."""
        subject = self.subject
        self.main, self.epsilon = self.wide, float(np.finfo(np.float64).eps)
        native = subject.arrays
        if all(a is b for a, b in zip(native, self.wide, strict=True)):
            self.epsilon = self._native_epsilon()
            return
        try:
            found = subject.pull(self.cotangents(1)[0], self.wide)
            if all(array.dtype == np.float64 for array in found):
                return
        except Complaint:
            pass
        self.main, self.epsilon = native, self._native_epsilon()

    def _native_epsilon(self) -> float:
        outputs = [epsilon(like) for like in self.subject.like(self.subject.arrays)]
        return max(self.subject.epsilon, *outputs)

    def _contract_is_kept(self, g: Array) -> bool:
        """May the gradients be judged? Arguments whose gradient is no array of their shape are left out."""
        subject = self.subject
        while True:
            try:
                subject.pull(g, self.main)
                return True
            except Complaint as complaint:
                if complaint.slug in ("mutates-cotangent", "mutates-argument"):
                    subject.tolerated.add(complaint.slug)
                    self._find(complaint.slug, complaint.argument, complaint.sentence)
                    continue
                if complaint.slug not in _DROPPED or complaint.argument is None:
                    self._find(complaint.slug, complaint.argument, complaint.sentence)
                    self._give_up(subject.wrt)
                    return False
                place = next(i for i in subject.wrt if subject.arguments[i].name == complaint.argument)
                self.findings.append(shapes.explain_shape(self, complaint, place, g))
                self._give_up((place,))
                subject.wrt = tuple(i for i in subject.wrt if i != place)
                if not subject.wrt:
                    return False

    def _give_up(self, places: tuple[int, ...]) -> None:
        for place in places:
            argument = self.subject.arguments[place]
            kind = str(argument.array.dtype) if argument.array is not None else ""
            self.verdicts[argument.name] = ArgumentVerdict(argument.shape, kind, "wrong", None, 0.0)

    # --- judging -----------------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        if self.is_small() and self._is_quick():
            self._take(Entries(self).judge())
        else:
            self._take(directions.judge(self))

    def _take(self, found: Outcome) -> None:
        self.findings += found.findings
        self.verdicts.update(found.verdicts)
        self.power = found.power

    def is_small(self) -> bool:
        """Are whole Jacobians small enough to be computed?"""
        budget, truth = self.budget, self.truth
        sizes = [truth.slopes.size(place) for place in self.subject.wrt]
        return sum(sizes) <= budget.columns and truth.m * max(sizes) <= budget.jacobian

    def _is_quick(self) -> bool:
        """And quickly enough, by the time of a call of the forward?"""
        times = []
        for _ in range(3):
            start = time.perf_counter()
            self.subject.values(self.wide)
            times.append(time.perf_counter() - start)
        count = sum(self.truth.slopes.size(place) for place in self.subject.wrt)
        return min(times) * 7 * count <= self.budget.seconds

    def _notes(self) -> None:
        """What makes the check weaker than it looks."""
        wrong = any(finding.judgement == WRONG for finding in self.findings)
        for argument in self.subject.arguments:
            array = argument.array
            if array is None or not argument.real or wrong:
                continue
            if array.size > 2 and array.ndim and np.ptp(array) == 0:
                self._find(
                    "degenerate-arguments",
                    argument.name,
                    f"all entries of {argument.name} are {array.flat[0]:.4g}: mistakes may cancel",
                )
            sizes = [size for size in array.shape if size > 1]
            if len(set(sizes)) < len(sizes):
                told = "x".join(map(str, array.shape))
                better = "x".join(map(str, _unequal(array.shape)))
                self._find(
                    "square-shapes",
                    argument.name,
                    f"{argument.name} is {told}: equal sizes hide swapped axes; try {better}",
                )

    def cotangents(self, count: int) -> Array:
        """Random upstream gradients, the same ones whenever they are asked for."""
        return np.random.default_rng([self.seed, 2]).standard_normal((count, self.truth.m))

    def _tell_order(self) -> None:
        """Where the gradients are all there and in another order: which order that is."""
        told = {f.argument: f.detail.removeprefix("the gradient of ") for f in self.findings if f.pattern == _SWAPPED}
        names = [argument.name for argument in self.subject.arguments if argument.name in {*told, *self.verdicts}]
        came = [told.get(name, name) for name in names]
        if len(told) > 1 and sorted(came) == sorted(names):
            hint = f"they come in the order ({', '.join(came)}): return them in the order ({', '.join(names)})"
            self.findings = [replace(f, hint=hint) if f.pattern == _SWAPPED else f for f in self.findings]

    def _find(self, slug: str, argument: str | None, sentence: str) -> None:
        self.findings.append(Finding(slug, argument, sentence))

    def at(self, arrays: list[Array | None]) -> Examination | None:
        """The same examination at other arguments, ready to judge; None where the functions do not take them."""
        pairs = zip(self.subject.arguments, arrays, strict=True)
        arguments = tuple(replace(argument, array=array) for argument, array in pairs)
        subject = replace(self.subject, arguments=arguments, forward_calls=0, backward_calls=0, _like={})
        other = Examination(subject, self.budget, self.seed)
        other.earlier = None
        try:
            values = subject.values(arrays)
            if (
                not values.size
                or not np.isfinite(values).all()
                or not close_to(values, subject.values(arrays), 10 * subject.epsilon)
            ):
                return None
            other.wide = widened(subject)
            other.truth = Truth(subject, other.wide)
            other._choose_precision()
            subject.pull(other.cotangents(1)[0], other.main)
        except Exception:  # whatever they raise: these arguments are not theirs
            return None
        return other


def _unequal(shape: tuple[int, ...]) -> list[int]:
    """Sizes that differ from each other: each that came before is replaced by the next prime."""
    seen: set[int] = set()
    found = []
    for size in shape:
        new = size
        while new > 1 and (new in seen or any(new % p == 0 for p in range(2, new) if size != new)):
            new += 1
        seen.add(new)
        found.append(new)
    return found


def moved_elsewhere(arrays: list[Array | None], random: np.random.Generator) -> list[Array | None]:
    """Every real argument with its own numbers in another order, and a little larger: hardly outside the domain."""
    return [
        array
        if array is None or array.dtype.kind != "f"
        else (1.07 * random.permutation(array.ravel()).reshape(array.shape)).astype(array.dtype)
        for array in arrays
    ]
