"""Sequences: embedding of ids, positions, attention."""

from __future__ import annotations

__all__ = ["Embedding", "MultiHeadAttention", "PositionalEncoding"]

from collections.abc import Mapping
from dataclasses import dataclass

from paperback.errors import ModelError
from paperback.nn.init import GlorotUniform, Initializer, Normal, Zeros
from paperback.nn.layers.layer import Layer, Shape, Text, natural


@dataclass(frozen=True, repr=False)
class Embedding(Layer):
    """y[e] = w[x, e]: every id x becomes the row of that number.

    Use: words, letters, users: a vector to learn for every id.
    Derivative: dw[v,e] = dy[e] summed over the places where x = v; an id has none.
    Shapes: x: whole numbers 0 <= x < V of any shape, w: V E (standard normal), y: the shape of x, then E. Only the
    first layer can take ids.
    Source: Bengio et al. 2003.
    """

    vocabulary: int
    features: int
    init: Initializer = Normal()

    axes = {"x": "", "w": "V E"}
    formula = "y[e] = w[x[],e] where x int"

    def __post_init__(self) -> None:
        natural(self, "vocabulary", self.vocabulary)
        natural(self, "features", self.features)

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"V": self.vocabulary, "E": self.features}

    @property
    def parameters(self) -> Mapping[str, Initializer]:
        return {"w": self.init}


@dataclass(frozen=True, repr=False)
class PositionalEncoding(Layer):
    """y[t,e] = x[t,e] + p[t,e], p[t,2*k] = sin(t/10000^(2*k/E)), p[t,2*k+1] = cos(t/10000^(2*k/E)).

    Use: in front of attention, which by itself does not know the order of positions.
    Derivative: dx = dy.
    Shapes: x: T E with an even E; nothing is learned.
    Source: Vaswani et al. 2017.
    """

    axes = {"x": "T E"}
    formula = """a[t,k] = t*exp(-log(10000)*2*k/E) where t < T, k < F, E = 2*F
        p[t,2*k+h] = [h == 0]*sin(a[t,k]) + [h == 1]*cos(a[t,k]) where h < 2
        y[t,e] = x[t,e] + p[t,e]"""

    def check(self, shapes: Mapping[str, Shape]) -> None:
        if shapes["x"][-1] % 2:
            raise ModelError(
                f"sine and cosine come in pairs, but the input has {shapes['x'][-1]} features: give it an even number"
            )


@dataclass(frozen=True, repr=False)
class MultiHeadAttention(Layer):
    """y[t] is, for every head, a mean of values over all positions u, weighted by softmax of q[t].k[u]/sqrt(D).

    Use: sequences in which any position may matter to any other.
    Derivative: through softmax, ds[h,t,u] = a*(da - sum(u) da*a), a the weights, and from there as in `Dense`.
    Shapes: x: T E, y: T E; wq, wk, wv: E H D, wo: H D E, bq, bk, bv: H D, bo: E.
    Settings: `heads` is H; D, the features of a head, is E/H unless `head_features` is given; `causal=True` lets
    position t see u <= t only; `bias=False` leaves the four biases out.
    Source: Vaswani et al. 2017.
    """

    heads: int
    causal: bool = False
    bias: bool = True
    head_features: int | None = None
    init: Initializer = GlorotUniform()

    axes = {
        "x": "T E", **dict.fromkeys(("wq", "wk", "wv"), "E H D"), **dict.fromkeys(("bq", "bk", "bv"), "H D"),
        "wo": "H D E", "bo": "E",
    }  # fmt: skip

    def __post_init__(self) -> None:
        natural(self, "heads", self.heads)
        if self.head_features is not None:
            natural(self, "head_features", self.head_features)

    @property
    def sizes(self) -> Mapping[str, int | None]:
        return {"H": self.heads, "D": self.head_features}

    @property
    def parameters(self) -> Mapping[str, Initializer]:
        return {name: self.init if name[0] == "w" else Zeros() for name in self.axes if name != "x"}

    @property
    def formula(self) -> str:
        seen = "u | u <= t" if self.causal else "u"
        fact = "" if self.head_features else " where E = H*D"
        bias = {name: f" + b{name}[h,d]" if self.bias else "" for name in "qkv"}
        return f"""q[t,h,d] = sum(e) x[t,e]*wq[e,h,d]{bias["q"]}{fact}
            k[u,h,d] = sum(e) x[u,e]*wk[e,h,d]{bias["k"]}
            v[u,h,d] = sum(e) x[u,e]*wv[e,h,d]{bias["v"]}
            s[h,t,u] = sum(d) q[t,h,d]*k[u,h,d]/sqrt(D)
            l[h,t] = logsumexp({seen}) s[h,t,u]
            o[t,h,d] = sum({seen}) exp(s[h,t,u] - l[h,t])*v[u,h,d]
            y[t,e] = sum(h,d) o[t,h,d]*wo[h,d,e]{" + bo[e]" if self.bias else ""}"""

    def text(self, shape: Shape) -> Text:
        features = shape[-1] if len(shape) == 2 else self.heads
        if self.head_features is None and features % self.heads:
            raise ModelError(
                f"{features} features cannot be split over {self.heads} heads: change heads, or give head_features"
            )
        return Text(self.formula, self.axes, sizes={} if self.head_features else {"D": features // self.heads})
