"""PyTorch, eager and compiled. Layouts and numbers of threads are variants: its best one counts."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from benchmarks import networks as n
from benchmarks.learn import Examples, Job

CORES = len(os.sched_getaffinity(0))
VARIANTS = [
    {"threads": threads, "channels_last": last} for threads in dict.fromkeys((CORES, 1)) for last in (False, True)
]
VERSION = f"PyTorch {torch.__version__}"


class Residual(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)


class MeanOverPlaces(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).mean(2)


def build(layers: Sequence[n.Layer], shape: n.Shape) -> nn.Sequential:
    conv, pool = [(nn.Conv1d, nn.MaxPool1d), (nn.Conv2d, nn.MaxPool2d)][max(len(shape) - 2, 0)]
    made: list[nn.Module] = []
    for layer in layers:
        match layer:
            case n.Conv(filters, kernel, stride, padding):
                made.append(conv(shape[-1], filters, kernel, stride=stride, padding=padding))
            case n.Dense(units):
                made.append(nn.Linear(shape[-1], units))
            case n.MaxPool(window):
                made.append(pool(window))
            case n.ReLU():
                made.append(nn.ReLU())
            case n.Flatten():
                made.append(nn.Flatten())
            case n.MeanOverPlaces():
                made.append(MeanOverPlaces())
            case n.Residual(inner):
                made.append(Residual(build(inner, shape)))
        shape = n.output_shape(layer, shape)
    return nn.Sequential(*made)


def channels_first(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1) if x.ndim > 2 else x))


def model(network: n.Network, channels_last: bool = False) -> nn.Sequential:
    """The network with the numbers that all frameworks start from; PyTorch flattens channels first."""
    net = build(network.layers, network.shape)
    before: n.Shape | None = None  # the shape that was flattened, for the dense layer after it
    parameters = iter(net.parameters())
    drawn = iter(n.weights(network))
    for layer, into, _ in n.chain(network.layers, network.shape):
        if isinstance(layer, n.Flatten):
            before = into
        if isinstance(layer, n.Conv | n.Dense):
            w, b = next(drawn)
            if isinstance(layer, n.Dense) and before:
                w = np.moveaxis(w.reshape(*before, -1), -2, 0).reshape(w.shape)
                before = None
            with torch.no_grad():
                next(parameters).copy_(torch.from_numpy(np.ascontiguousarray(np.moveaxis(w, (-1, -2), (0, 1)))))
                next(parameters).copy_(torch.from_numpy(b))
    return net.to(memory_format=torch.channels_last) if channels_last and len(network.shape) == 3 else net


def inputs(network: n.Network, x: np.ndarray, channels_last: bool) -> torch.Tensor:
    tensor = channels_first(x)
    last = channels_last and len(network.shape) == 3
    return tensor.contiguous(memory_format=torch.channels_last) if last else tensor


def train(
    network: n.Network, batch: int, lr: float, threads: int = CORES, channels_last: bool = False, compile: bool = False
) -> Callable[[int], float]:
    """A function that takes so many steps and returns the last loss."""
    torch.set_num_threads(threads)
    net = model(network, channels_last)
    batches = [(inputs(network, x, channels_last), torch.from_numpy(y)) for x, y in n.examples(network, batch)]
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)

    def loss_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(net(x), y)

    forward = torch.compile(loss_of, dynamic=False) if compile else loss_of
    update = torch.compile(optimizer.step) if compile else optimizer.step
    taken = 0

    def run(steps: int) -> float:
        nonlocal taken
        torch.set_num_threads(threads)
        for _ in range(steps):
            optimizer.zero_grad()
            loss = forward(*batches[taken % len(batches)])
            loss.backward()
            update()
            taken += 1
        return loss.item()

    return run


def infer(
    network: n.Network, batch: int, threads: int = CORES, channels_last: bool = False, compile: bool = False
) -> Callable[[int], float]:
    """A function that predicts so often and returns the sum of the last output's magnitudes."""
    torch.set_num_threads(threads)
    net = model(network, channels_last).eval()
    forward = torch.compile(net, dynamic=False) if compile else net
    x = inputs(network, n.examples(network, batch, 1)[0][0], channels_last)

    def run(times: int) -> float:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            for _ in range(times):
                y = forward(x)
        return y.abs().sum().item()

    return run


def learn(job: Job, train: Examples, test: Examples) -> tuple[int, float]:
    """(epochs, share of the held-out examples that are right) of a training; see `learn`."""
    net = model(job.network)
    optimizer = torch.optim.SGD(net.parameters(), lr=job.lr, momentum=job.momentum)
    (x, y), (held_x, held_y) = ((channels_first(images), torch.from_numpy(labels)) for images, labels in (train, test))
    torch.manual_seed(0)
    accuracy, epoch = 0.0, 0
    while epoch < job.epochs and accuracy < job.goal:
        for chosen in torch.randperm(len(x)).split(job.batch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[chosen]), y[chosen]).backward()
            optimizer.step()
        epoch += 1
        with torch.inference_mode():
            right = sum(
                int((net(part).argmax(1) == label).sum())
                for part, label in zip(held_x.split(256), held_y.split(256), strict=True)
            )
        accuracy = right / len(held_x)
    return epoch, accuracy
