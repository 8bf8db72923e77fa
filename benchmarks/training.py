"""Training steps per engine beside PyTorch eager, interleaved in one run: images per second and their ratio.

    python benchmarks/training.py [--rounds 9] [--engine numpy]

Both train the same network on the same batches: float32, SGD, softmax cross-entropy. A round is a block of steps of one
and then of the other; the table has the medians over the rounds and the median of the round-by-round ratios, which
holds on a machine whose speed drifts. PyTorch gets the same number of threads and its own layout (channels first).
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

import paperback as pb
from paperback import nn

Step = Callable[[], object]


def lenet(first: int, second: int, kernel: int, padding: str, dense: int) -> nn.Layer:
    return nn.Sequential(
        nn.Conv2d(first, kernel, padding=padding), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(second, kernel, padding=padding), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dense(dense), nn.ReLU(), nn.Dense(10),
    )  # fmt: skip


def torch_lenet(first: int, second: int, kernel: int, padding: str, dense: int) -> torch.nn.Module:
    t = torch.nn
    return t.Sequential(
        t.Conv2d(1, first, kernel, padding=padding), t.ReLU(), t.MaxPool2d(2),
        t.Conv2d(first, second, kernel, padding=padding), t.ReLU(), t.MaxPool2d(2),
        t.Flatten(), t.LazyLinear(dense), t.ReLU(), t.LazyLinear(10),
    )  # fmt: skip


def mlp() -> nn.Layer:
    return nn.Sequential(nn.Flatten(), nn.Dense(128), nn.ReLU(), nn.Dense(10))


def torch_mlp() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
    )


SHEET = (32, 64, 5, "valid", 128)
DIGITS = (16, 32, 3, "same", 64)
TABLE: list[tuple[str, Callable[[], nn.Layer], Callable[[], torch.nn.Module], tuple[int, int, int], int]] = [
    ("sheet network 28x28", lambda: lenet(*SHEET), lambda: torch_lenet(*SHEET), (28, 28, 1), 64),
    ("digits network 8x8", lambda: lenet(*DIGITS), lambda: torch_lenet(*DIGITS), (8, 8, 1), 64),
    ("MLP 784-128-10", mlp, torch_mlp, (28, 28, 1), 64),
]


def ours(net: nn.Layer, shape: tuple[int, int, int], x: np.ndarray, y: np.ndarray, engine: str) -> Step:
    model = pb.Model(net, shape, seed=0, engine=engine)
    step = model.train_step(loss="softmax_cross_entropy", optimizer=pb.optim.SGD(0.01))
    return lambda: step(x, y)


def theirs(net: torch.nn.Module, x: np.ndarray, y: np.ndarray) -> Step:
    images, labels = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(y)
    net(images)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()

    return step


def timed(step: Step, steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - start) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description="Training images per second beside PyTorch eager.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--engine", default="numpy")
    arguments = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    print(f"{platform.machine()}, {threads} threads, Python {platform.python_version()}, ", end="")
    print(f"NumPy {np.__version__}, PyTorch {torch.__version__}, {arguments.rounds} rounds\n")
    print(f"| network | batch | paperback ({arguments.engine}), images/s | PyTorch eager, images/s | ratio |")
    print("|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    for name, make, make_torch, shape, batch in TABLE:
        x = rng.random((batch, *shape), dtype=np.float32)
        y = rng.integers(0, 10, batch)
        a, b = ours(make(), shape, x, y, arguments.engine), theirs(make_torch(), x, y)
        steps = max(1, int(0.3 / min(timed(a, 3), timed(b, 3))))
        pairs = [(batch / timed(a, max(1, steps // 3)), batch / timed(b, steps)) for _ in range(arguments.rounds)]
        mine, other = (median(p[k] for p in pairs) for k in (0, 1))
        print(f"| {name} | {batch} | {mine:,.0f} | {other:,.0f} | {median(p / q for p, q in pairs):.2f} |")


if __name__ == "__main__":
    main()
