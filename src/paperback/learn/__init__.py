"""Learning: models, optimizers, schedules, metrics, the training loop, checkpoints."""

from typing import TYPE_CHECKING

from paperback.later import offer

if TYPE_CHECKING:
    from paperback.learn import augment, checkpoint, measure, metrics, optim, plan, presets, rates, schedules
    from paperback.learn.augment import Compose, Flip, Noise, Rotate, Shift
    from paperback.learn.history import Epoch, History
    from paperback.learn.metrics import accuracy
    from paperback.learn.model import Model, load
    from paperback.learn.rates import LearningRates
    from paperback.learn.train_step import TrainStep

__all__ = [
    "Compose", "Epoch", "Flip", "History", "LearningRates", "Model", "Noise", "Rotate", "Shift", "TrainStep",
    "accuracy", "augment", "checkpoint", "load", "measure", "metrics", "optim", "plan", "presets", "rates",
    "schedules",
]  # fmt: skip

_HOMES = {
    "Compose": "augment", "Epoch": "history", "Flip": "augment", "History": "history", "LearningRates": "rates",
    "Model": "model", "Noise": "augment", "Rotate": "augment", "Shift": "augment", "TrainStep": "train_step",
    "accuracy": "metrics", "load": "model",
}  # fmt: skip

__getattr__, __dir__ = offer(
    __name__, _HOMES, ("augment", "checkpoint", "measure", "metrics", "optim", "plan", "presets", "rates", "schedules")
)
