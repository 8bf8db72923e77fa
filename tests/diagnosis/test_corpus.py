"""The corpus before it examines anybody: its right gradients are right, its wrong ones wrong, and told apart from them.

The referees are differences of the forward and PyTorch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from tests.diagnosis.corpus.bug import ROWS, Bug, as_drawn
from tests.diagnosis.corpus.bugs import BUGS
from tests.diagnosis.corpus.operation import Array, Forward, difference, draw, numeric, slopes
from tests.diagnosis.corpus.operations import OPERATIONS
from tests.diagnosis.corpus.right import Right
from tests.diagnosis.corpus.rights import RIGHT


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_gradients_of_the_operations_are_right(name: str) -> None:
    operation = OPERATIONS[name]
    rng = np.random.default_rng(0)
    arguments = operation.sample(rng)
    g = draw(operation.forward(*arguments), rng)
    returned, true = operation.backward(g, *arguments), numeric(operation.forward, g, arguments)
    for one, other in zip(returned, true, strict=True):
        assert (one is None) == (other is None)
        assert other is None or difference(one, other) < 1e-9


def called(bug: Bug, seed: int) -> tuple[tuple[Any, ...], tuple[Array | None, ...]]:
    """What the bug returns where it shows, and what is right."""
    rng = np.random.default_rng(seed)
    arguments = bug.operation.sample(rng)
    forward, backward = bug.make()
    drawn = draw(forward(*arguments), rng)
    g, at = bug.shows_at(drawn, arguments)
    true = truth(bug.operation.forward, bug.operation.sample, seed) if bug.shows_at is as_drawn else None
    return backward(g, *map(np.array, at)), true or numeric(bug.operation.forward, g, at)


@cache
def truth(forward: Forward, sample: Callable[..., Any], seed: int) -> tuple[Array | None, ...]:
    """The gradients at a sample, of the cotangent that is drawn after it."""
    rng = np.random.default_rng(seed)
    arguments = sample(rng)
    return numeric(forward, draw(forward(*arguments), rng), arguments)


def wrong_arguments(bug: Bug, seed: int) -> set[str]:
    returned, true = called(bug, seed)
    return {
        name
        for name, one, other in zip(bug.operation.arguments, [*returned, None], true, strict=False)
        if other is not None and not difference(one, other) < 1e-9
    }


PLAIN = [bug for bug in BUGS if not bug.faithful]


@pytest.mark.parametrize("bug", PLAIN, ids=lambda bug: bug.id)
def test_what_is_planted_is_wrong_where_it_says_and_right_elsewhere(bug: Bug) -> None:
    for seed in range(2):
        wrong = wrong_arguments(bug, seed)
        assert wrong == set(bug.arguments) if bug.arguments else wrong


def test_bugs_of_memory_are_right_at_a_plain_call_and_wrong_where_they_show() -> None:
    """Strides, writing, keeping: each is an ordinary right gradient first."""
    seen: Counter[str] = Counter()
    for bug in (bug for bug in BUGS if bug.faithful):
        rng = np.random.default_rng(0)
        arguments, others = bug.operation.sample(rng), bug.operation.sample(rng)
        forward, backward = bug.make()
        g = draw(forward(*arguments), rng)
        given = np.array(g), *map(np.array, arguments)
        for one, other in zip(backward(*given), numeric(bug.operation.forward, g, arguments), strict=True):
            assert other is None or difference(one, other) < 1e-9, bug.id
        if "mutates" in bug.causes[0]:
            kept = (g, *arguments)
            assert any(not np.array_equal(x, y) for x, y in zip(given, kept, strict=True)), bug.id
            seen["writes"] += 1
        elif bug.row == "strides":
            shown, at = bug.shows_at(g, arguments)
            try:
                assert any(
                    other is not None and not difference(one, other) < 1e-9
                    for one, other in zip(backward(shown, *at), numeric(bug.operation.forward, shown, at), strict=True)
                ), bug.id
            except ValueError as error:
                assert "contiguous" in str(error)
            seen["strides"] += 1
        else:
            forward(*others)
            again = [backward(g, *map(np.array, at)) for at in (arguments, others)]
            true = [numeric(bug.operation.forward, g, at) for at in (arguments, others)]
            assert any(
                other is not None and not difference(one, other) < 1e-9
                for ones, trues in zip(again, true, strict=True) for one, other in zip(ones, trues, strict=True)
            ), bug.id  # fmt: skip
            seen["keeps"] += 1
    assert min(seen["writes"], seen["strides"], seen["keeps"]) >= 6, seen


def test_no_two_bugs_are_the_same() -> None:
    """Nobody is examined twice with one question: bugs of one operation and sample return different gradients."""
    returned: dict[tuple[str, bytes], str] = {}
    for bug in PLAIN:
        if bug.shows_at is not as_drawn:
            continue
        gradients = called(bug, 0)[0]
        bits = b"".join(np.round(np.asarray(d, float), 9).tobytes() if d is not None else b"?" for d in gradients)
        key = (bug.operation.name, bits)
        assert key not in returned, f"{bug.id} is {returned[key]}"
        returned[key] = bug.id
    assert len(returned) > 250


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len({bug.id for bug in BUGS}) == len(BUGS) >= 300
    assert len({right.id for right in RIGHT}) == len(RIGHT) >= 250
    rows = Counter(bug.row for bug in BUGS)
    assert set(rows) == {*ROWS, "two at once"} and min(rows.values()) >= 6, rows
    assert len({bug.operation.name for bug in BUGS}) >= len(OPERATIONS)


JUDGED = [right for right in RIGHT if not (right.declined or right.plain or right.narrow)]


@pytest.mark.parametrize("right", JUDGED, ids=lambda right: right.id)
def test_what_tempts_is_right(right: Right) -> None:
    """Between the slopes from the left and from the right, at the best of several steps."""
    rng = np.random.default_rng(1)
    arguments = tuple(np.asarray(x) for x in right.sample(rng))
    g = draw(right.forward(*arguments), rng)
    returned = right.backward(g, *map(np.array, arguments))
    returned = returned if isinstance(returned, tuple | list) else (returned,)
    given = [np.asarray(d) for d in returned if d is not None]
    real = [k for k, x in enumerate(arguments) if x.dtype.kind == "f"]
    for d, k in zip(given, real, strict=True):
        assert d.shape == arguments[k].shape
        for place in np.ndindex(*d.shape):
            assert slopes(right.forward, g, arguments, k, place, float(d[place])), (place, d[place])
