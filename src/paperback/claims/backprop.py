"""E16 to E31: backpropagation through the CNN sheet's network, and its numbers.

    z^l = f^l(x^l, w^l) + b^l, x^{l+1} = sigma^l(z^l), delta^l = -eta*dJ/dz^l     L = 4; conv, conv, dense, dense

Two layers of any kind: x = phi(z) by elements, f = A x. The document puts -eta into delta; the proofs are of dJ/dz.
"""

from __future__ import annotations

__all__ = ["ENTRIES"]

from paperback.claims.checks import (
    Derivative,
    Differ,
    Exact,
    NoSentence,
    Prove,
    Refute,
    Structure,
    Vjp,
    derivative,
    vjp,
)
from paperback.claims.example import INPUT_SHAPE, Backward, Descent, Differences, Losses, Scores, layers
from paperback.claims.models import Counts, Kinds
from paperback.claims.record import Entry
from paperback.claims.sheet import CONV, CONV_BACK_W, CONV_BACK_X, CONV_BY_W, CONV_BY_X
from paperback.nn.layers import Conv2d, Dense, Flatten, MaxPool2d, ReLU, Sequential

SMALL = Sequential(
    Conv2d(2, 3, flip=True), ReLU(), MaxPool2d(2), Conv2d(3, 3, flip=True), ReLU(), MaxPool2d(2),
    Flatten(), Dense(4), ReLU(), Dense(2),
)  # fmt: skip
FULL_NET = Differences(SMALL, (10, 10, 1), (0, 1, 1))
PER_POSITION = Differences(
    Sequential(Conv2d(2, 3, flip=True, bias="position"), ReLU(), MaxPool2d(2), Flatten(), Dense(2)), (6, 6, 1), (0, 1)
)

TWO = "x[k] = phi(z[k]) where A: n m, phi function; f[j] = sum(k) A[j,k]*x[k]"
THREE = (
    "x1[i] = f(z[i]) where A: m n, B: l m, f function, g function, h function; u[j] = sum(i) A[j,i]*x1[i]; "
    "x2[j] = g(u[j]); v[k] = sum(j) B[k,j]*x2[j]; x3[k] = h(v[k])"
)
THREE_SLOPES = THREE.replace("h function;", "h function, f' function, g' function, h' function;") + "; "
SOFTMAX = "x[j] = exp(z[j])/sum(m) exp(z[m]) where z: n"
DENSE = "f[j] = sum(i) x[i]*w[i,j] where w: n m"
COST = "J = logsumexp(k) z[k] - z[y[]] where z: n, y int"
DELTA_3 = "d[i] = exp(z[i] - logsumexp(k) z[k]) - [i == y[]] where z: n, y int"

POOLED = "r[i,j,k] = relu(z[i,j,k]); p[i,j,k] = max(a<2,b<2) r[2*i+a,2*j+b,k]"
LAYER_1 = f"{POOLED}; y[m] = sum(i,j,k) p[i,j,k]*w[i,j,k,m]"
ROUTED = (
    f"{POOLED}; c[i,j,k] = argmax(a<2,b<2) r[2*i+a,2*j+b,k]; g[i,j,k] = sum(m) w[i,j,k,m]*dy[m]; "
    "dz[t,u,k] = [z[t,u,k] > 0]*(sum(i,j) [0 <= t-2*i < 2 and 0 <= u-2*j < 2 and c[i,j,k] == "
    "2*(t-2*i) + u-2*j]*g[i,j,k])"
)
WINDOW = "r[p,q] = relu(z[p,q]) where z: 2 2; y = max(p,q) r[p,q]"
ORDER = "conv2d relu maxpool2d conv2d relu maxpool2d flatten dense relu dense"

SCORES = (
    Scores(0, ("-1043261/524288", "-4555891/1048576", "-2012047/1048576")),
    Scores(1, ("-196871/262144", "8589/65536", "384709/524288")),
)

ENTRIES = (
    Entry(
        "E16", "RIGHT", "x^l = sigma^{l-1}(z^{l-1}), sigma not always by elements",
        checks=(*SCORES, Differ(derivative(SOFTMAX, "z"), f"{SOFTMAX}; d[i,j] = [i == j]*x[i]*(1 - x[i]) where j < n")),
    ),
    Entry(
        "E17", "CONV", "z^l = f^l(x^l, w^l) + b^l, the bias before the activation",
        says="Of a convolution, one number for each channel (the default here), or for each place, as E18 has it.",
        checks=(
            Derivative("z[i,j,k] = f[i,j,k] + b[k] where f: n m l", "b",
                       "d[i,j,k,c] = [k == c] where f: n m l, i < n, j < m, k < l, c < l"),
            Derivative("z[i,j,k] = f[i,j,k] + b[i,j,k] where f: n m l", "b",
                       "d[i,j,k,t,u,c] = [i == t and j == u and k == c] "
                       "where f: n m l, i < n, j < m, k < l, t < n, u < m, c < l"),
            Counts(Conv2d(3, 3), (6, 5, 1), {"conv2d_1.b": 3}),
            Counts(Conv2d(3, 3, bias="position"), (6, 5, 1), {"conv2d_1.b": 4 * 3 * 3}),
        ),
    ),
    Entry(
        "E18a", "OCR", "Delta b_i = -eta*dJ/db_i = -eta*dJ/dz_i",
        has="a stray b in the subscript z_jb.",
        checks=(Vjp("z[i] = f[i] + b[i] where f: n", "b", "db[i] = dz[i] where f: n"), PER_POSITION),
    ),
    Entry(
        "E18b", "RIGHT", "Line 2: the product of the Jacobians dx^{m+1}/dx^m, and of dx^{l+1}/dz^l",
        checks=(
            Prove(vjp(THREE, "z"),
                  THREE_SLOPES + "dz[i] = sum(k,j) dx3[k]*h'(v[k])*B[k,j]*g'(u[j])*A[j,i]*f'(z[i])"),
        ),
    ),
    Entry(
        "E18c", "WRONG", "Line 3: both factors of the bracket have the same index k_{L-l-2}",
        has="k_{L-l-2} and k_{L-l-1}: then it is no product of matrices.",
        checks=(
            Prove(derivative("x[k] = phi(z[k]) where A: n m, phi function; u[j] = sum(k) A[j,k]*x[k]", "z"),
                  "S[k,i] = [k == i]*phi'(z[i]) where A: n m, phi' function, k < m; d[j,i] = sum(k) A[j,k]*S[k,i]"),
            Refute("d[j,i] = sum(k,m) A[j,k]*S[m,i]", "d[j,i] = sum(k) A[j,k]*S[k,i]",
                   {"A": [[1, 2]], "S": [[1], [1]]}, (6, 3), (0, 0)),
            Refute("d[j,i] = sum(k,m) A[j,k]*S[m,i]", "d[j,i] = sum(k) A[j,k]*S[k,i]",
                   {"A": [[1, 0]], "S": [[0], [1]]}, (1, 0), (0, 0)),
        ),
    ),
    Entry(
        "E18d", "WRONG", "Line 4: the last bracket is df^{l+1}/dx^{l+1} * dsigma^l/dz^l",
        has="df^{l+1}/dz_i^{l+1}, which is the identity.",
        checks=(
            Prove(derivative(TWO, "z"), "d[j,i] = A[j,i]*phi'(z[i]) where A: n m, phi' function"),
            Prove(derivative("z[j] = f[j] + b[j] where f: n", "f"), "d[j,k] = [j == k] where f: n, j < n, k < n"),
            Refute("d[j,i] = [j == i]*s[i] where A: n n, j < n", "d[j,i] = A[j,i]*s[i] where A: n n",
                   {"A": [[0, 2], [3, 0]], "s": [1, 1]}, (1, 0), (0, 0)),
        ),
    ),
    Entry(
        "E19", "RIGHT", "Delta b_i^{L-1} = -eta*sum(j) dJ/dx_j*dsigma_j/dz_i",
        checks=(Vjp(SOFTMAX, "z", f"{SOFTMAX}; S[j,i] = x[j]*([j == i] - x[i]); dz[i] = sum(j) dx[j]*S[j,i]"),),
    ),
    Entry(
        "E20", "RIGHT", "Delta b_i^{l-1} = sum(j,k) Delta b_j^l*df_j/dx_k*dsigma_k/dz_i",
        says="Always true of delta = -eta*dJ/dz, of Delta b where the bias is per position.",
        checks=(
            Vjp(TWO, "z", "S[k,i] = [k == i]*phi'(z[i]) where A: n m, phi' function, k < m; "
                          "dz[i] = sum(j,k) df[j]*A[j,k]*S[k,i]"),
            PER_POSITION,
        ),
    ),
    Entry(
        "E21", "RIGHT", "Delta w_ij^l = -eta*dJ/dw_ij = sum(k) Delta b_k^l*df_k/dw_ij",
        checks=(
            Vjp(DENSE, "w", "F[k,i,j] = x[i]*[k == j] where w: n m, k < m, j < m; dw[i,j] = sum(k) df[k]*F[k,i,j]"),
            FULL_NET,
        ),
    ),
    # ---------------------------------------------------------------------------------------------------- the network
    Entry("E22", "RIGHT", "Four layers have parameters; x^0 goes in, x^4 comes out",
          (Kinds(SMALL, (10, 10, 1), ORDER, 4),)),
    Entry(
        "E23", "RIGHT", "conv, relu, pool; conv, relu, pool, flatten; dense, relu; dense, softmax",
        says="No sizes are given.",
        checks=(Kinds(layers(), INPUT_SHAPE, ORDER, 4), *SCORES),
    ),
    Entry(
        "E24a", "RIGHT", "Layers 3 and 2: the derivatives of the softmax, the ReLU and the dense layer",
        checks=(
            Derivative(SOFTMAX, "z", f"{SOFTMAX}; d[i,j] = x[i]*([i == j] - x[j])"),
            Derivative("R[i] = relu(z[i]) where z: n", "z", "d[i,j] = [i == j]*[z[i] > 0] where z: n, j < n"),
            Derivative(DENSE, "x", "d[j,i] = w[i,j] where w: n m"),
            Derivative(DENSE, "w", "d[j,c,k] = x[c]*[j == k] where w: n m, j < m, k < m"),
        ),
    ),
    Entry("E24b", "RIGHT", "Layers 1 and 0: the derivatives of the convolution",
          (Derivative(CONV, "x", CONV_BY_X), Derivative(CONV, "w", CONV_BY_W))),
    Entry(
        "E24c", "WRONG", "P^-1 is the transposed Jacobian of the pooling at R(z), F^-1 a reshape",
        says="Each gradient goes to the place of its maximum, and nothing to the others.",
        has="d/dz P^-1(F^-1(sigma)) = dR/dz: pooling has no inverse.",
        checks=(
            Exact("P[i,j] = max(p<2,q<2) x[2*i+p,2*j+q]", {"x": [[1, 2], [3, 4]]}, [[4]]),
            Structure("P[i,j] = max(p<2,q<2) x[2*i+p,2*j+q]", "x", "selection (one 1 per row)"),
            Exact(vjp(WINDOW, "z"), {"z": [[1, 2], [3, 4]], "dy": 4}, [[0, 0], [0, 4]]),
            Prove("F[m*i + j] = x[i,j] where x: n m", "F[t] = sum(i,j) [t == m*i + j]*x[i,j] where x: n m, t < n*m"),
            Refute("d[i,j] = [z[i,j] > 0] where z: 2 2", derivative(WINDOW, "z"),
                   {"z": [[1, 2], [3, 4]]}, (1, 0), (0, 0)),
        ),
    ),
    Entry(
        "E25", "WRONG", "df0/dx0 = dC/dx0",
        has="two further rows that repeat layer 0 garbled, with df0/dx0 = dC/dw0, of another shape.",
        checks=(
            Derivative(CONV, "x", CONV_BY_X),
            Refute(derivative(CONV, "w"), CONV_BY_X),
        ),
    ),
    Entry(
        "E26", "RIGHT", "delta3 = -eta*(x4 - y), Delta w3[i,j] = x3[i]*delta3[j]",
        checks=(
            Derivative(COST, "z", DELTA_3),
            Vjp(DENSE, "w", "dw[i,j] = x[i]*df[j] where w: n m"),
            Losses(0, 3.1290112970758512, {
                "dense_2.b": (0.4611474199902575, 0.043761042541581016 - 1, 0.49509153746816154)}),
            Losses(1, 2.0579442058610535, {
                "dense_2.b": (0.12771625853246232 - 1, 0.30854635079847087, 0.5637373906690668)}),
        ),
    ),
    Entry(
        "E26b", "MISSING", "The gradients of the biases: delta, summed over the places for a bias per channel",
        checks=(
            Vjp("z[i,j,k] = f[i,j,k] + b[k] where f: n m l", "b", "db[k] = sum(i,j) dz[i,j,k] where f: n m l"),
            Vjp("z[i,j,k] = f[i,j,k] + b[i,j,k] where f: n m l", "b", "db[i,j,k] = dz[i,j,k] where f: n m l"),
            Vjp("z[j] = f[j] + b[j] where f: n", "b", "db[j] = dz[j] where f: n"),
            Losses(0, 3.1290112970758512, {
                "conv2d_1.b": (-1.8968028646044774, 1.1062031393930174),
                "conv2d_2.b": (0.6097380919996618, 1.2549990491905554, -0.0379933847417836)}),
        ),
    ),
    Entry(
        "E27", "RIGHT", "delta2[i] = R'(z2[i])*sum(j) delta3[j]*w3[i,j], Delta w2[i,j] = x2[i]*delta2[j]",
        checks=(
            Vjp("x[i] = relu(z[i]) where w: n m; f[j] = sum(i) x[i]*w[i,j]", "z",
                "dz[i] = [z[i] > 0]*(sum(j) df[j]*w[i,j]) where w: n m"),
            Vjp(DENSE, "w", "dw[i,j] = x[i]*df[j] where w: n m"),
            Backward(0, {"dense_1.b": ("0", "-13/8", "3/2", "2")}, {"dense_1.w": "7370293/8192"}),
            Backward(1, {"dense_1.b": ("0", "-13/8", "3/2", "0")}, {"dense_1.w": "-1605105/65536"}),
        ),
    ),
    Entry(
        "E28", "RIGHT", "delta1 = R'(z1)*U1(unflatten(w2 delta2)), and Delta w1 by the convolution",
        says="U1 is P^-1 as in E24c.",
        checks=(
            Vjp(LAYER_1, "z", ROUTED),
            Vjp(CONV, "w", CONV_BACK_W),
            Backward(0, {"conv2d_2.b": ("345/256", "841/256", "-7/256")}, {"conv2d_2.w": "204724587/131072"}),
            Backward(1, {"conv2d_2.b": ("59/128", "95/128", "-333/256")}, {"conv2d_2.w": "123645973/262144"}),
        ),
    ),
    Entry(
        "E29", "WRONG", "delta0 = R'(z0)*U0(dC/dx1' delta1)",
        has="dC/dx^2 and dR/dz^1, whose shapes do not fit.",
        checks=(
            Vjp(CONV, "x", CONV_BACK_X),
            Backward(0, {"conv2d_1.b": ("-4573/1024", "11513/4096")}),
            Backward(1, {"conv2d_1.b": ("-1675/1024", "1405/2048")}),
            NoSentence("delta0[i,j] = [z1[i,j] > 0]*u[i,j] where z1: 4 14, u: 12 14",
                       "index i runs over 4 elsewhere, but axis 0 of u has 12"),
            NoSentence("delta0[i,j] = [z0[i,j] > 0]*dx2[i,j] where z0: 12 14, dx2: 18",
                       "dx2 has 1 axis (18), but is read with 2 indices"),
        ),
    ),
    Entry(
        "E30", "RIGHT", "Delta w0[c,t,u,k] = sum(i,j) delta0[i,j,k]*x0[i+P0-1-c, j+Q0-1-t, u]",
        checks=(
            Vjp(CONV, "w", CONV_BACK_W),
            Backward(0, {}, {"conv2d_1.w": "-154502235/131072", "input": "24206013/65536"}),
            Backward(1, {}, {"conv2d_1.w": "-25748871/131072", "input": "1974759/32768"}),
        ),
    ),
    Entry(
        "E31", "MISSING", "The step of a batch: w += (1/B)*sum(b) Delta w^b, the same for b",
        says="Without 1/B the step is B times too large.",
        checks=(
            Prove(vjp("J = sum(b) c[b]/B where c: B", "c"), "dc[b] = 1/B*dJ[] where c: B, b < B"),
            Descent(1 / 64, 2.5934777514684524, 1.6050479562085962,
                    (0.003212002511541252, 0.2550600984895308, -0.2582721010010721)),
            FULL_NET,
        ),
    ),
)  # fmt: skip
