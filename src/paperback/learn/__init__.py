"""Learning: models, optimizers, the training loop, checkpoints."""

from paperback.learn import optim, presets
from paperback.learn.augment import Shift
from paperback.learn.history import Epoch, History
from paperback.learn.metrics import accuracy
from paperback.learn.model import Model, load
from paperback.learn.train_step import TrainStep

__all__ = ["Epoch", "History", "Model", "Shift", "TrainStep", "accuracy", "load", "optim", "presets"]
