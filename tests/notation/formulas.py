"""Good formulas: what the design, the layers and the losses write, each with what the caller declares."""

from __future__ import annotations

from typing import Any

CONVOLUTION = "C[i,j,k] = sum(p,q,r) x[s*i+p, s*j+q, r] * w[P-1-p, Q-1-q, r, k] + b[k]"
BATCH_NORM = """m[c] = sum(n,i,j) x[n,i,j,c] / (N*H*W)  where x: N H W C, eps scalar
                v[c] = sum(n,i,j) (x[n,i,j,c] - m[c])^2 / (N*H*W)
                y[n,i,j,c] = (x[n,i,j,c] - m[c]) * (v[c] + eps)^(-1/2) * scale[c] + shift[c]"""
RUNNING = """mean[c] = (1 - momentum)*mean[c] + momentum*m[c]
             var[c]  = (1 - momentum)*var[c]  + momentum*v[c]*N*H*W/(N*H*W - 1)"""
ATTENTION = """s[q,m] = sum(d) Q[q,d]*K[m,d] / sqrt(D) where Q: L D, K: L D, V: L E
               y[q,e] = sum(m | m <= q) exp(s[q,m] - logsumexp(k | k <= q) s[q,k]) * V[m,e]"""

# name -> (text, what the caller declares)
GOOD: dict[str, tuple[str, dict[str, Any]]] = {
    "convolution": (CONVOLUTION, {"axes": {"x": "H W R", "w": "P Q R K", "b": "K"}, "sizes": {"s": 2}}),
    "convolution, symbolic stride": (CONVOLUTION + " where s size", {"axes": {"w": "P Q R K"}}),
    "convolution in numbers": (
        CONVOLUTION,
        {"axes": {"x": (28, 28, 1), "w": (5, 5, 1, 8), "b": "8"}, "sizes": {"s": 1, "P": 5, "Q": 5}},
    ),
    "nothing declared": ("y[i] = sum(p) x[i+p]*w[p]", {}),
    "same": ("C[i] = sum(p) x[i+p-1] * w[p] where x: H, x pads 0, i < H", {}),
    "full": ("dx[n] = sum(j) dy[n-j] * w[j] where dy pads 0, n < N, dy: M, w: P, N = M+P-1", {}),
    "dilated": ("y[i] = sum(p) x[2*i+3*p]*w[p]", {"axes": {"x": "H", "w": "P"}}),
    "grouped": ("y[i,2*g+k] = sum(p,r) x[i+p,4*g+r]*w[p,r,2*g+k] where k < 2, r < 4, g < 3, x: H 12, w: P 4 6", {}),
    "depthwise": ("y[i,j,c] = sum(p,q) x[i+p,j+q,c]*w[p,q,c]", {}),
    "transposed": ("y[t] = sum(i,p) [t == 2*i+p]*x[i]*w[p] where x: I, w: P, t < 2*I+P-2", {}),
    "phases": ("y[t] = sum(p) [2 | t-p]*x[(t-p)/2]*w[p] where x: I, w: P, x pads 0, t < 2*I", {}),
    "max pool": ("y[i,j,c] = max(p<2,q<2) x[2*i+p,2*j+q,c]", {}),
    "overlapping pool": ("y[i] = max(p<3) x[2*i+p]", {}),
    "padded pool": ("y[i] = max(p<3) x[2*i+p-1] where x: H, x pads -inf, i < floor((H-1)/2)+1", {}),
    "mean pool": ("y[i] = sum(p<2) x[2*i+p] / 2", {}),
    "pool, its choice and its gradient": (
        """a[i,c] = argmax(p<2) x[2*i+p,c] where x: H C
           dx[t,c] = sum(i,p<2) [t == 2*i+p and a[i,c] == p]*dy[i,c] where t < H""",
        {},
    ),
    "dense": ("y[o] = sum(i) x[i] * w[i,o] + b[o]", {}),
    "flatten": ("F[J*K*i + K*j + k] = x[i,j,k] where x: I J K", {}),
    "unflatten": ("x[i,j] = F[J*i+j] where F: N, J = 4, j < J, N = 12", {}),
    "pixel shuffle": ("y[2*i+a,2*j+b,c] = x[i,j,4*c+2*a+b] where x: H W K, a < 2, b < 2", {}),
    "upsampling": ("y[2*i+a] = x[i] where a < 2", {}),
    "gaps": ("y[2*i] = x[i] where y pads 0", {}),
    "sum form": ("I[m] = sum(j,k) [m == j+k] * w[j] * h[k] where m < 7", {}),
    "relu": ("y = relu(x[])", {}),
    "gelu": ("y[i] = x[i]*(1 + erf(x[i]/sqrt(2)))/2", {}),
    "sigmoid, spelled out": ("y[i] = 1/(1 + exp(-x[i]))", {}),
    "softmax": ("y[i] = exp(z[i]) / sum(k) exp(z[k])", {}),
    "softmax in two lines": ("l = logsumexp(k) x[k]\ny[i] = exp(x[i] - l)", {}),
    "softmax, its gradient": ("dz[j] = S[j]*(dS[j] - sum(i) dS[i]*S[i])", {}),
    "cross-entropy of a class": ("J = logsumexp(k) z[k] - z[y[]]", {"axes": {"z": "K", "y": ""}, "integers": ("y",)}),
    "cross-entropy": ("J = sum(k) y[k] * (logsumexp(j) z[j] - z[k])", {}),
    "binary cross-entropy": ("J = softplus(z[]) - z[]*y[]", {}),
    "squared error": ("J = sum(n) (z[n] - y[n])^2 / N where z: N", {}),
    "batch norm": (BATCH_NORM, {}),
    "running statistics": (
        RUNNING,
        {"axes": {"m": "C", "v": "C", "mean": "C", "x": "N H W C"}, "scalars": ("momentum",), "updates": True},
    ),
    "layer norm": (
        """m[n] = sum(c) x[n,c] / C where x: N C
           v[n] = sum(c) (x[n,c] - m[n])^2 / C
           y[n,c] = (x[n,c] - m[n]) / sqrt(v[n] + 1e-5) * g[c]""",
        {},
    ),
    "dropout": ("y = x[] * mask[] / keep where keep scalar", {}),
    "convolution, its gradient": (
        "dx[t,u,v] = sum(i,j,k) [0 <= t-2*i < P]*[0 <= u-2*j < Q]*dC[i,j,k]*w[2*i-t+P-1,2*j-u+Q-1,v,k]"
        " where t < H, u < W, x: H W R",
        {"axes": {"w": "P Q R K"}},
    ),
    "gradient, its axes given": ("dx[n] = sum(j) dy[n-j]*w[j] where dy pads 0", {"axes": {"dx": "N", "w": "P"}}),
    "masked logsumexp": ("y[q] = logsumexp(m | m <= q) s[q,m]", {}),
    "batch norm after training": (
        "y[n,i,j,c] = (x[n,i,j,c] - mean[c])*(var[c] + eps)^(-1/2)*scale[c] + shift[c] where eps scalar",
        {"axes": {"x": "N H W C"}},
    ),
    "embedding": ("y[n,d] = e[ids[n],d] where ids int", {}),
    "attention": (ATTENTION, {}),
    "masked by data": ("y[i] = sum(j | m[j] > 0) x[i,j]", {}),
    "concatenation": ("y[i] = [i < N]*x[i] + [i >= N]*z[i-N] where x: N, z: M, i < N+M", {}),
    "difference": ("y[i] = x[i+1] - x[i] where x: N, i < N-1", {}),
    "reversal": ("y[i] = x[N-1-i] where x: N", {}),
    "diagonal": ("y[i,j] = [i == j]*x[i] where j < N, x: N", {}),
    "trace": ("y = sum(i) a[i,i]", {}),
    "kronecker": ("y[i,j] = δ(i,j)*x[i] where j < 3", {}),
    "unicode": ("y′[i] = Σ(p) x[i+p]·w[p]", {}),
    "positions": ("y[n,i] = sin(n/10000^(2) + pi*i) where n < 4, i < 3", {}),
    "unknown functions": ("y[i] = phi(x[i]) + psi(x[i]) where phi function, psi increasing", {}),
    "momentum": ("u = 0.9*v[] + g[]\nv = u\nw = w[] - lr*u", {"scalars": ("lr",), "updates": True, "axes": {"v": ()}}),
    "floor extents": ("dx[t] = sum(i,p) [t == s*i+p]*dy[i]*w[p] where t < H, H = s*(I-1)+P+rest, dy: I, w: P, "
                      "s size, rest size", {}),
    "dotted names": ("relu_1.y[n,i] = relu(dense_1.y[n,i])", {}),
    "statements": ("a[i] = x[i]^2; b[i] = a[i] +\n   1\n\nc[i] = b[i]\n where x: N", {}),
    "roots and powers": ("y[i] = x[i]^2/6 + x[i]^(1/3) + x[i]^-1 + (x[i] + 1)^(-3/2)", {}),
    "two values": ("y[i] = max(x[i], 0) + min(x[i], z[i]) + max(j) a[i,j]", {}),
}  # fmt: skip
