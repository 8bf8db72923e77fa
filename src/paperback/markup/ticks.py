"""Where an axis has its ticks, and how numbers are written on it.

    linear    multiples of 1, 2 or 5 times a power of ten, about five of them
    log       powers of ten; 1, 2 and 5 times them where there are few
"""

from __future__ import annotations

__all__ = ["linear_ticks", "log_ticks", "percent", "short"]

import math

_WANTED = 5
_FEW = 3


def linear_ticks(low: float, high: float, whole: bool = False) -> list[float]:
    """Round numbers within [low, high]; `whole`: whole ones only."""
    if not high > low:
        return [low]
    step = 10.0 ** math.floor(math.log10((high - low) / _WANTED))
    step *= min((1, 2, 5, 10), key=lambda factor: abs(math.log((high - low) / (step * factor * _WANTED))))
    step = max(1.0, round(step)) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers within [low, high], both > 0."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 2, 5)):
        found = [f * 10.0**p for p in powers for f in factors if low * (1 - 1e-9) <= f * 10.0**p <= high * (1 + 1e-9)]
        if len(found) >= _FEW:
            break
    every = -(-len(found) // (2 * _WANTED))
    return found[::every] if found else [math.sqrt(low * high)]


def short(value: float) -> str:
    """A number in a few characters: 0.05, 1,200, 3.2e-05; a dash for what is no number."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e6 or size < 1e-3:
        text = f"{value:.2e}"
        digits, power = text.split("e")
        text = f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
    elif size >= 1000:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.4g}"
    return text


def percent(share: float) -> str:
    """A share as 97.5%; a dash for what is no number."""
    return short(share) if math.isnan(share) else f"{share:.1%}"
