"""The networks that are measured: each is described once, and every framework builds it from that description.

A network is a chain of layers for examples of one shape, channels last. `weights` draws the numbers from which every
framework starts, with the axes in this library's order: kernels `[..., in, out]`, dense weights `[in, out]`, and
flatten in the order rows, columns, channels.
"""

from __future__ import annotations

__all__ = [
    "BATCHES", "EVERY", "NETWORKS", "SCALED", "Conv", "Dense", "Flatten", "MaxPool", "MeanOverPlaces", "Network",
    "ReLU", "Residual", "chain", "convolutional", "epoch", "examples", "find", "is_minimal",
    "multiply_adds", "output_shape",
    "weights",
]  # fmt: skip

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Conv:
    """Cross-correlation over all axes but the last, the same kernel, stride and padding on each."""

    filters: int
    kernel: int
    stride: int = 1
    padding: int = 0


@dataclass(frozen=True)
class Dense:
    units: int


@dataclass(frozen=True)
class MaxPool:
    window: int


@dataclass(frozen=True)
class ReLU:
    pass


@dataclass(frozen=True)
class Flatten:
    pass


@dataclass(frozen=True)
class MeanOverPlaces:
    """One number per channel."""


@dataclass(frozen=True)
class Residual:
    """y = x + f(x)."""

    layers: tuple[Layer, ...]


Layer = Conv | Dense | MaxPool | ReLU | Flatten | MeanOverPlaces | Residual


@dataclass(frozen=True)
class Network:
    """`title` is what tables call it."""

    title: str
    shape: Shape
    layers: tuple[Layer, ...]
    classes: int = 10


def convolutional(filters: Sequence[int], kernel: int, hidden: Sequence[int], padding: int = 0, pool: int = 2) -> tuple[
    Layer, ...
]:  # fmt: skip
    """Convolution, ReLU and max-pooling for each number of filters; dense and ReLU for each hidden size; 10 scores."""
    layers: list[Layer] = []
    for count in filters:
        layers += [Conv(count, kernel, padding=padding), ReLU(), MaxPool(pool)]
    layers.append(Flatten())
    for units in hidden:
        layers += [Dense(units), ReLU()]
    return (*layers, Dense(10))


def _block(filters: int) -> Residual:
    return Residual((Conv(filters, 3, padding=1), ReLU(), Conv(filters, 3, padding=1)))


NETWORKS = {
    "sheet": Network("sheet's network, 28x28", (28, 28, 1), convolutional([32, 64], 5, [128])),
    "lenet5": Network("LeNet-5, 28x28", (28, 28, 1), convolutional([6, 16], 5, [120, 84])),
    "digits": Network("digits, 8x8", (8, 8, 1), convolutional([16, 32], 3, [64], padding=1)),
    "mlp": Network("MLP 784-128-10", (784,), (Dense(128), ReLU(), Dense(10))),
    "strided": Network(
        "3x3 with strides, 32x32x3", (32, 32, 3),
        (Conv(32, 3, padding=1), ReLU(), Conv(64, 3, 2, 1), ReLU(), Conv(64, 3, 2, 1), ReLU(), Flatten(), Dense(10)),
    ),
    "residual": Network(
        "residual, 32x32x3", (32, 32, 3),
        (
            Conv(16, 3, padding=1), ReLU(), _block(16), ReLU(), Conv(32, 3, 2, 1), ReLU(), _block(32), ReLU(),
            MeanOverPlaces(), Dense(10),
        ),
    ),
    "signal": Network("1-D, signals of 1,000", (1000, 1), convolutional([16, 32], 9, [64], pool=4)),
    "tiny": Network("tiny, to try the commands with", (6, 6, 1), convolutional([2], 3, [3])),
}  # fmt: skip


BATCHES = (1, 8, 32, 128, 512)
EVERY = [(name, batch) for name in NETWORKS if name != "tiny" for batch in BATCHES]

# The sheet's network for images of other sizes, and with other numbers of filters.
SCALED = {
    **{
        f"size{n}": Network(f"sheet's network, {n}x{n}", (n, n, 1), convolutional([32, 64], 5, [128]))
        for n in (16, 28, 56, 112)
    },
    **{
        f"filters{k}": Network(f"sheet's, {k} and {2 * k} filters", (28, 28, 1), convolutional([k, 2 * k], 5, [128]))
        for k in (8, 16, 32, 64)
    },
}


def find(name: str) -> Network:
    """The network of this name."""
    return {**NETWORKS, **SCALED}[name]


def output_shape(layer: Layer, shape: Shape) -> Shape:
    match layer:
        case Conv(filters, kernel, stride, padding):
            return (*((n + 2 * padding - kernel) // stride + 1 for n in shape[:-1]), filters)
        case Dense(units):
            return (units,)
        case MaxPool(window):
            return (*(n // window for n in shape[:-1]), shape[-1])
        case Flatten():
            return (prod(shape),)
        case MeanOverPlaces():
            return shape[-1:]
    return shape


def chain(layers: Sequence[Layer], shape: Shape) -> Iterator[tuple[Layer, Shape, Shape]]:
    """Every layer in the order in which it runs, branches opened, with the shapes that go in and come out."""
    for layer in layers:
        if isinstance(layer, Residual):
            yield from chain(layer.layers, shape)
        out = output_shape(layer, shape)
        yield layer, shape, out
        shape = out


def weights(network: Network, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """(w, b) of every layer that has them, in order: He's normal weights, and biases that are not all zero."""
    rng = np.random.default_rng(seed)
    drawn = []
    for layer, into, out in chain(network.layers, network.shape):
        if isinstance(layer, Conv | Dense):
            kernel = (layer.kernel,) * (len(into) - 1) if isinstance(layer, Conv) else ()
            w = rng.standard_normal((*kernel, into[-1], out[-1])) * np.sqrt(2 / (prod(kernel) * into[-1]))
            drawn.append((w.astype(np.float32), 0.1 * rng.standard_normal(out[-1], dtype=np.float32)))
    return drawn


def examples(network: Network, batch: int, count: int = 4, seed: int = 1) -> list[tuple[np.ndarray, np.ndarray]]:
    """Batches (x, y) of random examples, which training takes in turns."""
    rng = np.random.default_rng(seed)
    return [
        (rng.random((batch, *network.shape), dtype=np.float32), rng.integers(0, network.classes, batch))
        for _ in range(count)
    ]


def epoch(network: Network, batch: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The batches of `examples`, up to eight times, for steps that are taken in one go: as many as fill a megabyte."""
    batches = examples(network, batch)
    size = sum(x.nbytes for x, _ in batches)
    return batches * max(1, min(8, (1 << 20) // size))


def multiply_adds(network: Network, done: bool = False) -> int:
    """Multiplications and additions of one example's training step, as pairs, in convolutions and dense layers.

    Forward, gradient of the weights, and gradient of the input but for the first layer: the three cost the same.
    `done` counts those that are left: of a convolution's gradients where max-pooling makes most of them zero, and
    forward in Winograd's forms with the transforms of tiles, where those are used.
    """
    total, first = 0, True
    layers = list(chain(network.layers, network.shape))
    for place, (layer, into, out) in enumerate(layers):
        if isinstance(layer, Conv | Dense):
            forward = prod(out) * into[-1] * (layer.kernel ** (len(into) - 1) if isinstance(layer, Conv) else 1)
            pools = [after for after, _, _ in layers[place + 1 : place + 3] if isinstance(after, MaxPool)]
            share = pools[0].window ** (len(into) - 1) if done and pools and isinstance(layer, Conv) else 1
            backward = (1 if first else 2) * forward // share
            if done and isinstance(layer, Conv) and is_minimal(layer, into, out):
                forward = _in_tiles(layer, into, out)
            total += forward + backward
            first = False
    return total


_FORMS = {(3, 1): (4, 8, 6), (5, 1): (6, 22, 10), (3, 2): (5, 7, 6), (5, 2): (7, 13, 10)}
"""By kernel and stride: products along the side of a tile; entries that are not 0 of its matrix and of the results'."""


def _in_tiles(layer: Conv, into: Shape, out: Shape) -> int:
    """Of the products for tiles of 2x2 results, and of what takes tiles there and back."""
    side, there, back = _FORMS[layer.kernel, layer.stride]
    each = side**2 * into[-1] * layer.filters + there * 2 * side * into[-1] + back * (side + 2) * layer.filters
    return prod(out[:2]) // 4 * each


def is_minimal(layer: Conv, into: Shape, out: Shape) -> bool:
    """Does the compiled engine use Winograd's forms, of 2x2 results? See docs/engines.md."""
    even = len(into) == 3 and not any(n % 2 for n in out[:2])
    side, *_ = _FORMS.get((layer.kernel, layer.stride), (0,))
    many = min(into[-1], layer.filters) >= 16 and side**2 * into[-1] * layer.filters <= 1 << 18
    return even and side > 0 and many
