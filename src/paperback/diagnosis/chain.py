"""A chain of layers: the first whose backward is wrong, on the activations that reach it.

One wrong backward makes the gradients of all layers before it wrong; what is to be found is where it began. So every
layer is examined alone, at the values that the layers before it give.
"""

from __future__ import annotations

__all__ = ["examine_chain"]

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from paperback.diagnosis.forms import pair_of
from paperback.diagnosis.report import Finding, Report
from paperback.diagnosis.subject import DoctorError


def examine_chain(judge: Callable[..., Report], layers: Iterable[Any], args: Any, **settings: Any) -> Report:
    """A report of all layers up to the first that is wrong; arguments are called "layer 0 x", and so on."""
    steps = list(layers)
    if not steps:
        raise DoctorError("doctor.chain: needs layers, found none; pass [(forward, backward), ...]")
    values = tuple(args) if isinstance(args, tuple | list) else (args,)
    reports: list[Report] = []
    for k, layer in enumerate(steps):
        forward, backward = layer if isinstance(layer, tuple | list) else (layer, None)
        report = judge(forward, backward, values, **settings)
        name = f"layer {k} ({report.subject})"
        reports.append(_renamed(report, f"layer {k}", name))
        if not report.ok:
            break
        pair = pair_of(forward, backward, values)
        out = pair.forward(**pair.args) if isinstance(pair.args, Mapping) else pair.forward(*pair.args)
        values = tuple(out) if isinstance(out, tuple | list) else (out,)
    last = reports[-1]
    wrong = "" if last.ok else f"; {last.subject} is the first that is not right"
    return Report(
        f"chain of {len(steps)}{wrong}",
        tuple(finding for report in reports for finding in report.findings),
        {name: verdict for report in reports for name, verdict in report.arguments.items()},
        last.power,
        sum(report.forward_calls for report in reports),
        sum(report.backward_calls for report in reports),
    )


def _renamed(report: Report, prefix: str, name: str) -> Report:
    def named(finding: Finding) -> Finding:
        if finding.argument is None:
            return replace(finding, sentence=f"{name}: {finding.sentence}")
        return replace(finding, argument=f"{prefix} {finding.argument}", sentence=f"{name}: {finding.sentence}")

    arguments = {f"{prefix} {key}": verdict for key, verdict in report.arguments.items()}
    return replace(report, subject=name, findings=tuple(map(named, report.findings)), arguments=arguments)
