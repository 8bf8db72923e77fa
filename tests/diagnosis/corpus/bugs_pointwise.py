"""Mistakes in activations, masks and products entry by entry."""

from __future__ import annotations

import numpy as np
from tests.diagnosis.corpus.bug import plant
from tests.diagnosis.corpus.pointwise import KEEP, ROOT, sigmoid

# --- masks ---

plant("relu", "x", "mask-missing local-derivative-missing", "everything passes", lambda g, x: (g * 1,))
plant("relu", "x", "mask-wrong-side", "the negative side passes", lambda g, x: (g * (x < 0),))
plant(
    "relu",
    "x",
    "mask-extra mask-missing mask-wrong-side not-linear",
    "the mask is of the gradient",
    lambda g, x: (g * (g > 0),),
)
plant(
    "relu",
    "x",
    "mask-extra not-linear upstream-transformed",
    "only positive gradients pass",
    lambda g, x: (g * (x > 0) * (g > 0),),
)
plant("relu", "x", "mask-extra branch", "only what is above one passes", lambda g, x: (g * (x > 1),))
plant(
    "leaky relu", "x", "mask-missing branch local-derivative-missing", "the leak has slope one", lambda g, x: (g * 1,)
)
plant("leaky relu", "x", "mask-extra branch", "nothing leaks", lambda g, x: (g * (x > 0),))
plant("leaky relu", "x", "mask-wrong-side", "the slopes are exchanged", lambda g, x: (g * np.where(x > 0, 0.1, 1),))
plant("abs", "x", "branch local-derivative-missing mask-missing", "the sign is forgotten", lambda g, x: (g * 1,))
plant("abs", "x", "mask-extra branch", "the negative side is blocked", lambda g, x: (g * (x > 0),))
plant("clip", "x", "mask-missing local-derivative-missing", "everything passes", lambda g, x: (g * 1,))
plant("clip", "x", "mask-missing branch", "what is clipped below passes", lambda g, x: (g * (x < 1),))
plant("clip", "x", "mask-wrong-side", "what is clipped passes", lambda g, x: (g * (np.abs(x) >= 1),))
plant("dropout", "x", "mask-missing", "what was dropped passes", lambda g, x, kept: (g / KEEP, None))
plant(
    "dropout",
    "x",
    "mask-missing local-derivative-missing",
    "nothing happens in the backward",
    lambda g, x, kept: (g * 1, None),
)
plant(
    "dropout", "x", "mask-wrong-side", "what was dropped alone passes", lambda g, x, kept: (g * (1 - kept) / KEEP, None)
)
plant("dropout", "x", "factor", "it is not scaled", lambda g, x, kept: (g * kept, None))
plant("dropout", "x", "factor", "it is scaled twice", lambda g, x, kept: (g * kept / KEEP**2, None))

# --- another derivative ---

plant("sigmoid", "x", "wrong-derivative wrong-saved", "x (1 - x), of the input", lambda g, x: (g * x * (1 - x),))
plant("sigmoid", "x", "wrong-derivative missing-term wrong-saved", "y alone", lambda g, x: (g * sigmoid(x),))
plant("tanh", "x", "wrong-derivative wrong-saved", "1 - x squared, of the input", lambda g, x: (g * (1 - x**2),))
plant("tanh", "x", "wrong-derivative", "1 - y, the square forgotten", lambda g, x: (g * (1 - np.tanh(x)),))
plant(
    "tanh",
    "x",
    "wrong-derivative wrong-saved",
    "tanh is taken again of the output",
    lambda g, x: (g * (1 - np.tanh(np.tanh(x)) ** 2),),
)
plant(
    "gelu",
    "x",
    "missing-term wrong-derivative",
    "the inner derivative is forgotten",
    lambda g, x: (g * 0.5 * (1 + np.tanh(ROOT * (x + 0.044715 * x**3))),),
)
plant(
    "gelu",
    "x",
    "wrong-derivative",
    "the slope of x sigmoid(1.702 x)",
    lambda g, x: (g * (sigmoid(1.702 * x) + 1.702 * x * sigmoid(1.702 * x) * sigmoid(-1.702 * x)),),
)
plant(
    "silu", "x", "missing-term wrong-derivative", "the factor x is taken for constant", lambda g, x: (g * sigmoid(x),)
)
plant("softplus", "x", "wrong-derivative", "tanh for sigmoid", lambda g, x: (g * np.tanh(x),))
plant(
    "softplus",
    "x",
    "wrong-derivative sign mask-wrong-side argument-transformed",
    "sigmoid of -x",
    lambda g, x: (g * sigmoid(-x),),
)
plant("ratio", "y", "wrong-derivative", "1/y for 1/y squared", lambda g, x, y: (g / y, -g * x / y))
plant(
    "ratio",
    "y",
    "missing-term wrong-derivative wrong-saved argument-transformed",
    "x is forgotten",
    lambda g, x, y: (g / y, -g / y**2),
)
plant(
    "product",
    "x y",
    "wrong-saved forward-returned upstream-ignored",
    "the arguments are returned",
    lambda g, x, y: (x * 1, y * 1),
)
