"""Networks as one line of words.

    "conv 5x5x32, relu, maxpool 2, flatten, dense 128, relu, dense 10"

    conv 5x5x32 [stride s] [same|valid|full|pad p] [flip] [dilation d]     a 5x5 window to 32 channels; 5x32: one axis
    dense K                                                                K outputs
    maxpool k [stride s]    avgpool k [stride s]                           k is 2 or 2x3
    relu  sigmoid  tanh  softmax  flatten  batchnorm  dropout r

A preset (`lenet`, `mlp`) is a network by itself.
"""

from __future__ import annotations

__all__ = ["network"]

from collections.abc import Callable
from typing import Any

from paperback.errors import ModelError
from paperback.learn.inputs import closest
from paperback.learn.presets import PRESETS
from paperback.nn.layers import (
    AvgPool2d,
    BatchNorm,
    Conv1d,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
)

_PADDINGS = ("same", "valid", "full")


def network(text: str, input_shape: tuple[int, ...], classes: int) -> Sequential:
    """The net of a preset's name or of a list of layers; ModelError that names the item otherwise."""
    word = text.strip().lower()
    if word in PRESETS:
        return PRESETS[word](input_shape, classes)
    items = [item.strip() for item in word.split(",")]
    return Sequential(*(_Item(number, item).layer() for number, item in enumerate(items, 1)))


class _Item:
    """One layer: its words are taken one by one, and none may be left."""

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.text = text
        self.words = text.split()

    def layer(self) -> Layer:
        if not self.words:
            raise self.error("needs a layer between the commas, found nothing", "write for example relu")
        name = self.words.pop(0)
        if name not in _LAYERS:
            raise self.error(f"no layer or preset is called {name}", closest(name, [*_LAYERS, *PRESETS]))
        try:
            layer = _LAYERS[name](self)
        except ModelError as error:
            if isinstance(error, _ItemError):
                raise
            raise self.error(str(error), "change the number") from None
        if self.words:
            raise self.error(f"found {self.words[0]} after a whole layer", "put a comma between two layers")
        return layer

    def error(self, what: str, fix: str) -> ModelError:
        return _ItemError(f'--net, item {self.number} "{self.text}": {what}; {fix}')

    def numbers(self, form: str, counts: tuple[int, ...]) -> tuple[int, ...]:
        """The next word as whole numbers with x between them, as many as in `counts`."""
        word = self.words.pop(0) if self.words else ""
        parts = word.split("x")
        if len(parts) not in counts or not all(part.isdecimal() for part in parts):
            raise self.error(f"needs {form}, found {word or 'nothing'}", f"write for example {self.example}")
        return tuple(int(part) for part in parts)

    @property
    def example(self) -> str:
        return _EXAMPLES[self.text.split()[0]]

    def options(self, **known: Callable[[], Any]) -> dict[str, Any]:
        """The rest of the words: each is a key of `known`, which reads what follows it."""
        found: dict[str, Any] = {}
        while self.words:
            word = self.words.pop(0)
            if word not in known:
                raise self.error(f"no option is called {word}", closest(word, known))
            name = "padding" if word in (*_PADDINGS, "pad") else word
            if name in found:
                raise self.error(f"{name} is given twice", "leave one out")
            found[name] = word if word in _PADDINGS else known[word]()
        return found

    def one_or_each(self, axes: int) -> int | tuple[int, ...]:
        numbers = self.numbers(f"one whole number, or {axes} with x between", (1, axes))
        return numbers[0] if len(numbers) == 1 else numbers


def _conv(item: _Item) -> Layer:
    *kernel, filters = item.numbers("a window and channels, as 5x5x32", (2, 3))
    axes = len(kernel)

    def each() -> int | tuple[int, ...]:
        return item.one_or_each(axes)

    def true() -> bool:
        return True

    options = item.options(stride=each, dilation=each, pad=each, flip=true, **dict.fromkeys(_PADDINGS, true))
    kind: Any = Conv2d if axes == 2 else Conv1d
    layer: Layer = kind(filters, tuple(kernel), **options)
    return layer


def _pool(kind: Any) -> Callable[[_Item], Layer]:
    def make(item: _Item) -> Layer:
        window = item.one_or_each(2)
        layer: Layer = kind(window, **item.options(stride=lambda: item.one_or_each(2)))
        return layer

    return make


def _dropout(item: _Item) -> Layer:
    word = item.words.pop(0) if item.words else ""
    try:
        rate = float(word)
    except ValueError:
        what = f"needs the share to leave out, found {word or 'nothing'}"
        raise item.error(what, "write for example dropout 0.5") from None
    return Dropout(rate)


def _plain(kind: Callable[[], Layer]) -> Callable[[_Item], Layer]:
    return lambda item: kind()


class _ItemError(ModelError):
    """An error that names its item already."""


_EXAMPLES = {"conv": "conv 5x5x32", "dense": "dense 10", "maxpool": "maxpool 2", "avgpool": "avgpool 2"}
_LAYERS: dict[str, Callable[[_Item], Layer]] = {
    "conv": _conv,
    "dense": lambda item: Dense(item.numbers("the number of outputs", (1,))[0]),
    "maxpool": _pool(MaxPool2d),
    "avgpool": _pool(AvgPool2d),
    "dropout": _dropout,
    "relu": _plain(ReLU),
    "sigmoid": _plain(Sigmoid),
    "tanh": _plain(Tanh),
    "softmax": _plain(Softmax),
    "flatten": _plain(Flatten),
    "batchnorm": _plain(BatchNorm),
}
