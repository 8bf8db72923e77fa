"""Random networks, rewritten by random sequences of identities, stay the same function: in exact arithmetic.

The whole network is compared, not the pieces that a rule replaced: outputs, and gradients by the input, after training.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.nn.dice import Dice
from tests.rewrites.networks import quarters, random_network

from paperback.calculus.exact import ExactError, agree
from paperback.engines import compile_program
from paperback.learn import steps as programs
from paperback.nn.network import INPUT, build
from paperback.rewrites.apply import applied, places_in
from paperback.rewrites.exactly import filled
from paperback.rewrites.pieces import Chain, named, place, whole, wrap
from paperback.rewrites.rules import RULES

SEEN: dict[str, int] = {}


def outcome(chain: Chain, x: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    network = build(wrap(chain), chain[0].shape)
    program, names = programs.vjp_program(network, training=False)
    run = compile_program(program, engine="exact")
    result = run({**named(network, chain), INPUT: x, programs.COTANGENT: v})
    return result[network.output], result[names[INPUT]]


def rewritten(seed: int) -> int:
    """Draw a network and a sequence of rules; how many were applied."""
    random = np.random.default_rng(seed)
    dice = Dice(random)
    net, shape = random_network(dice)
    chain = filled(place(whole(net), shape), random)
    x, v = quarters(random, (2, *shape)), quarters(random, (2, *chain[-1].output))
    try:
        y, dx = outcome(chain, x, v)
    except ExactError:  # equal maxima that are irrational
        return 0
    used = []
    for _ in range(3):
        choice = sorted({place.rule.name for place in places_in(chain) if not place.refusal})
        if not choice:
            break
        name = str(random.choice(choice))
        chain, steps = applied(chain, RULES[name])
        used += [name] * len(steps)
    z, dz = outcome(chain, x, v)
    assert agree(y, z), f"seed {seed}: {used} change the outputs of {net!r}"
    assert agree(dx, dz), f"seed {seed}: {used} change the gradients of {net!r}"
    for name in used:
        SEEN[name] = SEEN.get(name, 0) + 1
    return len(used)


def test_random_networks_stay_what_they_are() -> None:
    SEEN.clear()
    applied_to = sum(rewritten(seed) > 0 for seed in range(16))
    assert applied_to >= 12 and len(SEEN) >= 8, SEEN


@pytest.mark.long
def test_many_random_networks_stay_what_they_are() -> None:
    SEEN.clear()
    applied_to = sum(rewritten(seed) > 0 for seed in range(1000, 1400))
    assert applied_to >= 300 and len(SEEN) >= 14, SEEN


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(10_000, 20_000))
def test_hypothesis_finds_no_other(seed: int) -> None:
    rewritten(seed)
