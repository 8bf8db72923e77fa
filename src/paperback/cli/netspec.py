"""Networks as one line of words.

    "conv 5x5x32, relu, maxpool 2, flatten, dense 128, relu, dense 10"

    conv 5x5x32 [stride s] [same|valid|full|pad p] [flip] [dilation d] [groups g]
                                                a 5x5 window to 32 channels; 5x32: one axis, 3x5x5x32: three
    convtranspose 4x4x32 [stride s] [pad p] [extra e] [dilation d]
    dense K                                     K outputs
    maxpool k [stride s] [same|valid|pad p] [ceil], and avgpool         k is 2 (two axes), 2x3 or 2x2x3
    globalavgpool  globalmaxpool  flatten  unflatten 4x4x2
    relu  leakyrelu [slope]  elu  gelu  silu  softplus  hardtanh  sigmoid  tanh  step  softmax  logsoftmax
    batchnorm  layernorm  groupnorm g  instancenorm  dropout r
    embedding VxE  positions  attention heads [causal]
    grey  finitedifferences  dct  blockdct N

A preset (`lenet`, `mlp`, `table`) is a network by itself.
"""

from __future__ import annotations

__all__ = ["network"]

from collections.abc import Callable
from typing import Any

from paperback.arguments import closest
from paperback.errors import ModelError
from paperback.learn.presets import PRESETS
from paperback.nn import layers
from paperback.nn.layers import (
    BatchNorm,
    BlockDCT,
    Dense,
    Dropout,
    Embedding,
    GroupNorm,
    Layer,
    LeakyReLU,
    MultiHeadAttention,
    PositionalEncoding,
    Sequential,
    Unflatten,
)
from paperback.nn.layers.window import PADDINGS


def network(text: str, input_shape: tuple[int, ...], classes: int, option: str = "--net") -> Sequential:
    """The net of a preset's name or of a list of layers; ModelError that names the option and the item otherwise."""
    word = text.strip().lower()
    if word in PRESETS:
        return PRESETS[word](input_shape, classes)
    items = [item.strip() for item in word.split(",")]
    return Sequential(*(_Item(number, item, option).layer() for number, item in enumerate(items, 1)))


class _Item:
    """One layer: its words are taken one by one, and none may be left."""

    def __init__(self, number: int, text: str, option: str) -> None:
        self.number = number
        self.option = option
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
            raise self.error(str(error)) from None
        if self.words:
            raise self.error(f"found {self.words[0]} after a whole layer", "put a comma between two layers")
        return layer

    def error(self, what: str, fix: str = "") -> ModelError:
        return _ItemError(f'{self.option}, item {self.number} "{self.text}": {what}' + (f"; {fix}" if fix else ""))

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
            name = "padding" if word in (*PADDINGS, "pad") else word
            if name in found:
                raise self.error(f"{name} is given twice", "leave one out")
            found[name] = word if word in PADDINGS else known[word]()
        return found

    def one_or_each(self, axes: int) -> int | tuple[int, ...]:
        each = f", or {axes} with x between" if axes > 1 else ""
        numbers = self.numbers(f"one whole number{each}", (1, axes))
        return numbers[0] if len(numbers) == 1 else numbers


def _conv(item: _Item) -> Layer:
    *kernel, filters = item.numbers("a window and channels, as 5x5x32", (2, 3, 4))
    each = _each(item, len(kernel))
    known = {"stride": each, "dilation": each, "pad": each, "flip": _true, **dict.fromkeys(PADDINGS, _true)}
    options = item.options(**known, groups=lambda: item.numbers("a number of groups", (1,))[0])
    layer: Layer = getattr(layers, f"Conv{len(kernel)}d")(filters, tuple(kernel), **options)
    return layer


def _transposed(item: _Item) -> Layer:
    *kernel, filters = item.numbers("a window and channels, as 4x4x32", (2, 3))
    each = _each(item, len(kernel))
    options = item.options(stride=each, dilation=each, pad=each, extra=each)
    options = {"output_padding" if name == "extra" else name: value for name, value in options.items()}
    layer: Layer = getattr(layers, f"ConvTranspose{len(kernel)}d")(filters, tuple(kernel), **options)
    return layer


def _pool(kind: str) -> Callable[[_Item], Layer]:
    def make(item: _Item) -> Layer:
        window = item.numbers("one whole number, or 2 or 3 with x between", (1, 2, 3))
        axes = max(len(window), 2)
        each = _each(item, axes)
        options = item.options(stride=each, pad=each, ceil=_true, same=_true, valid=_true)
        layer: Layer = getattr(layers, f"{kind}{axes}d")(window[0] if len(window) == 1 else window, **options)
        return layer

    return make


def _each(item: _Item, axes: int) -> Callable[[], int | tuple[int, ...]]:
    return lambda: item.one_or_each(axes)


def _true() -> bool:
    return True


def _leaky(item: _Item) -> Layer:
    return LeakyReLU(_number(item, "a slope")) if item.words else LeakyReLU()


def _number(item: _Item, what: str) -> float:
    word = item.words.pop(0) if item.words else ""
    try:
        return float(word)
    except ValueError:
        raise item.error(f"needs {what}, found {word or 'nothing'}", f"write for example {item.example}") from None


def _embedding(item: _Item) -> Layer:
    vocabulary, features = item.numbers("a vocabulary and features, as 1000x64", (2,))
    return Embedding(vocabulary, features)


def _attention(item: _Item) -> Layer:
    heads = item.numbers("the number of heads", (1,))[0]
    return MultiHeadAttention(heads, **item.options(causal=_true))


def _dropout(item: _Item) -> Layer:
    return Dropout(_number(item, "the share to leave out"))


def _plain(kind: Callable[[], Layer]) -> Callable[[_Item], Layer]:
    return lambda item: kind()


def _counted(kind: Callable[[int], Layer], what: str) -> Callable[[_Item], Layer]:
    return lambda item: kind(item.numbers(what, (1,))[0])


class _ItemError(ModelError):
    """An error that names its item already."""


_EXAMPLES = {
    "conv": "conv 5x5x32", "convtranspose": "convtranspose 4x4x32", "dense": "dense 10", "maxpool": "maxpool 2",
    "avgpool": "avgpool 2", "dropout": "dropout 0.5", "leakyrelu": "leakyrelu 0.1", "groupnorm": "groupnorm 4",
    "attention": "attention 4", "embedding": "embedding 1000x64", "unflatten": "unflatten 4x4x2",
    "blockdct": "blockdct 8",
}  # fmt: skip
_PLAIN = (
    "ELU GELU SiLU Softplus HardTanh ReLU Sigmoid Tanh Step Softmax LogSoftmax Flatten GlobalAvgPool GlobalMaxPool "
    "LayerNorm InstanceNorm Grey"
).split()
_LAYERS: dict[str, Callable[[_Item], Layer]] = {
    "conv": _conv,
    "convtranspose": _transposed,
    "dense": _counted(Dense, "the number of outputs"),
    "maxpool": _pool("MaxPool"),
    "avgpool": _pool("AvgPool"),
    "dropout": _dropout,
    "batchnorm": _plain(BatchNorm),
    **{kind.lower(): _plain(getattr(layers, kind)) for kind in _PLAIN},
    "leakyrelu": _leaky,
    "groupnorm": _counted(GroupNorm, "the number of groups"),
    "attention": _attention,
    "positions": _plain(PositionalEncoding),
    "embedding": _embedding,
    "unflatten": lambda item: Unflatten(item.numbers("a shape, as 4x4x2", (1, 2, 3, 4))),
    "finitedifferences": _plain(layers.FiniteDifferences),
    "dct": _plain(layers.DCT2d),
    "blockdct": _counted(BlockDCT, "the size of a block"),
}
