"""How much a check may cost, by its name: quick, normal or thorough."""

from __future__ import annotations

__all__ = ["BUDGETS", "Budget", "budget_of"]

from dataclasses import dataclass

from paperback.diagnosis.subject import DoctorError


@dataclass(frozen=True)
class Budget:
    """Bounds on the work of a check."""

    columns: int  # the most entries of the arguments together for whole Jacobians
    jacobian: int  # and the most numbers in one
    seconds: float  # of forward calls that whole Jacobians may take, by the time of one
    cotangents: int  # random ones
    directions: int  # random ones, where the Jacobian is too large
    variants: int  # sizes of 1 and other shapes that are tried


BUDGETS = {
    "quick": Budget(200, 300_000, 1.0, 2, 3, 0),
    "normal": Budget(2_000, 3_000_000, 5.0, 3, 5, 6),
    "thorough": Budget(20_000, 20_000_000, 120.0, 6, 20, 20),
}


def budget_of(name: str) -> Budget:
    if name not in BUDGETS:
        raise DoctorError(
            f'doctor: budget is "quick", "normal" or "thorough", found {name!r}; leave it out for "normal"'
        )
    return BUDGETS[name]
