"""Plausible mistakes in the generator of code, planted one at a time, each with a check of the fast suite that tells.

A mutant may crash the process, so each is tried in a child of its own: `python -m tests.engines.llvm.mutants` prints a
line for every mutant.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest
from tests.engines.llvm import (
    test_determinism,
    test_formulas,
    test_halves,
    test_memory,
    test_narrow,
    test_not_finite,
    test_runs,
    test_sorted,
    test_winograd,
)
from tests.engines.llvm.test_programs import (
    ONCE_WRONG,
    WIDE,
    check_case,
    check_seeds,
    test_shards_of_several_micro_batches,
)
from tests.nn.cases import CASES
from tests.test_mutants import find

from paperback.engines.llvm.code.values import Value
from paperback.notation.affine import Affine
from paperback.notation.expr import ZERO, Binder, Compare, Statement
from paperback.notation.size import Size

LLVM = "paperback.engines.llvm"
Law = Callable[[], object]


@dataclass(frozen=True)
class Mutant:
    """`places` are "module:Class.name" inside the engine; `make` turns what is there into the mistake."""

    id: str
    places: tuple[str, ...]
    make: Callable[[Any], Any]
    law: Law


# --- checks of the fast suite -----------------------------------------------------------------------------------------


def layers(*ids: str) -> Law:
    def law() -> None:
        chosen = [case for case in CASES if case.id in ids]
        assert len(chosen) == len(ids)
        for case in chosen:
            check_case(case, "float64")

    return law


def steps(*seeds: int, tiny: bool = False) -> Law:
    return lambda: check_seeds(seeds, tiny)


def formulas(*ids: str) -> Law:
    def law() -> None:
        chosen = [case for case in test_formulas.CASES if case.id in ids]
        assert len(chosen) == len(ids)
        assert all(test_formulas.check_case(case, 0) for case in chosen)

    return law


def shares() -> None:
    with pytest.MonkeyPatch.context() as patch:
        test_halves.test_shares_begin_with_what_is_stored(1, patch)


def in_parts() -> None:
    with pytest.MonkeyPatch.context() as patch:
        test_runs.cut_everything(patch)
        test_runs.test_networks("minimal", 3)


def wide(*ids: str) -> Law:
    return lambda: [check_case(case, "float64") for case in WIDE if case.id in ids]


def in_micro_batches() -> None:
    with pytest.MonkeyPatch.context() as patch:
        test_shards_of_several_micro_batches(patch)


def with_poison(seed: int, tiny: bool) -> Law:
    assert (seed, tiny) in ONCE_WRONG

    def law() -> None:
        os.environ["PAPERBACK_DEBUG"] = "memory"
        check_seeds([seed], tiny)

    return law


def on_threads() -> None:
    test_determinism.prepare(pytest.MonkeyPatch())
    test_determinism.test_threads_change_nothing_for_any_batch()


# --- mistakes ---------------------------------------------------------------------------------------------------------


def first_entry_only(original: Any) -> Any:
    """Memory that is added to is not zeroed, but for its first entry."""

    def filled(whole: Statement) -> Any:
        nest = original(whole)
        statement = nest.statement
        return replace(nest, statement=replace(statement, binders=tuple(
            Binder(b.letter, Size.of(1)) if b.extent.value < 10**6 else b for b in statement.binders
        )))  # fmt: skip

    return filled


def clipped_short(original: Any) -> Any:
    def range_of(e: Any, nest: Any, letter: Any, split: Any) -> Any:
        start, stop = original(e, nest, letter, split)
        return start, e.f.sub(stop, 1) if any(letter in clip.form.letters for clip in nest.clips) else stop

    return range_of


def without_tail(original: Any) -> Any:
    def vectors(e: Any, letter: Any, extent: int, body: Any) -> None:
        original(e, letter, max(e.width, extent - extent % e.width) if extent >= e.width else extent, body)

    return vectors


def with_settings(**settings: Any) -> Callable[[Any], Any]:
    """The last argument, by name or by place, is always this."""

    def make(original: Any) -> Any:
        name, value = next(iter(settings.items()))

        def changed(*arguments: Any, **named: Any) -> Any:
            return original(*arguments, **named, **{name: value}) if name in named else original(*arguments[:-1], value)

        return changed

    return make


def threads_for_shards(original: Any) -> Any:
    def made(self: Any, *arguments: Any) -> None:
        original(self, *arguments)
        self.fields[1] = min(self.fields[1], arguments[6])

    return made


def everything_at_one_place(original: Any) -> Any:
    def places(runs: Any, buffers: Any) -> Any:
        found, size = original(runs, buffers)
        return dict.fromkeys(found, 0), size

    return places


def first_spare(original: Any) -> Any:
    return lambda self: self.spare[0] if self.spare else original(self)


def last_of_ties(original: Any) -> Any:
    return lambda self, sign, best, value: original(self, {">": ">=", "<": "<="}[sign], best, value)


def nan_is_lost(original: Any) -> Any:
    def extreme(self: Any, sign: str, a: Value, b: Value) -> Value:
        a, b = self.level(self.as_float(a), self.as_float(b))
        return self.select(self.compare(sign, b, a), b, a)

    return extreme


def next_shard_too(original: Any) -> Any:
    return lambda *arguments: original(*arguments).replace("(i64 %ahead, i64 %last)", "(i64 %ahead, i64 %N)")


def shifted_by_one(original: Any) -> Any:
    """A strided read is of the next entry."""

    def steps_(self: Any, start: Any, step: int, lanes: int) -> Any:
        return original(self, start if abs(step) < 2 else self.f.add(start, 1), step, lanes)

    return steps_


def any_axes(original: Any) -> Any:
    return lambda statement, producer: original(replace(statement, axes=producer.nests[0].statement.axes), producer)


def one_lane_letter(original: Any) -> Any:
    """Of joined letters only the fastest is run through."""
    return property(lambda self: (self.lane,))


def narrow(*channels: int) -> Law:
    return lambda: test_narrow.check_narrow(channels, ("float64",))


def sorts(number: int) -> Law:
    return lambda: test_sorted.check_all("float64", list(test_sorted.scatters())[number : number + 1])


def never_again(original: Any) -> Any:
    """Rows with what is not finite are left as they are."""

    @contextmanager
    def rows(self: Any, e: Any, task: Any) -> Iterator[None]:
        with original(self, e, task), e.f.when("false") if task.when else nullcontext():
            yield

    return rows


def one_block(emit: Any) -> Any:
    def mutant(self: Any, block: Any) -> None:
        with self.e.bind(block, 0, self.extents[block]):
            self._add()

    return mutant


MUTANTS = [
    Mutant("no zeros", ("lowering.lower:filled", "lowering.parts:filled"), first_entry_only,
           layers("conv2d-stride", "maxpool2d-gap")),
    Mutant("clip", ("code.nest:range_of", "code.tile:range_of"), clipped_short, steps(0, 3, 6, 9)),
    Mutant("no tail of lanes", ("code.nest:vectors",), without_tail, steps(0, 1, 2, 3)),
    Mutant("adds where it stores", ("code.nest:store",), with_settings(add=True), layers("conv2d")),
    Mutant("stores where it adds", ("code.nest:store",), with_settings(add=False), in_micro_batches),
    Mutant("shares begin with the last step's", ("code.nest:added", "code.routed:added"),
           lambda f: lambda e, old, value, *example: e.binary("add", old, value), shares),
    Mutant("every micro-batch begins anew", ("code.nest:added", "code.routed:added"),
           lambda f: lambda e, old, value, *example: value, shares),
    Mutant("the same half twice", ("lowering.halves:substitute",),
           lambda f: lambda node, letters: f(node, {l: a if a.letters else Affine.of(0) for l, a in letters.items()}),
           lambda: test_halves.check(test_halves.dense(300, 64), 3)),
    Mutant("padding is zero", ("code.access:Access._masked",), with_settings(pad=Fraction(0)), layers("maxpool2d-pad")),
    Mutant("no brackets", ("code.evaluate:guards_of",),
           lambda f: lambda node: ((), f(node)[1] or (node,)), layers("relu")),
    Mutant("no guards of sums", ("code.evaluate:Evaluator.guards",), lambda f: lambda self, guards: None,
           formulas("causal attention")),
    Mutant("the last of ties", ("code.values:Values.better",), last_of_ties,
           test_not_finite.test_the_first_of_ties_wins),
    Mutant("NaN is lost in a maximum", ("code.values:Values.extreme",), nan_is_lost,
           lambda: test_not_finite.test_reductions_of_special_numbers("max")),
    Mutant("no magnitude", ("code.values:Values.magnitude",), lambda f: lambda self, value: value,
           lambda: test_not_finite.test_reductions_of_special_numbers("logsumexp")),
    Mutant("strict where it is not", ("code.values:_ORDERED",), lambda f: {**f, ">=": "ogt"},
           lambda: test_not_finite.test_functions_of_special_numbers("float64")),
    Mutant("wrong labels pass", ("code.values:Values.any",), lambda f: lambda self, value: Value("false", "bool"),
           test_not_finite.test_labels_out_of_range_are_refused_as_numpy_refuses_them),
    Mutant("nothing is reported", ("code.nest:report",), lambda f: lambda e, value: None,
           test_not_finite.test_new_values_that_are_not_finite_are_reported),
    Mutant("shards are threads", ("room:Room.__init__",), threads_for_shards, on_threads),
    Mutant("shards overlap", ("code.module:Writer._shard",), next_shard_too, steps(0, 1, 2, 3, 4, 5)),
    Mutant("scratch overlaps", ("runner:scratch_places",), everything_at_one_place, steps(0, 1, 2)),
    Mutant("held results", ("room:Room.unheld",), first_spare,
           lambda: test_memory.test_a_result_that_is_held_is_not_written_to("view")),
    Mutant("any layout", ("room:Given.fits",), lambda f: lambda self, array: True,
           test_memory.test_inputs_lie_as_they_like),
    Mutant("strided reads", ("code.values:Values.steps",), shifted_by_one,
           layers("avgpool2d", "conv2d-stride", "permute")),
    Mutant("halves of odd lanes", ("code.values:Values.fold",),
           lambda f: lambda self, v, c: f(self, self._part(v, 0, v.lanes - v.lanes % 2) if v.lanes > 1 else v, c),
           lambda: test_not_finite.test_reductions_of_special_numbers("sum")),
    Mutant("padding is pushed away", ("lowering.fuse:_pushed",), any_axes, with_poison(1096, False)),
    Mutant("no bounds of sums", ("code.tile:_Tiles._sum_range",),
           lambda f: lambda self, letter: self.e.range_of(self.sizes[letter]), narrow(6)),
    Mutant("one of the lanes' letters", ("code.contract:Contraction.lanes",), one_lane_letter, narrow(6)),
    Mutant("neighbours that are none", ("lowering.route:neighbours", "lowering.sort:neighbours"),
           lambda f: lambda places, flat: f(places, flat)[::-1], narrow(6)),
    Mutant("channels go to the first place", ("lowering.sort:Sorter._shift",),
           lambda f: lambda self, spread, code: (0,) * len(f(self, spread, code)), sorts(0)),
    Mutant("a maximum of 0 is positive", ("lowering.maximum:_Maximum.positive",),
           lambda f: property(lambda self: Compare(">=", self.value, ZERO)),
           test_sorted.test_nothing_is_left_of_what_is_off),
    Mutant("no border", ("lowering.sort:Sorter._bordered",),
           lambda f: lambda self, left, shape, box, shifts: ((0,) * len(shape), shape), sorts(1)),
    Mutant("never computed again", ("code.module:Writer._rows",), never_again,
           lambda: test_winograd.test_what_is_not_finite_goes_where_it_goes(5, 1, float("inf"))),
    Mutant("runs wait for nobody", ("code.runs:_keeps_to_its_part",), lambda f: lambda *arguments: True,
           in_parts),
    Mutant("other points", ("lowering.winograd:_polynomial",), lambda f: lambda roots: f([-r for r in roots]),
           lambda: test_winograd.test_the_algebra_is_exact(5, 1)),
    Mutant("the first block alone", ("code.sorted:_Sorted._blocks",), one_block, sorts(2)),
    Mutant("windows share a list", ("code.sorted:_Sorted._segment",), lambda f: lambda self: 0, sorts(0)),
    Mutant("rows that are clipped", ("code.tile:_unclipped",), lambda f: lambda nest, c: c,
           wide("conv2d-stride", "conv3d-same", "net")),
]  # fmt: skip


def tried(mutant: Mutant | None, law: Law) -> str:
    """Does the check fail? In a child: a crash is found too."""
    places = [find(f"{LLVM}.{place}") for place in (mutant.places if mutant is not None else ())]
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for owner, name in places:
                assert mutant is not None
                setattr(owner, name, mutant.make(getattr(owner, name)))
            law()
            code = 0
        except BaseException as error:
            if mutant is None:
                print(f"{type(error).__name__}: {error}"[:500], flush=True)
        finally:
            os._exit(code)
    return "lives" if os.waitpid(child, 0)[1] == 0 else "caught"


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PAPERBACK_CACHE"] = folder
        os.environ["PAPERBACK_DEBUG"] = ""  # between guard pages there is no scratch that could overlap
        for mutant in MUTANTS:
            if not names or mutant.id in names:
                print(f"{mutant.id}: {tried(None, mutant.law)} without, {tried(mutant, mutant.law)} with", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
