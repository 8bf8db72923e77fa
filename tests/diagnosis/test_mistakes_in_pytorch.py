"""Mistakes made in gradients that others wrote: the functions of PyTorch, which the doctor was not made on.

Each mistake is made in the gradient of the first argument, or in the upstream gradient; where it changes nothing at the
arguments that are drawn, it is none, and is not asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from paperback.diagnosis import Report, doctor

torch = pytest.importorskip("torch")

from tests.diagnosis.corpus.functions_of_pytorch import FUNCTIONS  # noqa: E402

from paperback.diagnosis.adapters.pytorch import torch_pair  # noqa: E402

Map = Callable[[Any], Any]
SEED, CHANGE = 5, 1e-6


def scaled(part: Any, factor: float) -> Map:
    def change(d: Any) -> Any:
        d = d.clone()
        d[part] *= factor
        return d

    return change


def one_entry(d: Any) -> Any:
    d = d.clone().contiguous()
    d.view(-1)[d.numel() // 2] *= 1.01
    return d


OF_THE_RESULT: dict[str, tuple[Map, str]] = {
    "factor": (lambda d: 2.5 * d, "factor"),
    "sign": (lambda d: -d, "sign"),
    "first item doubled": (scaled(slice(0, 1), 2.0), "branch one-entry factor"),
    "last item dropped": (scaled(slice(-1, None), 0.0), "branch one-entry mask-extra zero"),
    "one entry, by a hundredth": (one_entry, "one-entry branch factor"),
    "flipped": (lambda d: d.flip(-1), "not-flipped axes-swapped shifted"),
    "zero": (torch.zeros_like, "zero"),
    "kept in 16 bits": (lambda d: d.half().to(d.dtype), "rounding"),
}
OF_THE_UPSTREAM: dict[str, tuple[Map, str]] = {
    "taken for ones": (torch.ones_like, "upstream-ones upstream-ignored"),
    "squared": (lambda g: g * g, "upstream-squared"),
    "averaged": (lambda g: torch.full_like(g, float(g.mean())), "upstream-averaged upstream-first"),
    "clipped": (lambda g: g.clamp(-0.3, 0.3), "not-linear upstream-transformed"),
}
MISTAKES = {**OF_THE_RESULT, **OF_THE_UPSTREAM}


def mistaken(backward: Callable[..., dict[str, Any]], mistake: str) -> Callable[..., dict[str, Any]]:
    change, _ = MISTAKES[mistake]

    def wrong(g: Any, /, **tensors: Any) -> dict[str, Any]:
        if mistake in OF_THE_UPSTREAM:
            return backward(tuple(map(change, g)) if isinstance(g, tuple) else change(g), **tensors)
        gradients = backward(g, **tensors)
        first = next(iter(gradients))
        return {**gradients, first: change(gradients[first])}

    return wrong


def examined(names: list[str]) -> Iterator[tuple[str, str, Report]]:
    """(function, mistake, report) of all that are mistakes at the arguments that are drawn."""
    for name in names:
        shapes, function = FUNCTIONS[name]
        for mistake in MISTAKES:
            torch.manual_seed(SEED)
            pair = torch_pair(function, [torch.randn(*shape, dtype=torch.float64) for shape in shapes])
            wrong = mistaken(pair.backward, mistake)  # type: ignore[arg-type]
            outputs = pair.forward(**pair.args)
            g = tuple(map(torch.randn_like, outputs)) if isinstance(outputs, tuple) else torch.randn_like(outputs)
            first = next(iter(pair.args))
            right, other = (f(g, **pair.args)[first] for f in (pair.backward, wrong))  # type: ignore[misc]
            if float((right - other).abs().max()) > CHANGE * float(right.abs().max()):
                yield name, mistake, doctor(pair.forward, wrong, pair.args, seed=SEED)


def judged(names: list[str]) -> tuple[int, list[str], list[str]]:
    """How many there were, those not found, and those with another cause named first."""
    count, missed, misnamed = 0, [], []
    for name, mistake, report in examined(names):
        count += 1
        found = next((f for f in report.findings if f.judgement == "wrong"), None)
        if found is None:
            missed.append(f"{name}, {mistake}")
        elif not {found.pattern, *found.also[:1]} & set(MISTAKES[mistake][1].split()):
            misnamed.append(f"{name}, {mistake}: {found.sentence}")
    return count, missed, misnamed


def test_mistakes_in_a_sample_are_found_and_named() -> None:
    count, missed, misnamed = judged(list(FUNCTIONS)[20::30])
    assert not missed and len(misnamed) <= 2 and count > 30, (count, missed, misnamed)


@pytest.mark.long
def test_all_are_found_and_most_are_named() -> None:
    count, missed, misnamed = judged(list(FUNCTIONS))
    assert not missed and count > 1_000, (count, missed)
    assert len(misnamed) < 0.03 * count, misnamed
