"""What a training step of a model costs layer by layer: random examples, the step's masks, and `nn.timing`."""

from __future__ import annotations

__all__ = ["measure"]

import numpy as np

from paperback import engines
from paperback.learn.inputs import vocabulary
from paperback.learn.predictor import Predictor
from paperback.learn.steps import draw_masks
from paperback.nn.network import INPUT
from paperback.nn.timing import LayerTime, layer_times
from paperback.program.program import Program


def measure(model: Predictor, batch: int) -> dict[str, LayerTime]:
    """The time of every layer for a batch of random examples, with the model's parameters on its engine."""
    random = np.random.default_rng(model.seed)
    shape, known = (batch, *model.network.input_shape), vocabulary(model.network)
    x = random.standard_normal(shape).astype(model.dtype) if known is None else random.integers(0, known, shape)
    masks = draw_masks(model.network, batch, model.seed, model.steps, model.dtype)
    given = {**model.parameters, **model.state, **masks, INPUT: x}

    def compiled(program: Program) -> engines.Runner:
        return engines.compile_program(program, model.dtype.name, model.engine, model.threads)

    return layer_times(model.network, given, compiled)
