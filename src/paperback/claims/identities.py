"""B1 to B5 and C1 to C5: things that are convolutions, in two solutions of the same sheet.

    Y[l,i,j] = sum(c,a,b) w[l,c,a,b]*X[c, s*i+a-p, s*j+b-p] + bias[l]     no flip, X = 0 outside; from 0 here
"""

from __future__ import annotations

__all__ = ["ENTRIES"]

from fractions import Fraction
from itertools import product

from paperback.calculus.conventions import Conventions
from paperback.claims.checks import Derived, Differ, Exact, NoSentence, Printed, Prove, Refute, Shape, printed, vjp
from paperback.claims.models import Counts, Output, Skips
from paperback.claims.record import Entry
from paperback.nn.layers import AvgPool2d, Conv2d, FiniteDifferences, FixedConv, Grey

FILTERED = "Y[i,j] = sum(a,b) w[a,b]*X[{}] where X: H W, X pads 0, i < H, j < W"
DOWN = "w[a,b] = [b == 1]*([a == 2] - [a == 1]) where a < 3, b < 3; "  # [[0,0,0],[0,-1,0],[0,1,0]]
RIGHT = "w[a,b] = [a == 1]*([b == 2] - [b == 1]) where a < 3, b < 3; "  # [[0,0,0],[0,-1,1],[0,0,0]]
CENTRED = FILTERED.format("i+a-1,j+b-1")
UNPADDED = FILTERED.format("i+a,j+b")
TRUE = "Y[i,j] = sum(a,b) w[2-a,2-b]*X[i+a-1,j+b-1] where X: H W, X pads 0, i < H, j < W"
DIFFERENCE_DOWN = "Y[i,j] = X[i+1,j] - X[i,j] where X: H W, X pads 0, i < H, j < W"
DIFFERENCE_RIGHT = "Y[i,j] = X[i,j+1] - X[i,j] where X: H W, X pads 0, i < H, j < W"
X = {"X": [[1, 2], [3, 4]]}
CENTRE = [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
DOWN_W = [[0, 0, 0], [0, -1, 0], [0, 1, 0]]
DOWN_X, RIGHT_X = [[2, 2], [-3, -4]], [[1, -2], [1, -4]]
C_DOWN = "w[a,b] = [b == 0]*([a == 1] - [a == 0]) where a < 3, b < 3; "
C_RIGHT = "w[a,b] = [a == 0]*([b == 1] - [b == 0]) where a < 3, b < 3; "

WINDOWS = "where X: C (k*m) (k*m), v: k"
MEAN = f"Y[c,i,j] = sum(a<k,b<k) X[c,k*i+a,k*j+b]/k^2 {WINDOWS}, i < m, j < m"
DIAGONAL = f"w[c,d,a,b] = [c == d]/k^2 {WINDOWS}, c < C, d < C, a < k, b < k; "
BY_WEIGHTS = "Y[c,i,j] = sum(d,a,b) w[c,d,a,b]*X[d,k*i+a,k*j+b] where i < m, j < m"
GREY = "Y[i,j] = 0.299*X[0,i,j] + 0.587*X[1,i,j] + 0.114*X[2,i,j] where X: 3 H W"
WHITE = {"X": [[[1]], [[1]], [[1]]]}

BLOCKS = "where X: (k*m) (l*n), v: k l, phi increasing, i < m, j < n"
POOLED_FIRST = f"y[i,j] = phi(max(p<k,q<l) X[k*i+p,l*j+q]) {BLOCKS}"
PHI_FIRST = f"y[i,j] = max(p<k,q<l) phi(X[k*i+p,l*j+q]) {BLOCKS}"
HALF = Conventions(relu_at_zero=Fraction(1, 2))
RELU_POOL, POOL_RELU = "r[i] = relu(x[i]); y = max(i) r[i]", "m = max(i) x[i]; y = relu(m)"
SLOPE = "([x[i] > 0] + 1/2*[x[i] == 0])"
UNLIKE = (  # how many windows have another gradient in the other order, with the slope z at 0
    "c[n] = argmax(i) relu(x[n,i]); d[n] = argmax(i) x[n,i]; s[n,i] = [x[n,i] > 0] + z[]*[x[n,i] == 0]; "
    "u[n] = max(i) abs([c[n] == i]*s[n,i] - [d[n] == i]*s[n,i]); y = sum(n) [u[n] > 0]"
)
ALL_WINDOWS = [list(window) for window in product((-1, 0, 1, 2), repeat=4)]
WINDOW = {"x": [-1, 0, -2, -3], "dy": 1}



def filtered(weights: str, place: str, rows: str = "H", columns: str = "W") -> Printed:
    """A convolution with one 3x3 filter, as the documents print it: counted from 1."""
    pads = rf"\text{{ where }} X = 0 \text{{ elsewhere}}, 1 \le i \le {rows}, 1 \le j \le {columns}"
    sums = r"\sum_{a=1}^{3} \sum_{b=1}^{3}"
    return printed(rf"Y_{{ij}} = {sums} w_{{{weights}}} X_{{{place}}} {pads}", 1, w="3 3", X=f"{rows} {columns}")


ENTRIES = (
    Entry(
        "B1a", "RIGHT", "Finite differences are one convolution with two 3x3 filters and padding 1",
        says="Y[0,i,j] = X[i+1,j] - X[i,j], Y[1,i,j] = X[i,j+1] - X[i,j]; true convolution would give backward ones.",
        checks=(
            Prove(DOWN + CENTRED, DIFFERENCE_DOWN),
            Prove(RIGHT + CENTRED, DIFFERENCE_RIGHT),
            Exact(DOWN + CENTRED, X, DOWN_X),
            Exact(RIGHT + CENTRED, X, RIGHT_X),
            Exact(DOWN + TRUE, X, [[-1, -2], [-2, -2]]),
            Output(FiniteDifferences(), [[[1], [2]], [[3], [4]]], [[[2, 1], [2, -2]], [[-3, 1], [-4, -4]]]),
        ),
    ),
    Entry(
        "B1b", "WRONG", "The weights are read at w[l,0,a,b], a, b < 3",
        has="w_{1,(i-1)+a,(j-1)+b}, which leaves the filter (i = 2, a = 3: row 4).",
        checks=(
            Prove(DOWN + CENTRED, DIFFERENCE_DOWN),
            NoSentence(filtered("(i-1)+a,(j-1)+b", "i+a-2,j+b-2", "5", "5"),
                       "i+a reaches 6, but axis 0 of w ends at 2; j+b reaches 6, but axis 1 of w ends at 2"),
        ),
    ),
    Entry(
        "B1c", "WRONG", "The input is read at X[i+a-1,j+b-1], and is 0 below and to the right of the image as well",
        has="X_{(i-1)+a,(j-1)+b}, whose centre is X_{i+1,j+1}; a zero border at the top and the left only.",
        checks=(
            Prove(DOWN + CENTRED, DIFFERENCE_DOWN),
            Prove(f"{DOWN}{CENTRED}; r[j] = Y[H-1,j]", "r[j] = -X[H-1,j] where X: H W"),
            Refute(filtered("ab", "(i-1)+a,(j-1)+b"), CENTRED, {**X, "w": DOWN_W}, ([[-4, 0], [0, 0]], DOWN_X)),
        ),
    ),
    Entry(
        "B2a", "OCR", "Average pooling is the convolution with w[c,d,a,b] = delta_cd/k^2 and stride k",
        has="delta, scanned as an integral sign.",
        checks=(
            Prove(DIAGONAL + BY_WEIGHTS, MEAN),
            Output(FixedConv(((0.25, 0.25), (0.25, 0.25)), stride=2), [[[1], [2]], [[3], [6]]], [[[3]]]),
            Output(AvgPool2d(2), [[[1], [2]], [[3], [6]]], [[[3]]]),
        ),
    ),
    Entry("B2b", "RIGHT", "The output has the shape C x n/k x n/k", (Shape(MEAN, "C m m"),)),
    Entry(
        "B2c", "WRONG", "The sums over the window run to k",
        has="to n/k, which one does not see where n = k^2.",
        checks=(
            Prove(DIAGONAL + BY_WEIGHTS, MEAN),
            Exact(MEAN, {"X": [[[1] * 6] * 6], "k": 2}, [[[1] * 3] * 3]),
            Refute(f"Y[c,i,j] = sum(a<m,b<m) X[c,k*i+a,k*j+b]/k^2 {WINDOWS}, X pads 0, i < m, j < m", MEAN,
                   {"X": [[[1] * 6] * 6], "k": 2, "m": 3}, ("9/4", 1), (0, 0, 0)),
        ),
    ),
    Entry(
        "B2d", "WRONG", "The weights are read at w[c,d,a,b]",
        has="w_{c,d,k(i-1)+a,k(j-1)+b}, which leaves the filter (i = 2).",
        checks=(
            Prove(DIAGONAL + BY_WEIGHTS, MEAN),
            NoSentence("Y[c,i] = sum(d,a<2,b<2) w[c,d,2*i+a,b]*X[d,2*i+a,b] where w: C C 2 2, X: C 4 4, i < 2",
                       "2*i+a reaches 3, but axis 2 of w ends at 1"),
        ),
    ),
    Entry(
        "B3a", "WRONG", "Grey = 0.299 R + 0.587 G + 0.114 B, whose weights sum to 1",
        has="0.581 for green: white becomes 0.994.",
        checks=(
            Exact(GREY, WHITE, [[1]]),
            Prove("s = (0.299 + 0.587 + 0.114)*x[]", "s = x[]"),
            Output(Grey(), [[[1, 1, 1]]], [[[1]]]),
            Refute("Y[i,j] = 0.299*X[0,i,j] + 0.581*X[1,i,j] + 0.114*X[2,i,j] where X: 3 H W", GREY,
                   WHITE, ("0.994", 1), (0, 0)),
        ),
    ),
    Entry(
        "B3b", "WRONG", "The filter has the shape 3x1x1: 3 numbers",
        has="R^{3x3x1}, which are 9; w_{c,1,1} reads 3 of them.",
        checks=(
            Counts(Conv2d(1, 1, bias=False), (5, 4, 3), {"conv2d_1.w": 3}),
            Refute("n = sum(c<3,a<3,b<1) 1", "n = sum(c<3,a<1,b<1) 1", {}, (9, 3)),
        ),
    ),
    Entry(
        "B3c", "RIGHT", "A 1x1 convolution is a linear map of the channels at every pixel",
        checks=(
            Prove("Y[l,i,j] = sum(c,a,b) w[l,c,a,b]*X[c,i+a,j+b] where w: L C 1 1, X: C H W",
                  "Y[l,i,j] = sum(c) w[l,c,0,0]*X[c,i,j] where w: L C 1 1, X: C H W"),
        ),
    ),
    Entry(
        "B4", "RIGHT", "Max-pooling commutes with a function that does not decrease",
        says="Not with -x, not for the mean, not with padding by 0 where sigma(0) != 0. Backward, the orders agree "
             "with relu'(0) = 0; with 1/2 they differ.",
        checks=(
            Prove(POOLED_FIRST, PHI_FIRST),
            Prove("y = relu(max(p) x[p])", "y = max(p) relu(x[p])"),
            Differ("y = -max(i) x[i]", "y = max(i) (-x[i])", {"x": [1, 2]}, (-2, -1)),
            Differ("y = relu(sum(i) x[i]/2) where x: 2", "y = sum(i) relu(x[i])/2 where x: 2",
                   {"x": [-1, 1]}, (0, "1/2")),
            Differ("m[i] = max(p<2) x[i+p] where x: n, x pads 0, i < n; y[i] = exp(m[i])",
                   "e[i] = exp(x[i]) where x: n; y[i] = max(p<2) e[i+p] where e pads 0, i < n",
                   {"x": [-1]}, (1, "exp(-1)"), (0,)),
            Exact(vjp(RELU_POOL, "x"), WINDOW, [0, 0, 0, 0]),
            Exact(vjp(POOL_RELU, "x"), WINDOW, [0, 0, 0, 0]),
            Exact(Derived(RELU_POOL, ("x",), "vjp", HALF), WINDOW, [0, 0, 0, 0]),
            Exact(Derived(POOL_RELU, ("x",), "vjp", HALF), WINDOW, [0, "1/2", 0, 0]),
            Prove(Derived(RELU_POOL, ("x",), "vjp", HALF), f"c = argmax(i) relu(x[i]); dx[i] = [c == i]*{SLOPE}*dy[]"),
            Prove(Derived(POOL_RELU, ("x",), "vjp", HALF),
                  "c = argmax(i) x[i]; m = max(i) x[i]; "
                  "dx[i] = [c == i]*([m > 0] + 1/2*[m == 0])*dy[] where x: n, i < n"),
            Exact(UNLIKE, {"x": ALL_WINDOWS, "z": "1/2"}, 7),
            Exact(UNLIKE, {"x": ALL_WINDOWS, "z": 0}, 0),
        ),
    ),
    Entry("B5", "MISSING", "Problem 5 is skipped", (Skips((1, 2, 3, 4, 6), 5),)),
    # -------------------------------------------------------------------------------------------------------- file C
    Entry(
        "C1a", "WRONG", "With padding 1 the input is read at X[i+a-1,j+b-1]",
        has="X_{i+a-1,j+b-1} from 1, which is X[i+a,j+b]: the formula without padding at the top and the left.",
        checks=(
            Prove(DOWN + CENTRED, DIFFERENCE_DOWN),
            Refute(filtered("ab", "i+a-1,j+b-1"), CENTRED, {**X, "w": CENTRE}, (4, 1), (0, 0)),
        ),
    ),
    Entry(
        "C1b", "WRONG", "With padding 1 the filters have their -1 in the centre",
        says="The document's filters are right with padding (0, 2): nothing at the top and the left.",
        has="-1 at (1,1), +1 at (2,1) and (1,2), from 1: the result is shifted by (1,1).",
        checks=(
            Prove(C_DOWN + UNPADDED, DIFFERENCE_DOWN),
            Prove(C_RIGHT + UNPADDED, DIFFERENCE_RIGHT),
            Refute(C_DOWN + CENTRED, DIFFERENCE_DOWN, X, ([[0, 1], [0, 2]], DOWN_X)),
            Refute(C_RIGHT + CENTRED, DIFFERENCE_RIGHT, X, ([[0, 0], [1, 1]], RIGHT_X)),
        ),
    ),
    Entry(
        "C2a", "RIGHT", "The general convolution without padding; f1 along rows, f2 along columns",
        checks=(
            Prove(
                "Y[l,i,j] = sum(c,a,b) w[l,c,a,b]*X[c,s*i+a,s*j+b] + z[l] where w: L C f1 f2, X: C H W, s = 2",
                "Y[l,i,j] = sum(c,t,u) [0 <= t-s*i < f1 and 0 <= u-s*j < f2]*w[l,c,t-s*i,u-s*j]*X[c,t,u] + z[l] "
                "where w: L C f1 f2, X: C H W, s = 2, i < floor((H-f1)/2)+1, j < floor((W-f2)/2)+1",
            ),
        ),
    ),
    Entry("C2b", "RIGHT", "Average pooling is the convolution with w[l,c,a,b] = delta_lc/k^2",
          (Prove(DIAGONAL + BY_WEIGHTS, MEAN),)),
    Entry(
        "C2c", "RIGHT", "The result is the mean of every k x k window",
        checks=(Prove(DIAGONAL + BY_WEIGHTS, MEAN), Exact(MEAN, {"X": [[[1, 2], [3, 6]]], "k": 2}, [[[3]]])),
    ),
    Entry(
        "C2d", "OCR", "The output has floor((n - f + 2P)/S) + 1 rows, which is m/k where k divides m",
        has="floor bars, scanned as |..|.",
        checks=(
            Shape("Y[i] = sum(a) w[a]*X[S*i+a] where X: n, w: f, S = 3", "floor((n-f)/3)+1"),
            Shape("Y[i] = sum(a<k) X[k*i+a] where X: (k*m), v: k, i < m", "m"),
            Shape("Y[i] = sum(a<2) X[2*i+a] where X: 7", "3"),
            Output(AvgPool2d((2, 1)), [[[i]] for i in range(7)], [[["1/2"]], [["5/2"]], [["9/2"]]]),
        ),
    ),
    Entry(
        "C3", "RIGHT", "Grey by a 1x1 convolution with 0.299, 0.587, 0.114, and no bias",
        checks=(Exact(GREY, WHITE, [[1]]), Prove("Y[i,j] = sum(c) w[c]*X[c,i,j]; Z = sum(i,j) Y[i,j]",
                                                "m[c] = sum(i,j) X[c,i,j]; Z = sum(c) w[c]*m[c]")),
    ),
    Entry(
        "C4", "RIGHT", "sigma and max-pooling commute; the pooling is given by its output size",
        says="The window of an m x n image pooled to k x l is m/k x n/l.",
        checks=(Prove(POOLED_FIRST, PHI_FIRST), Shape(POOLED_FIRST, "m n")),
    ),
    Entry("C5", "MISSING", "Problem 5 is skipped", (Skips((1, 2, 3, 4, 6), 5),)),
)  # fmt: skip
