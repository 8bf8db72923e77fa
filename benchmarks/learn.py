"""A whole process that trains a network from a file of examples: python -m benchmarks.learn pytorch digits data.npz

    digits   epochs until 98% of the held-out examples are right
    mnist    one epoch

The file has train_x, train_y, test_x and test_y, images of bytes. It prints epochs, accuracy and peak memory as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass

import numpy as np

from benchmarks import memory
from benchmarks.networks import Network, find

Examples = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Job:
    """Gradient descent with momentum on shuffled batches, up to so many epochs or the goal."""

    network: Network
    batch: int
    lr: float
    momentum: float
    epochs: int
    goal: float
    scale: float  # of a pixel's byte


JOBS = {
    "digits": Job(find("digits"), 32, 0.05, 0.9, 60, 0.98, 1 / 16),
    "mnist": Job(find("sheet"), 128, 0.05, 0.9, 1, 1.0, 1 / 255),
}


def main() -> None:
    module = importlib.import_module(f"benchmarks.{sys.argv[1]}")
    job = JOBS[sys.argv[2]]
    with np.load(sys.argv[3]) as data:
        train, test = (
            (data[f"{part}_x"].astype(np.float32)[..., None] * np.float32(job.scale), data[f"{part}_y"])
            for part in ("train", "test")
        )
    epochs, accuracy = module.learn(job, train, test)
    print(json.dumps({"epochs": epochs, "accuracy": accuracy, "memory": memory.peak()}))


if __name__ == "__main__":
    main()
