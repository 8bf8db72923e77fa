"""A case made: arrays for one configuration of a layer, and the program that gives output and all gradients."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.nn.case import Case, arrays  # noqa: E402
from tests.nn.pytorch import in_pytorch  # noqa: E402

from paperback.engines import compile_program  # noqa: E402
from paperback.nn.network import Network, build  # noqa: E402
from paperback.program.backward import gradients, prune  # noqa: E402

SEED = "seed"


class Sample:
    """A case made: its network, inputs, a cotangent, and the program that gives output and gradients."""

    def __init__(self, case: Case) -> None:
        self.case = case
        rng = np.random.default_rng(zlib.crc32(case.id.encode()))
        self.network: Network = build(case.layer, case.shape)
        self.given = arrays(self.network, rng, case.batch, case.values)
        ids = self.network.train.tensors["input"].integer  # an id has no derivative
        self.wrt = [*([] if ids else ["input"]), *self.network.parameters]
        program, self.held = gradients(self.network.train, self.network.output, self.wrt, cotangent=SEED)
        outputs = tuple(dict.fromkeys((self.network.output, *self.held.values())))
        self.program = prune(replace(program, outputs=outputs, updates={}))
        self.cotangent = rng.integers(-8, 9, (case.batch, *self.network.output_shape)) / 8

    def run(self, given: Mapping[str, Any], engine: str = "numpy", dtype: str = "float64") -> dict[str, Any]:
        seeded = {**given, SEED: self.cotangent}
        needed = {tensor.name for tensor in self.program.inputs}
        return compile_program(self.program, dtype, engine)({k: v for k, v in seeded.items() if k in needed})

    def gradients(self, given: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        result = self.run(given, **options)
        return {name: result[self.held[name]] for name in self.wrt}

    def forward(self, given: Mapping[str, Any]) -> np.ndarray:
        program = prune(replace(self.network.train, updates={}))
        needed = {tensor.name for tensor in program.inputs}
        return compile_program(program, "float64", "numpy")({k: v for k, v in given.items() if k in needed})[
            self.network.output
        ]

    def pytorch(self, dtype: str = "float64") -> dict[str, np.ndarray]:
        """What PyTorch computes in place of `run`, by the same names."""
        given = {name: x if x.dtype.kind == "i" else x.astype(dtype) for name, x in self.given.items()}
        tensors = {name: torch.tensor(x, requires_grad=name in self.wrt) for name, x in given.items()}
        output = in_pytorch(self.case.layer, tensors["input"], tensors)
        output.backward(torch.from_numpy(self.cotangent.astype(dtype)))
        found = {self.network.output: output.detach().numpy()}
        for name in self.wrt:
            gradient = tensors[name].grad
            found[self.held[name]] = np.zeros(tensors[name].shape, dtype) if gradient is None else gradient.numpy()
        return found
