"""How each array library spells an array operation: one small table a library.

    numpy     np.where(mask, x, 0)       x.sum(axis=1)    dx[p : p + I] += v
    torch     torch.where(mask, x, 0)    x.sum(dim=1)     dx[p : p + I] += v
    jax       jnp.where(mask, x, 0)      x.sum(axis=1)    dx = dx.at[p : p + I].add(v)
"""

from __future__ import annotations

__all__ = ["DIALECTS", "Dialect"]

from collections.abc import Mapping, Sequence

from paperback.engines.emit.values import call_arguments

Widths = Sequence[tuple[str, str]]


class Dialect:
    """The words of one library; what they share is spelled as NumPy does."""

    name = "numpy"
    np = "np"
    imports: Mapping[str, str] = {"np.": "import numpy as np"}
    transpose = "transpose"
    strided = True  # are there negative steps, and windows as views?
    functions: Mapping[str, str] = {}
    helpers: Mapping[str, str] = {}  # name -> the source of a function that the emitted text needs

    def call(self, function: str, *arguments: str) -> str:
        return self.functions[function].format(*arguments)

    def number(self, text: str, like: str) -> str:
        """A number of Python's as an array of the dtype of `like`."""
        return f"{like}.dtype.type({text})"

    def arange(self, count: str, like: str) -> str:
        return f"{self.np}.arange({count})"

    def cast(self, text: str, like: str) -> str:
        return f"{text}.astype({like}.dtype)"

    def copy(self, text: str) -> str:
        """An array that is not the one that came in."""
        return f"{text}.copy()"

    def where(self, mask: str, value: str, other: str) -> str:
        return f"{self.np}.where({mask}, {value}, {other})"

    def reduced(self, op: str, text: str, axes: Sequence[int]) -> str:
        return f"{text}.{op}(axis={_axes(axes)})"

    def argmax(self, op: str, text: str) -> str:
        return f"{text}.{op}(axis=-1)"

    def logsumexp(self, text: str, axes: Sequence[int]) -> str:
        return f"_logsumexp({text}, axis={_axes(axes)})"

    def einsum(self, spec: str, operands: Sequence[str]) -> str:
        return f'{self.np}.einsum("{spec}", {", ".join(operands)}, optimize=True)'

    def pad(self, text: str, widths: Widths, value: str) -> str:
        pairs = ", ".join(f"({low}, {high})" for low, high in widths)
        fill = "" if value == "0" else f", constant_values={value}"
        return f"{self.np}.pad({text}, ({pairs}{',' if len(widths) == 1 else ''}){fill})"

    def windows(self, text: str, axes: Sequence[int], sizes: Sequence[str]) -> str:
        if len(axes) == 1:
            return f"sliding_window_view({text}, {sizes[0]}, axis={axes[0]})"
        return f"sliding_window_view({text}, ({', '.join(sizes)}), axis=({', '.join(map(str, axes))}))"

    def flip(self, text: str, axis: int) -> str:
        return f"{text}[{':, ' * axis}::-1]"

    def full(self, shape: Sequence[str], value: str, like: str) -> str:
        if value == "0":
            return f"{self.np}.zeros({call_arguments(shape)}, dtype={like}.dtype)"
        return f"{self.np}.full({call_arguments(shape)}, {value}, dtype={like}.dtype)"

    def broadcast(self, text: str, shape: Sequence[str]) -> str:
        return f"np.broadcast_to({text}, {call_arguments(shape)}).copy()"

    def store(self, target: str, index: str, value: str, add: bool) -> str:
        """The statement that adds a value to a part of the target, or puts it there."""
        return f"{target}[{index}] {'+=' if add else '='} {value}"

    def scatter(self, target: str, places: str, value: str, rank: int) -> str:
        """The statement that adds rows of a value at places that may repeat."""
        return f"np.add.at({target}, {places}, {value})"

    def clip(self, text: str, last: str) -> str:
        return f"{self.np}.clip({text}, 0, {last})"


def _axes(axes: Sequence[int]) -> str:
    return str(axes[0]) if len(axes) == 1 else f"({', '.join(map(str, axes))})"


_SHARED = "exp log log1p expm1 sqrt sin cos tan sinh cosh tanh abs sign isnan".split()


class NumPy(Dialect):
    imports = {
        "np.": "import numpy as np",
        "sliding_window_view": "from numpy.lib.stride_tricks import sliding_window_view",
    }
    functions = {
        **{name: f"np.{name}({{}})" for name in _SHARED},
        "rsqrt": "1 / np.sqrt({})", "sigmoid": "_sigmoid({})", "softplus": "np.logaddexp({}, 0)",
        "relu": "np.maximum({}, 0)", "erf": "_erf({})", "max": "np.maximum({}, {})", "min": "np.minimum({}, {})",
        "pi": "np.pi", "inf": "np.inf",
    }  # fmt: skip
    helpers = {
        "_sigmoid": '''def _sigmoid(x):
    """1 / (1 + exp(-x)), without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)''',
        "_logsumexp": '''def _logsumexp(x, axis):
    """log(sum(exp(x))), without overflow; -inf where every x is."""
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(x - top).sum(axis=axis)) + top.squeeze(axis=axis)''',
        "_erf": '''def _erf(x):
    """2/sqrt(pi) * exp(-x^2) * sum(n) x * (2 x^2)^n / (1*3*...*(2n+1)), no term of it negative."""
    z = np.clip(x, -6, 6)
    total = term = z
    for n in range(1, 120):
        term = term * (2 * z * z / (2 * n + 1))
        total = total + term
    return np.where(np.abs(x) >= 6, np.sign(x), 2 / np.pi**0.5 * np.exp(-z * z) * total)''',
    }


class Torch(Dialect):
    name = "torch"
    np = "torch"
    imports = {"torch.": "import torch", "F.": "import torch.nn.functional as F"}
    transpose = "permute"
    strided = False
    functions = {
        **{name: f"torch.{name}({{}})" for name in _SHARED},
        "rsqrt": "torch.rsqrt({})", "sigmoid": "torch.sigmoid({})", "softplus": "-F.logsigmoid(-{})",
        "relu": "torch.relu({})", "erf": "torch.erf({})", "max": "torch.maximum({}, {})",
        "min": "torch.minimum({}, {})", "pi": "torch.pi", "inf": "torch.inf",
    }  # fmt: skip

    def number(self, text: str, like: str) -> str:
        return f"torch.as_tensor({text}, dtype={like}.dtype, device={like}.device)"

    def arange(self, count: str, like: str) -> str:
        return f"torch.arange({count}, device={like}.device)"

    def cast(self, text: str, like: str) -> str:
        return f"{text}.to({like}.dtype)"

    def copy(self, text: str) -> str:
        return f"{text}.clone()"

    def reduced(self, op: str, text: str, axes: Sequence[int]) -> str:
        word = {"max": "amax", "min": "amin"}.get(op, op)
        return f"{text}.{word}(dim={_axes(axes)})"

    def argmax(self, op: str, text: str) -> str:
        return f"{text}.{op}(dim=-1)"

    def logsumexp(self, text: str, axes: Sequence[int]) -> str:
        return f"torch.logsumexp({text}, dim={_axes(axes)})"

    def einsum(self, spec: str, operands: Sequence[str]) -> str:
        return f'torch.einsum("{spec}", {", ".join(operands)})'

    def pad(self, text: str, widths: Widths, value: str) -> str:
        pairs = list(widths)
        while pairs[0] == ("0", "0"):
            pairs.pop(0)
        flat = ", ".join(w for pair in reversed(pairs) for w in pair)
        return f"F.pad({text}, ({flat}){'' if value == '0' else f', value={value}'})"

    def windows(self, text: str, axes: Sequence[int], sizes: Sequence[str]) -> str:
        return text + "".join(f".unfold({axis}, {size}, 1)" for axis, size in zip(axes, sizes, strict=True))

    def flip(self, text: str, axis: int) -> str:
        return f"{text}.flip({axis})"

    def full(self, shape: Sequence[str], value: str, like: str) -> str:
        if value == "0":
            return f"{like}.new_zeros({call_arguments(shape)})"
        return f"{like}.new_full({call_arguments(shape)}, {value})"

    def broadcast(self, text: str, shape: Sequence[str]) -> str:
        return f"torch.broadcast_to({text}, {call_arguments(shape)})"

    def scatter(self, target: str, places: str, value: str, rank: int) -> str:
        if rank == 1:
            return f"{target}.index_add_(0, {places}, {value})"
        return f"{target}.index_put_(({places},), {value}, accumulate=True)"

    def clip(self, text: str, last: str) -> str:
        return f"torch.clamp({text}, 0, {last})"


class Jax(Dialect):
    name = "jax"
    np = "jnp"
    imports = {"jax.": "import jax", "jnp.": "import jax.numpy as jnp"}
    functions = {
        **{name: f"jnp.{name}({{}})" for name in _SHARED},
        "rsqrt": "jax.lax.rsqrt({})", "sigmoid": "jax.nn.sigmoid({})", "softplus": "jax.nn.softplus({})",
        "relu": "jax.nn.relu({})", "erf": "jax.lax.erf({})", "max": "jnp.maximum({}, {})",
        "min": "jnp.minimum({}, {})", "pi": "jnp.pi", "inf": "jnp.inf",
    }  # fmt: skip

    def number(self, text: str, like: str) -> str:
        return f"jnp.asarray({text}, {like}.dtype)"

    def copy(self, text: str) -> str:
        return text

    def logsumexp(self, text: str, axes: Sequence[int]) -> str:
        return f"jax.nn.logsumexp({text}, axis={_axes(axes)})"

    def einsum(self, spec: str, operands: Sequence[str]) -> str:
        return f'jnp.einsum("{spec}", {", ".join(operands)})'

    def broadcast(self, text: str, shape: Sequence[str]) -> str:
        return f"jnp.broadcast_to({text}, {call_arguments(shape)})"

    def store(self, target: str, index: str, value: str, add: bool) -> str:
        return f"{target} = {target}.at[{index}].{'add' if add else 'set'}({value})"

    def scatter(self, target: str, places: str, value: str, rank: int) -> str:
        return f"{target} = {target}.at[{places}].add({value})"


DIALECTS: Mapping[str, Dialect] = {d.name: d for d in (NumPy(), Torch(), Jax())}
