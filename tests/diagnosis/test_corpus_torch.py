"""The right gradients of the corpus are those of PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.diagnosis.corpus.operation import difference, draw  # noqa: E402
from tests.diagnosis.corpus.operations import OPERATIONS  # noqa: E402
from tests.diagnosis.corpus.pytorch import IN_PYTORCH  # noqa: E402


def test_every_operation_is_there() -> None:
    assert list(IN_PYTORCH) == list(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_forward_and_gradients_are_those_of_pytorch(name: str) -> None:
    operation = OPERATIONS[name]
    rng = np.random.default_rng(3)
    arguments = operation.sample(rng)
    tensors = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in arguments]
    made = IN_PYTORCH[name](*tensors)
    y = operation.forward(*arguments)
    g = draw(y, rng)
    outputs, parts, seeds = (v if isinstance(v, tuple) else (v,) for v in (made, y, g))
    for output, part in zip(outputs, parts, strict=True):
        assert difference(output.detach().numpy(), np.asarray(part)) < 1e-12
    torch.autograd.backward(outputs, [torch.tensor(seed) for seed in seeds])
    for d, tensor in zip(operation.backward(g, *arguments), tensors, strict=True):
        assert (d is None) == (not tensor.requires_grad)
        assert d is None or difference(d, tensor.grad.numpy()) < 1e-11
