r"""The words of LaTeX: which command is which letter, function or sign, and what commands mean that have no place here.

    LETTERS    commands that are names            \varepsilon -> epsilon, \ell -> ell
    FONTS      alphabets, whose argument is a name   \mathit{dw}, \mathbf{W}
    ACCENTS    parts of a name                       \bar{x} -> x_bar
    FUNCTIONS  commands and operator names that are functions or reducers
    SIGNS      everything else that is read; SILENT and UNBOXED are what only moves ink
    REFUSED    commands of other notations, with how it is written here
"""

from __future__ import annotations

__all__ = [
    "ACCENTS", "FONTS", "FUNCTIONS", "LETTERS", "REFUSED", "SETS", "SIGNS", "SILENT", "SPOKEN", "TRANSPARENT",
    "UPRIGHT",
]  # fmt: skip

from paperback.notation import words
from paperback.notation.habits import ELSEWHERE

LETTERS = {name: name for name in words.GREEK} | {
    "varepsilon": "epsilon", "vartheta": "theta", "varrho": "rho", "varsigma": "sigma", "varphi": "phi",
    "varpi": "pi", "ell": "ell", "hbar": "hbar", "imath": "i", "jmath": "j",
}  # fmt: skip
UPRIGHT = ("mathrm", "text", "textrm", "mathsf", "textsf", "mbox", "operatorname", "mathop", "mathtt", "texttt")
FONTS = (
    "mathit", "mathbf", "mathcal", "mathscr", "mathfrak", "boldsymbol", "bm", "textit", "textbf", "vec",
    *UPRIGHT,
)  # fmt: skip
ACCENTS = {
    "bar": "bar", "overline": "bar", "hat": "hat", "widehat": "hat", "tilde": "tilde", "widetilde": "tilde",
    "dot": "dot", "ddot": "ddot", "check": "check", "breve": "breve", "underline": "low",
}  # fmt: skip
FUNCTIONS = {name.lower(): name for name in (*words.FUNCTIONS, *words.REDUCERS, *ELSEWHERE)} | {
    "ln": "log", "sgn": "sign", "heaviside": "step", "lse": "logsumexp",
}  # fmt: skip
SPOKEN = {
    "where": "where", "with": "where", "for": "for", "for all": "for", "for every": "for", "if": "if", "when": "if",
    "otherwise": "otherwise", "else": "otherwise", "elsewhere": "elsewhere", "and": "and", "scalar": "scalar",
    "int": "int", "integer": "int", "integers": "int", "function": "function", "increasing": "increasing",
    "size": "size",
}  # fmt: skip
SETS = {"E": r"an expectation is a mean over data: \frac{1}{N} \sum_{n} x_{n}", "C": r"arrays are real: \mathbb{R}"}
SIGNS = {
    "frac": "frac", "tfrac": "frac", "dfrac": "frac", "cfrac": "frac", "sqrt": "sqrt", "sum": "sum",
    "le": "<=", "leq": "<=", "leqslant": "<=", "lt": "<", "ge": ">=", "geq": ">=", "geqslant": ">=", "gt": ">",
    "ne": "!=", "neq": "!=", "mid": "|", "land": "and", "wedge": "and", "cdot": "*", "times": "*", "in": "in",
    "to": "to", "rightarrow": "to", "infty": "inf", "lvert": "lvert", "rvert": "rvert", "lfloor": "lfloor",
    "rfloor": "rfloor", "lceil": "lceil", "rceil": "rceil", "{": "lbrace", "}": "rbrace", "lbrace": "lbrace",
    "rbrace": "rbrace", "dots": "dots", "ldots": "dots", "cdots": "dots", "colon": ":", "coloneqq": "=",
    "leftarrow": "=", "gets": "=", "triangleq": "=", "equiv": "=",
    "vert": "vert", "lbrack": "[", "rbrack": "]",
}  # fmt: skip
SILENT = (
    ", ; : ! quad qquad left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm displaystyle "
    "textstyle scriptstyle limits nolimits nonumber notag thinspace medspace thickspace enspace allowbreak middle"
).split()
TRANSPARENT = (
    "aligned align align* alignat* gathered gather gather* equation equation* split multline multline* math displaymath"
).split()
_INDICES = "write the indices"
REFUSED = {
    "odot": f"{_INDICES}: a_{{i}} b_{{i}}",
    "circ": f"{_INDICES}: a_{{i}} b_{{i}}, or one function inside the other",
    "ast": r"write the sum: \sum_{p} x_{i-p} w_{p}, or without the flip \sum_{p} x_{i+p} w_{p}",
    "star": r"write the sum: \sum_{p} x_{i+p} w_{p}",
    "otimes": f"{_INDICES}: a_{{i}} b_{{j}}",
    "oplus": f"{_INDICES}: a_{{i}} + b_{{i}}",
    "top": f"{_INDICES}; a transposed matrix has them exchanged: W_{{ji}}",
    "intercal": f"{_INDICES}; a transposed matrix has them exchanged: W_{{ji}}",
    "nabla": "a derivative is asked for, not written: formula.vjp(\"x\"); call a given one \\mathit{dx}",
    "partial": "a derivative is asked for, not written: formula.vjp(\"x\"); call a given one \\mathit{dx}",
    "rm": r"write \mathrm{...}",
    "bf": r"write \mathbf{...}",
    "substack": r"write the limits in one row: \max_{p<2,q<2}",
    "prod": r"of positive values: \exp(\sum_{i} \log(x_{i}))",
    "int": "an integral is no sum over indices",
    "lim": "a limit is no sum over indices",
    "lVert": r"write the sum: \sqrt{\sum_{i} x_{i}^{2}}",
    "rVert": r"write the sum: \sqrt{\sum_{i} x_{i}^{2}}",
    "|": r"write the sum: \sqrt{\sum_{i} x_{i}^{2}}",
    "Vert": r"write the sum: \sqrt{\sum_{i} x_{i}^{2}}",
    "lor": r"take the larger of two brackets: \max([a < b], [c < d])",
    "vee": r"take the larger of two brackets: \max([a < b], [c < d])",
    "neg": "turn the comparison around: [a \\ge b] where [a < b] is false",
    "lnot": "turn the comparison around: [a \\ge b] where [a < b] is false",
    "sim": "a formula computes; draw random numbers outside and pass them in",
    "approx": "write the formula with =",
    "propto": "write the formula with =, and the constant in it",
    "langle": f"{_INDICES}: \\sum_{{i}} a_{{i}} b_{{i}}",
    "rangle": f"{_INDICES}: \\sum_{{i}} a_{{i}} b_{{i}}",
    "vdots": "write the bounds: \\sum_{i=0}^{N-1}",
    "det": "matrix functions are not part of the notation",
    "pm": "write two formulas, one with + and one with -",
    "div": r"write \frac{a}{b}",
    "bmod": r"write the remainder out, or a condition [2 \mid i]",
    "sup": r"write \max_{i}",
    "inf": r"write \min_{i}",
}
