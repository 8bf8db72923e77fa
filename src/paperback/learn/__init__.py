"""Learning: models, optimizers, schedules, metrics, the training loop, checkpoints."""

from paperback.learn import augment, metrics, optim, presets, schedules
from paperback.learn.augment import Compose, Flip, Noise, Rotate, Shift
from paperback.learn.history import Epoch, History
from paperback.learn.metrics import accuracy
from paperback.learn.model import Model, load
from paperback.learn.rates import LearningRates
from paperback.learn.train_step import TrainStep

__all__ = [
    "Compose", "Epoch", "Flip", "History", "LearningRates", "Model", "Noise", "Rotate", "Shift", "TrainStep",
    "accuracy", "augment", "load", "metrics", "optim", "presets", "schedules",
]  # fmt: skip
