"""What a person chooses for the pages of layers: their groups, an example for each, and the settings worth seeing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """A layer, the shape of one example, an input (a batch of one), and which part of arrays is printed.

    view    of the result, and of the gradient unless `gradient_view` says another; at most two axes, as a blank line
            ends what a doctest expects
    wrt     whose gradient is printed;  v  what comes from above
    """

    layer: str
    shape: tuple[int, ...]
    x: str
    view: str = "[0]"
    wrt: str = "input"
    v: str = "np.ones_like(y)"
    gradient_view: str | None = None

    def code(self) -> Iterator[str]:
        """The lines of an interactive session: predict, then a gradient of sum(v*y)."""
        yield "import numpy as np"
        yield "import paperback as pb"
        yield f"layer = {self.layer}"
        yield f'model = pb.Model(layer, {self.shape}, dtype="float64", engine="numpy")'
        yield f"x = {self.x}"
        yield "y = model.predict(x)"
        yield f"y{self.view}.round(4)"
        yield f"gradients = model.vjp(x, {self.v})[1]"
        seen = self.view if self.gradient_view is None else self.gradient_view
        yield f'gradients["{self.wrt}"]{seen}.round(4)'


GROUPS = {
    "Dense and shape": ("Dense", "Flatten", "Unflatten", "Permute"),
    "Convolution": ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d"),
    "Pooling": (
        "MaxPool1d", "MaxPool2d", "MaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "GlobalAvgPool", "GlobalMaxPool",
    ),
    "Activations": (
        "ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Softplus", "Sigmoid", "Tanh", "HardTanh", "Step", "Identity",
        "Softmax", "LogSoftmax",
    ),
    "Normalisation and dropout": ("BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm", "Dropout"),
    "Sequences": ("Embedding", "PositionalEncoding", "MultiHeadAttention"),
    "Combining layers": ("Sequential", "Residual", "Add", "Multiply", "Parallel"),
    "Given weights": ("FixedConv", "FiniteDifferences", "Grey", "DCT1d", "DCT2d", "BlockDCT"),
    "Your own": ("Formula",),
}  # fmt: skip

_NUMBERS = "np.array([[-2.0, -0.5, 0.0, 1.0, 3.0]])"
_IMAGE = "np.arange(16.0).reshape(1, 4, 4, 1)"
_SPREAD = "(np.arange(16.0) ** 2).reshape(1, 4, 4, 1)"
_FIRST = "np.eye(1, y.size).reshape(y.shape)"  # the gradient of the first result
_CHANNEL = "[0, :, :, 0]"
_SIGNAL = "np.array([[1.0, 3.0, 2.0, 5.0, 4.0, 0.0]]).reshape(1, 6, 1)"
_ONE = "[0, :, 0]"


def _activation(name: str) -> Example:
    return Example(f"pb.nn.{name}()", (5,), _NUMBERS)


EXAMPLES = {
    "Dense": Example(
        "pb.nn.Dense(2, init=pb.nn.Values([[1, 2], [3, 4], [5, 6]]))", (3,), "np.array([[1.0, 0.0, -1.0]])"
    ),
    "Flatten": Example("pb.nn.Flatten()", (2, 3, 1), "np.arange(6.0).reshape(1, 2, 3, 1)", gradient_view=_CHANNEL),
    "Unflatten": Example("pb.nn.Unflatten((2, 3, 1))", (6,), "np.arange(6.0).reshape(1, 6)", _CHANNEL,
                         gradient_view="[0]"),
    "Permute": Example("pb.nn.Permute((1, 0))", (2, 3), "np.arange(6.0).reshape(1, 2, 3)"),
    "Conv1d": Example("pb.nn.Conv1d(1, 3, init=pb.nn.Values([[[1]], [[2]], [[4]]]))", (6, 1), _SIGNAL, _ONE),
    "Conv2d": Example("pb.nn.Conv2d(1, 2, init=pb.nn.Values([[[[1]], [[2]]], [[[3]], [[4]]]]))", (4, 4, 1), _IMAGE,
                      _CHANNEL),
    "Conv3d": Example("pb.nn.Conv3d(1, 2, init=pb.nn.Ones())", (2, 3, 3, 1), "np.arange(18.0).reshape(1, 2, 3, 3, 1)",
                      "[0, 0, :, :, 0]"),
    "ConvTranspose1d": Example(
        "pb.nn.ConvTranspose1d(1, 3, stride=2, init=pb.nn.Values([[[1]], [[2]], [[4]]]))", (3, 1),
        "np.array([1.0, 10.0, 100.0]).reshape(1, 3, 1)", _ONE,
    ),
    "ConvTranspose2d": Example(
        "pb.nn.ConvTranspose2d(1, 2, stride=2, init=pb.nn.Values([[[[1]], [[2]]], [[[3]], [[4]]]]))", (2, 2, 1),
        "np.array([1.0, 10.0, 100.0, 1000.0]).reshape(1, 2, 2, 1)", _CHANNEL,
    ),
    "MaxPool1d": Example("pb.nn.MaxPool1d(2)", (6, 1), _SIGNAL, _ONE),
    "MaxPool2d": Example("pb.nn.MaxPool2d(2)", (4, 4, 1), _IMAGE, _CHANNEL),
    "MaxPool3d": Example("pb.nn.MaxPool3d(2)", (2, 2, 4, 1), "np.arange(16.0).reshape(1, 2, 2, 4, 1)",
                         "[0, 0, :, :, 0]"),
    "AvgPool1d": Example("pb.nn.AvgPool1d(2)", (6, 1), _SIGNAL, _ONE),
    "AvgPool2d": Example("pb.nn.AvgPool2d(2)", (4, 4, 1), _IMAGE, _CHANNEL),
    "AvgPool3d": Example("pb.nn.AvgPool3d(2)", (2, 2, 4, 1), "np.arange(16.0).reshape(1, 2, 2, 4, 1)",
                         "[0, 0, :, :, 0]"),
    "GlobalAvgPool": Example("pb.nn.GlobalAvgPool()", (2, 2, 2), "np.arange(8.0).reshape(1, 2, 2, 2)",
                             gradient_view=_CHANNEL),
    "GlobalMaxPool": Example("pb.nn.GlobalMaxPool()", (2, 2, 2), "np.arange(8.0).reshape(1, 2, 2, 2)",
                             gradient_view=_CHANNEL),
    **{
        name: _activation(name)
        for name in (
            "ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Softplus", "Sigmoid", "Tanh", "HardTanh", "Step", "Identity",
        )
    },
    "Softmax": Example("pb.nn.Softmax()", (5,), _NUMBERS, v=_FIRST),
    "LogSoftmax": Example("pb.nn.LogSoftmax()", (5,), _NUMBERS, v=_FIRST),
    "BatchNorm": Example("pb.nn.BatchNorm()", (4, 4, 2), "np.arange(32.0).reshape(1, 4, 4, 2)", _CHANNEL),
    "LayerNorm": Example("pb.nn.LayerNorm()", (5,), _NUMBERS, v=_FIRST),
    "GroupNorm": Example("pb.nn.GroupNorm(2)", (2, 2, 4), "np.arange(16.0).reshape(1, 2, 2, 4)", _CHANNEL, v=_FIRST),
    "InstanceNorm": Example("pb.nn.InstanceNorm()", (4, 4, 1), _IMAGE, _CHANNEL, v=_FIRST),
    "Dropout": Example("pb.nn.Dropout(0.5)", (5,), _NUMBERS),
    "Embedding": Example("pb.nn.Embedding(3, 2, init=pb.nn.Values([[1, 2], [3, 4], [5, 6]]))", (4,),
                         "np.array([[0, 2, 2, 1]])", wrt="embedding_1.w", gradient_view=""),
    "PositionalEncoding": Example("pb.nn.PositionalEncoding()", (3, 4), "np.zeros((1, 3, 4))"),
    "MultiHeadAttention": Example("pb.nn.MultiHeadAttention(1, init=pb.nn.Constant(0.5))", (3, 2),
                                  "np.array([[[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]]])"),
    "Sequential": Example("pb.nn.Sequential(pb.nn.Dense(2, init=pb.nn.Ones()), pb.nn.ReLU())", (5,), _NUMBERS),
    "Residual": Example("pb.nn.Residual(pb.nn.Tanh())", (5,), _NUMBERS),
    "Add": Example("pb.nn.Add(pb.nn.Identity(), pb.nn.ReLU())", (5,), _NUMBERS),
    "Multiply": Example("pb.nn.Multiply(pb.nn.Identity(), pb.nn.Sigmoid())", (5,), _NUMBERS),
    "Parallel": Example("pb.nn.Parallel(pb.nn.ReLU(), pb.nn.Dense(1, init=pb.nn.Ones()))", (5,), _NUMBERS),
    "FixedConv": Example("pb.nn.FixedConv([[1, 0, -1]])", (4, 4, 1), _IMAGE, _CHANNEL),
    "FiniteDifferences": Example("pb.nn.FiniteDifferences()", (4, 4, 1), _IMAGE, _CHANNEL),
    "Grey": Example("pb.nn.Grey()", (3,), "np.array([[1.0, 0.5, 0.0]])"),
    "DCT1d": Example("pb.nn.DCT1d()", (6, 1), _SIGNAL, _ONE, v=_FIRST),
    "DCT2d": Example("pb.nn.DCT2d()", (4, 4, 1), _SPREAD, _CHANNEL, v=_FIRST),
    "BlockDCT": Example("pb.nn.BlockDCT()", (4, 4, 1), _SPREAD, _CHANNEL),
    "Formula": Example(
        'pb.nn.Formula("y[o] = sum(i) x[i]*w[i,o]", {"w": pb.nn.Ones()}, {"O": 2})', (5,), _NUMBERS
    ),
}  # fmt: skip

# Layers whose formula shows a setting; with the shape of one example where it matters.
VARIANTS: dict[str, list[tuple[str, tuple[int, ...]]]] = {
    "Permute": [("Permute((1, 2, 0))", ())],
    "Dense": [("Dense(2, bias=False)", ())],
    "Flatten": [("Flatten()", (6,)), ("Flatten()", (6, 2)), ("Flatten()", (3, 4, 5, 2))],
    "Conv1d": [("Conv1d(4, 3, stride=2, dilation=3)", ()), ('Conv1d(4, 3, padding="same")', ()),
               ("Conv1d(4, 3, padding=((2, 0),))", ()), ("Conv1d(4, 3, flip=True)", ()),
               ("Conv1d(4, 3, groups=2)", (9, 2)), ('Conv1d(4, 3, bias="position")', (9, 2))],
    "Conv2d": [("Conv2d(4, 3, stride=2)", ()), ('Conv2d(4, 3, padding="same")', ()), ("Conv2d(4, 3, dilation=2)", ()),
               ("Conv2d(4, 3, flip=True)", ()), ("Conv2d(4, 3, groups=2)", (9, 9, 2)),
               ('Conv2d(4, 3, bias="position")', (9, 9, 2))],
    "Conv3d": [('Conv3d(4, 3, stride=2, padding="full")', ())],
    "ConvTranspose1d": [("ConvTranspose1d(4, 3, stride=2, padding=1, output_padding=1)", ())],
    "ConvTranspose2d": [("ConvTranspose2d(4, 3, stride=2, padding=1, output_padding=1)", ())],
    "MaxPool1d": [("MaxPool1d(3, 2, padding=1)", (9, 1)), ("MaxPool1d(3, ceil=True)", (10, 1))],
    "MaxPool2d": [("MaxPool2d(3, 2, padding=1)", (9, 9, 1)), ("MaxPool2d(3, ceil=True)", (10, 10, 1)),
                  ("MaxPool2d(output=2)", (8, 8, 1))],
    "AvgPool1d": [("AvgPool1d(3, 2, padding=1)", (9, 1))],
    "AvgPool2d": [("AvgPool2d(3, 2, padding=1)", (9, 9, 1)), ("AvgPool2d(3, ceil=True)", (10, 10, 1))],
    "GlobalAvgPool": [("GlobalAvgPool()", (6, 2)), ("GlobalAvgPool()", (3, 4, 5, 2))],
    "LeakyReLU": [("LeakyReLU(2)", ())],
    "Step": [("Step(at_zero=0)", ())],
    "BatchNorm": [("BatchNorm()", (5,)), ("BatchNorm()", (6, 2))],
    "LayerNorm": [("LayerNorm(affine=False)", ())],
    "InstanceNorm": [("InstanceNorm(affine=True)", (6, 2))],
    "MultiHeadAttention": [("MultiHeadAttention(2, causal=True, bias=False)", (3, 4))],
    "FixedConv": [("FixedConv([[1, 0, -1]], flip=True)", (4, 4, 1)), ("FixedConv([1, 2, 1], stride=2)", (9, 1))],
    "DCT1d": [('DCT1d("raw")', ()), ("DCT1d(inverse=True)", ())],
    "DCT2d": [('DCT2d("raw")', ()), ('DCT2d("double")', ()), ('DCT2d("root")', ()), ("DCT2d(inverse=True)", ())],
    "BlockDCT": [("BlockDCT(2, inverse=True)", ())],
}  # fmt: skip
