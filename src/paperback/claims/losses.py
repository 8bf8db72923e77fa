"""A1 and A2: the sigmoid output unit with its two losses, and the softmax.

    a  a logit, y  its target, g = sigmoid(a)  the output; x, z  scores, S  their softmax, B  a matrix of scores z = B x
"""

from __future__ import annotations

__all__ = ["ENTRIES"]

from paperback.claims.checks import (
    Derivative,
    Differ,
    Exact,
    Measure,
    NoSentence,
    Prove,
    Refute,
    Structure,
    Vjp,
    derivative,
    printed,
)  # fmt: skip
from paperback.claims.record import Entry

CROSS_ENTROPY = "L = softplus(a[]) - a[]*y[]"
SQUARED_ERROR = "L = (y[] - sigmoid(a[]))^2"
SLOPE_OF_SQUARED_ERROR = "g = sigmoid(a[]); d = 2*(g - y[])*g*(1 - g)"
SOFTMAX = "S[i] = exp(x[i])/sum(k) exp(x[k])"
OF_SCORES = "S[c] = exp(sum(d) B[c,d]*x[d]) / sum(k) exp(sum(d) B[k,d]*x[d])"

ENTRIES = (
    Entry(
        "A1.1", "RIGHT", "The output unit for a Bernoulli target is one sigmoid unit",
        says="g = sigmoid(a) is the inverse of the Bernoulli logit a = log(g/(1-g)).",
        checks=(
            Prove("g = sigmoid(a[]); t = log(g/(1 - g))", "t = a[]"),
            Exact("g[i] = sigmoid(log(p[i]/(1 - p[i])))", {"p": ["1/7", "1/2", "3/4"]}, ["1/7", "1/2", "3/4"]),
        ),
    ),
    Entry(
        "A1.2", "RIGHT", "The output is a probability, 0 < g < 1",
        says="g = P(y=1|x) and 1-g = P(y=0|x). In float64 sigmoid(37) is 1, so log(1-g) is taken from the logit.",
        checks=(
            Prove("q = 1 - sigmoid(a[])", "q = sigmoid(-a[])"),
            Exact("r[i] = [0 < sigmoid(a[i]) < 1]", {"a": [-100, -1, 0, 1, 100]}, [1] * 5),
            Measure("g[i] = [sigmoid(a[i]) == 1]", {"a": [36, 37]}, [0, 1], within=0),
            Measure("l = -softplus(a[])", {"a": 37}, -37),
        ),
    ),
    Entry(
        "A1.3", "RIGHT", "Binary cross-entropy, from the probability and from the logit",
        says="L = -(y*log(g) + (1-y)*log(1-g)), summed over the examples; max(a,0) - a*y + log1p(exp(-|a|)) is stable.",
        checks=(
            Prove("g = sigmoid(a[]); L = -(y[]*log(g) + (1 - y[])*log(1 - g))", CROSS_ENTROPY),
            Prove("L = max(a[],0) - a[]*y[] + log1p(exp(-abs(a[])))", CROSS_ENTROPY),
            Exact(CROSS_ENTROPY, {"a": "log(3)", "y": 1}, "log(4/3)"),
            Exact(CROSS_ENTROPY, {"a": 0, "y": 1}, "log(2)"),
            Measure("L[i] = softplus(a[i]) - a[i]*y[i]", {"a": [-1000, 1000, 1000], "y": [1, 0, 1]}, [1000, 1000, 0]),
        ),
    ),
    Entry(
        "A1.4", "RIGHT", "The gradient of the cross-entropy at the logit is g - y",
        checks=(
            Derivative(CROSS_ENTROPY, "a", "d = sigmoid(a[]) - y[]"),
            Prove("d = (-y[]/g[] + (1 - y[])/(1 - g[]))*g[]*(1 - g[])", "d = g[] - y[]"),
            Exact("d = sigmoid(a[]) - y[]", {"a": "log(3)", "y": 1}, "-1/4"),
        ),
    ),
    Entry(
        "A1.5", "WRONG", "The squared error is (y - g)^2",
        has="-(y - g)^2: to make that small is to make the error large.",
        checks=(
            Exact("L = (y[] - g[])^2", {"y": 1, "g": "1/2"}, "1/4"),
            Derivative("L = (y[] - g[])^2", "g", "d = 2*(g[] - y[])"),
            Refute("L = -(y[] - g[])^2", "L = (y[] - g[])^2", {"y": 1, "g": "1/2"}, ("-1/4", "1/4")),
        ),
    ),
    Entry(
        "A1.6", "WRONG", "The gradient of the squared error at the logit is 2*(g - y)*g*(1 - g)",
        has="2*(y - g)*g*(1 - g), the gradient of its own loss -(y - g)^2: the opposite sign.",
        checks=(
            Derivative(SQUARED_ERROR, "a", SLOPE_OF_SQUARED_ERROR),
            Exact(SLOPE_OF_SQUARED_ERROR, {"a": "log(3)", "y": 1}, "-3/32"),
            Refute(
                "g = sigmoid(a[]); d = 2*(y[] - g)*g*(1 - g)", SLOPE_OF_SQUARED_ERROR,
                {"a": 0, "y": 1}, ("1/4", "-1/4"),
            ),
        ),
    ),
    Entry(
        "A1.7a", "RIGHT", "Cross-entropy is the better loss for classes: its gradient does not vanish",
        says="With y = 1 and a -> -inf, dCE/da -> -1 and dMSE/da -> 0.",
        checks=(
            Measure(derivative(CROSS_ENTROPY, "a"), {"a": -20, "y": 1}, -1, within=2e-9),
            Measure(derivative(SQUARED_ERROR, "a"), {"a": -20, "y": 1}, -4.122307e-9, within=1e-14),
            Exact("far = [abs(sigmoid(a[]) - 1 + 1) < exp(a[]/2)]", {"a": -100}, 1),
            Exact("g = sigmoid(a[]); far = [abs(2*(g - 1)*g*(1 - g)) < exp(a[]/2)]", {"a": -100}, 1),
        ),
    ),
    Entry(
        "A1.7b", "WRONG", "What matters is convexity: cross-entropy is convex in the logit, the squared error is not",
        says="d2CE/da2 = g*(1-g) > 0; with y = 1, d2MSE/da2 = -2*g*(1-g)^2*(1-3g), which has both signs.",
        has='"MSE is not concave": true, but so is cross-entropy, whose second derivative is positive.',
        checks=(
            Prove(derivative(CROSS_ENTROPY, "a", "a"), "g = sigmoid(a[]); c = g*(1 - g)"),
            Prove(
                derivative("L = (1 - sigmoid(a[]))^2", "a", "a"),
                "g = sigmoid(a[]); c = -2*g*(1 - g)^2*(1 - 3*g)",
            ),
            Exact("c = -2*g[]*(1 - g[])^2*(1 - 3*g[])", {"g": "1/4"}, "-9/128"),
            Exact("c = -2*g[]*(1 - g[])^2*(1 - 3*g[])", {"g": "1/2"}, "1/8"),
            Refute("concave = [0 <= 0]", "concave = [sigmoid(a[])*(1 - sigmoid(a[])) <= 0]", {"a": 0}, (1, 0)),
        ),
    ),
    Entry(
        "A1.7c", "WRONG", "The Hessian of (y - g)^2 by (y, g), [[2,-2],[-2,2]], is positive semi-definite",
        says="Its eigenvalues are 0 and 4, and u'Hu = 2*(u0 - u1)^2. It says nothing on convexity in a.",
        has="that it is not positive semi-definite.",
        checks=(
            Exact(derivative("L = (v[0] - v[1])^2 where v: 2", "v", "v"), {"v": [1, "1/2"]}, [[2, -2], [-2, 2]]),
            Exact("r[i] = sum(j) H[i,j]*u[j]", {"H": [[2, -2], [-2, 2]], "u": [1, 1]}, [0, 0]),
            Exact("r[i] = sum(j) H[i,j]*u[j]", {"H": [[2, -2], [-2, 2]], "u": [1, -1]}, [4, -4]),
            Prove("q = 2*u[0]^2 - 4*u[0]*u[1] + 2*u[1]^2 where u: 2", "q = 2*(u[0] - u[1])^2 where u: 2"),
            Refute(
                "psd = 0",
                "psd = [H[0,0] + H[1,1] >= 0 and H[0,0]*H[1,1] - H[0,1]*H[1,0] >= 0] where H: 2 2",
                {"H": [[2, -2], [-2, 2]]}, (0, 1),
            ),
        ),
    ),
    Entry(
        "A2.1", "RIGHT", "Softmax does not change when a number is added to all scores",
        checks=(
            Prove("S[i] = exp(x[i] + c[])/sum(k) exp(x[k] + c[])", SOFTMAX),
            Exact(SOFTMAX, {"x": [0, "log(3)"]}, ["1/4", "3/4"]),
            Measure(SOFTMAX, {"x": [1000, "1000 + log(3)"]}, ["1/4", "3/4"], within=1e-12),
            Measure(SOFTMAX, {"x": [-1000, 1000]}, [0, 1], within=0),
        ),
    ),
    Entry(
        "A2.2", "RIGHT", "The softmax of two scores is the sigmoid of their difference",
        says="With scores z = B x, z1 - z0 = (B1 - B0).x; append a constant 1 to x for an offset.",
        checks=(
            Prove("s = exp(x[1])/sum(k) exp(x[k]) where x: 2", "s = sigmoid(x[1] - x[0]) where x: 2"),
            Prove("s = exp(x[0])/sum(k) exp(x[k]) where x: 2", "s = 1 - sigmoid(x[1] - x[0]) where x: 2"),
            Prove(
                "s = exp(sum(d) B[1,d]*x[d]) / sum(k) exp(sum(d) B[k,d]*x[d]) where B: 2 D",
                "s = sigmoid(sum(d) (B[1,d] - B[0,d])*x[d]) where B: 2 D",
            ),
            Prove(
                "L = logsumexp(k) x[k] - sum(k) x[k]*y[k] where x: 2, y: 2",
                "L = softplus(x[1] - x[0]) - (x[1] - x[0])*y[1] + x[0]*(1 - y[0] - y[1]) where x: 2, y: 2",
            ),
        ),
    ),
    Entry(
        "A2.3a", "RIGHT", "K classes need only K-1 scores: subtract the first from all",
        checks=(
            Prove(SOFTMAX, "S[i] = exp(x[i] - x[0])/sum(k) exp(x[k] - x[0])"),
            Prove(OF_SCORES, "S[c] = exp(sum(d) (B[c,d] - B[0,d])*x[d]) / sum(k) exp(sum(d) (B[k,d] - B[0,d])*x[d])"),
        ),
    ),
    Entry(
        "A2.3b", "WRONG", "The denominator of the softmax is a sum of exponentials",
        has="exp(sum_k beta_k.x), the exponential of the sum, in all three displays.",
        checks=(
            Prove(OF_SCORES, "z[c] = sum(d) B[c,d]*x[d] where B: C D; S[c] = exp(z[c])/sum(k) exp(z[k])"),
            Exact(SOFTMAX, {"x": [0, 0]}, ["1/2", "1/2"]),
            Refute(printed(r"S_c = \frac{e^{x_c}}{e^{\sum_k x_k}}", x="I"), SOFTMAX, {"x": [0, 0]}, (1, "1/2"), (0,)),
        ),
    ),
    Entry(
        "A2.3c", "WRONG", "The shift that makes the first score 0 is a = +beta_0",
        has='"let a = -beta_1" (from 1): then the first score is 2*beta_1.x.',
        checks=(
            Prove("z[k] = sum(d) (B[k,d] - B[0,d])*x[d]; r = z[0]", "r = 0"),
            Refute(
                "z[k] = sum(d) (B[k,d] + B[0,d])*x[d]", "z[k] = sum(d) (B[k,d] - B[0,d])*x[d]",
                {"B": [[1, 0], [0, 0]], "x": [1, 0]}, (2, 0), (0,),
            ),
        ),
    ),
    Entry(
        "A2.3d", "WRONG", "What is subtracted from every score is the number a.x",
        has="y_i - a for (beta_i - a).x, as if a vector were a number.",
        checks=(
            Prove("z[k] = sum(d) (B[k,d] - a[d])*x[d]", "z[k] = sum(d) B[k,d]*x[d] - sum(d) a[d]*x[d]"),
            Refute(
                "z[k] = sum(d) B[k,d]*x[d] - sum(d) a[d] where a: D", "z[k] = sum(d) (B[k,d] - a[d])*x[d]",
                {"B": [[1, 0], [0, 1]], "x": [3, 5], "a": [1, 0]}, (2, 0), (0,),
            ),
        ),
    ),
    Entry(
        "A2.3e", "RIGHT", "The probabilities sum to 1, so one of them is fixed by the others",
        checks=(
            Prove(f"{SOFTMAX}; s = sum(i) S[i]", "s = 1"),
            Prove("s = sum(i) S[i] - sum(i) [i > 0]*S[i]", "s = S[0]"),
        ),
    ),
    Entry(
        "A2.4a", "RIGHT", "The Jacobian of the softmax is diag(p) - p p'",
        says="It is symmetric, its rows sum to 0, and u'Ju = sum(i) p[i]*(u[i] - sum(k) p[k]*u[k])^2 >= 0.",
        checks=(
            Derivative(SOFTMAX, "x", f"{SOFTMAX}; J[i,j] = S[i]*([i == j] - S[j])"),
            Structure(SOFTMAX, "x", "diagonal minus rank one"),
            Vjp(SOFTMAX, "x", f"{SOFTMAX}; dx[j] = S[j]*(dS[j] - sum(i) S[i]*dS[i])"),
            Prove(f"{SOFTMAX}; r[i] = sum(j) S[i]*([i == j] - S[j])", "r[i] = 0*x[i]"),
            Prove(
                f"{SOFTMAX}; q = sum(i,j) u[i]*S[i]*([i == j] - S[j])*u[j]",
                f"{SOFTMAX}; m = sum(k) S[k]*u[k]; q = sum(i) S[i]*(u[i] - m)^2",
            ),
            Exact(
                derivative(SOFTMAX, "x"), {"x": [0, "log(2)", "log(3)"]},
                [["5/36", "-1/18", "-1/12"], ["-1/18", "2/9", "-1/6"], ["-1/12", "-1/6", "1/4"]],
            ),
        ),
    ),
    Entry(
        "A2.4b", "OCR", "What the quotient rule needs: the derivatives of exp(a_i), of the sum, and of a quotient",
        has="e_i^a and e_{a_j} for exp(a_i) and exp(a_j).",
        checks=(
            Derivative("g[i] = exp(a[i])", "a", "d[i,j] = [i == j]*exp(a[i]) where a: I, j < I"),
            Derivative("h = sum(k) exp(a[k])", "a", "d[k] = exp(a[k])"),
            Prove(
                derivative("q = g(t[])/h(t[]) where g function, h function", "t"),
                "d = (g'(t[])*h(t[]) - g(t[])*h'(t[]))/h(t[])^2 "
                "where g function, h function, g' function, h' function",
            ),
            NoSentence("g[i] = e[i]^a[]", "an exponent is a whole number, found a"),
        ),
    ),
    Entry(
        "A2.4c", "OCR", "The case i = j: S_i*(1 - S_i)",
        has="a middle expression exp(a_i)*sum_j(-...), which is negative; the result is right.",
        checks=(
            Prove(
                "t = sum(k) exp(a[k]); d[i] = (exp(a[i])*t - exp(a[i])*exp(a[i]))/t^2",
                "S[i] = exp(a[i])/sum(k) exp(a[k]) where a: K; d[i] = S[i]*(1 - S[i])",
            ),
            Refute(
                "t = sum(k) exp(a[k]); d[i] = exp(a[i])*sum(j) (-exp(a[j])*exp(a[i]))/t^2",
                "S[i] = exp(a[i])/sum(k) exp(a[k]) where a: K; d[i] = S[i]*(1 - S[i])",
                {"a": [0, 0]}, ("-1/2", "1/4"), (0,),
            ),
        ),
    ),
    Entry(
        "A2.4d", "RIGHT", "The case i != j: -S_i*S_j",
        checks=(
            Prove(
                "t = sum(k) exp(a[k]); d[i,j] = [i != j]*(0 - exp(a[j])*exp(a[i]))/t^2",
                "S[i] = exp(a[i])/sum(k) exp(a[k]) where a: K; d[i,j] = -[i != j]*S[i]*S[j]",
            ),
            Derivative(
                "S[i] = exp(a[i])/sum(k) exp(a[k]) where a: K", "a",
                "S[i] = exp(a[i])/sum(k) exp(a[k]) where a: K; d[i,j] = [i == j]*S[i]*(1 - S[i]) - [i != j]*S[i]*S[j]",
            ),
            Differ(
                "S[i] = exp(a[i])/sum(k) exp(a[k]) where a: K; d[i,j] = -S[i]*S[j]",
                derivative("S[i] = exp(a[i])/sum(k) exp(a[k]) where a: K", "a"),
            ),
        ),
    ),
)  # fmt: skip
