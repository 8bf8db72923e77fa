"""The gradient doctor: is a hand-written backward right, and if not, what is wrong with it?

    report = doctor(forward, backward, args)     print(report); report.ok; report.findings; report.json()
    doctor.chain([(forward, backward), ...], x)  the first layer of a chain that is wrong
    doctor.torch(function, args)                 a torch.autograd.Function, a module, a callable
    doctor.jax(fun, args)                        a JAX function with a custom derivative
    doctor.model(model, x, y)                    a Paperback model, layer by layer
    assert_gradient(forward, backward, args)     for pytest

The forward is trusted: its derivative by differences or the complex step is the truth. Everything is computed with
NumPy, and this folder needs nothing else.
"""

from __future__ import annotations

__all__ = ["PATTERNS", "DoctorError", "Finding", "Pattern", "Report", "assert_gradient", "doctor"]

from paperback.diagnosis.consult import assert_gradient, doctor
from paperback.diagnosis.patterns import PATTERNS, Pattern
from paperback.diagnosis.report import Finding, Report
from paperback.diagnosis.subject import DoctorError
