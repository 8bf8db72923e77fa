"""Measured time of every layer, forward and backward, for a batch.

    forward     the layer's statements, as a training step runs them
    backward    the adjoints of its parameters and of what it takes from other layers

Each layer is compiled and run by itself, on the values that reach it. The rounds are interleaved, layer after layer, so
that a busy moment of the machine falls on all alike; a layer's time is the median of its rounds. A step compiled as a
whole may share work between layers, and then takes less than the sum.
"""

from __future__ import annotations

__all__ = ["LayerTime", "layer_times"]

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from paperback import engines
from paperback.nn.network import INPUT, Network
from paperback.notation.expr import Statement
from paperback.notation.walk import reads
from paperback.program.backward import gradients
from paperback.program.program import Program

Arrays = dict[str, Any]
_COTANGENT = "cotangent"


@dataclass(frozen=True)
class LayerTime:
    """Seconds for one batch."""

    forward: float
    backward: float


def layer_times(
    network: Network, given: Mapping[str, Any], compiled: Callable[[Program], engines.Runner], rounds: int = 5
) -> dict[str, LayerTime]:
    """The time of every layer by name.

    `given` holds the input, parameters, state and masks by name, `compiled` makes a Program run.
    """
    values, jobs = dict(given), []
    random = np.random.default_rng(0)
    for name, forward, backward in _parts(network):
        there = partial(compiled(forward), {tensor.name: values[tensor.name] for tensor in forward.inputs})
        values.update(there())
        back = None
        if backward is not None:
            result = values[forward.outputs[0]]
            known = {**values, _COTANGENT: random.standard_normal(result.shape).astype(result.dtype)}
            back = partial(compiled(backward), {tensor.name: known[tensor.name] for tensor in backward.inputs})
            back()
        jobs.append((name, there, back))
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name, *_ in jobs}
    for _ in range(rounds):
        for name, there, back in jobs:
            start = time.perf_counter()
            there()
            middle = time.perf_counter()
            if back is not None:
                back()
            measured[name].append((middle - start, time.perf_counter() - middle))
    return {name: LayerTime(*map(median, zip(*rows, strict=True))) for name, rows in measured.items()}


def _parts(network: Network) -> Iterable[tuple[str, Program, Program | None]]:
    """Every layer's name, its forward Program (the first output is its result) and, where anything is, its backward."""
    for info in network.layers:
        own = tuple(s for s in network.train.statements if s.target.startswith(f"{info.name}."))
        whole = _program(network.train, own, [own[-1].target])
        wrt = [
            tensor.name
            for tensor in whole.inputs
            if tensor.role == "parameter" or (tensor.role == "input" and tensor.name != INPUT)
        ]
        if not wrt:
            yield info.name, whole, None
            continue
        whole, found = gradients(whole, own[-1].target, wrt, cotangent=_COTANGENT)
        adjoints = [s for s in whole.statements if s.target in whole.adjoints]
        forward = [s for s in whole.statements if s.target not in whole.adjoints]
        kept = {read.tensor for s in adjoints for read in reads(s.expr)} & {s.target for s in forward}
        outputs = [own[-1].target, *sorted(kept - {own[-1].target})]
        yield info.name, _program(whole, forward, outputs), _program(whole, adjoints, list(found.values()))


def _program(source: Program, statements: Iterable[Statement], outputs: list[str]) -> Program:
    """These statements by themselves; what they read and do not compute is their input."""
    statements = tuple(statements)
    computed = {s.target for s in statements}
    read = {r.tensor for s in statements for r in reads(s.expr)}
    tensors = {}
    for name, tensor in source.tensors.items():
        if name in outputs:
            tensors[name] = replace(tensor, role="output")
        elif name in computed:
            tensors[name] = replace(tensor, role="intermediate")
        elif name in read:
            tensors[name] = replace(tensor, role="parameter" if tensor.role == "parameter" else "input")
    return replace(source, tensors=tensors, statements=statements, outputs=tuple(outputs), updates={},
                   adjoints=tuple(t for t in source.adjoints if t in computed))  # fmt: skip
