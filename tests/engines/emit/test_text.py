"""The text itself: formulas as a reader sees them, width, linter, names, and the words of each refusal."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.calculus.formulas import CASES

import paperback as pb
from paperback.cli.main import main
from paperback.engines.emit import TARGETS
from paperback.engines.emit.repeats import named
from paperback.errors import FormulaError

GOLDEN = Path(__file__).parent / "golden"

CONV = 'C[i,j,k] = sum(p,q,r) x[2*i+p,2*j+q,r]*w[p,q,r,k] + b[k] where x: H W R'
ATTENTION = """s[q,m] = sum(d) Q[q,d]*K[m,d]/sqrt(D) where Q: T D, K: T D
               A[q,m] = [m <= q]*exp(s[q,m] - logsumexp(u | u <= q) s[q,u])
               y[q,e] = sum(m) A[q,m]*V[m,e]"""
SHOWN = {
    "dense.numpy": ("y[n,o] = sum(i) x[n,i]*w[i,o] + b[o]", "numpy", ("forward", "vjp", "jvp"), "dense"),
    "conv2d_stride_2.numpy": (CONV, "numpy", ("forward", "vjp"), "conv2d"),
    "conv2d_stride_2.torch": (CONV, "torch", "autograd", "conv2d"),
    "conv2d_stride_2.jax": (CONV, "jax", "vjp", "conv2d"),
    "max_pool.numpy": (
        "y[i,j,c] = max(p<2,q<2) x[2*i+p,2*j+q,c] where x: H W C", "numpy", ("forward", "vjp"), "max_pool"
    ),
    "laplacian.numpy": (
        "y[i,j] = x[i+1,j] + x[i-1,j] + x[i,j+1] + x[i,j-1] - 4*x[i,j] where x: N M, x pads 0, i < N, j < M",
        "numpy", ("forward", "vjp"), "laplacian",
    ),
    "softmax_cross_entropy.torch": (
        "l[n] = logsumexp(k) z[n,k]; J = sum(n) (l[n] - z[n,label[n]])/N where z: N K, label: N, label int",
        "torch", "autograd", "softmax_cross_entropy",
    ),
    "causal_attention.numpy": (ATTENTION, "numpy", ("forward", "vjp"), "attention"),
    "causal_attention.jax": (ATTENTION, "jax", "custom_vjp", "attention"),
}  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_what_a_reader_sees(name: str) -> None:
    """PYTHONPATH=src:. python -m tests.engines.emit.test_text writes the texts again: read them."""
    text, target, what, called = SHOWN[name]
    assert pb.formula(text).source(target, what, name=called) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_the_page_shows_what_comes_out() -> None:
    page = (Path(__file__).parents[3] / "docs" / "source.md").read_text(encoding="utf-8")
    for name in ("conv2d_stride_2.numpy", "softmax_cross_entropy.torch", "causal_attention.jax"):
        assert (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").strip() in page, name
    shown = re.search(r"```console\n\$ paperback (derive .*)\n((?:.*\n)*?)```", page)
    assert shown is not None
    ran = CliRunner().invoke(main, shlex.split(shown[1]))
    assert ran.stdout == shown[2]


def test_what_is_computed_twice_gets_a_name() -> None:
    """But for what loops count, and what is assigned or added to in between; in a name, x.reshape is not dx.reshape."""
    lines = [
        "    a = np.exp(s - l) * g", "    b = np.exp(s - l) + x.reshape(2, 3)", "    c = dx.reshape(2, 3)",
        "    total = np.zeros((3,))", "    for p in range(3):", "        total[p] += np.exp(w[p])",
        "        total[p] += np.exp(w[p])", "    d = np.tanh(total)", "    total[0] += 1", "    e = np.tanh(total)",
    ]  # fmt: skip
    found = named(lines, lambda hint: hint)
    assert found[:3] == ["    exp = np.exp(s - l)", "    a = exp * g", "    b = exp + x.reshape(2, 3)"]
    assert found[3:] == lines[2:]
    inside = ["    for p in range(3):", "        t[p] = np.exp(s)", "        u[p] = np.exp(s)"]
    assert named(inside, lambda hint: hint)[:2] == ["    exp = np.exp(s)", "    for p in range(3):"]
    inside = ["    for p in range(3):", "        v = x[p]", "        t[p] = np.exp(v)", "        u[p] = np.exp(v)"]
    assert named(inside, lambda hint: hint) == inside


def test_every_text_is_narrow_and_clean(tmp_path: Path) -> None:
    """Whatever the formula, no line is longer than 99 columns and ruff finds nothing."""
    written = 0
    for number, case in enumerate(CASES):
        formula = case.formula()
        target = TARGETS[number % 3]
        for what in ("forward", "vjp", "jvp"):
            text = formula.source(target, what)
            compile(text, case.id, "exec")
            assert max(map(len, text.splitlines())) < 100, text
            assert not any(line != line.rstrip() for line in text.splitlines()), text
            (tmp_path / f"text_{number}_{what}.py").write_text(text, encoding="utf-8")
            written += 1
    assert written == 3 * len(CASES)
    if find_spec("ruff") is None:
        pytest.skip("ruff is not installed")
    ran = subprocess.run([sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", str(tmp_path)],
                         capture_output=True, text=True, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "fortran"}, "no target is called 'fortran'\n  there is numpy, torch, jax"),
        ({"target": "pytorch"}, "no target is called 'pytorch'\n  did you mean torch?"),
        ({"what": "gradient"},
         "a source is not made of 'gradient'\n  did you mean autograd?"),
        ({"what": "autograd"}, 'autograd is a word of torch, not of numpy\n  write target="torch", or what="vjp"'),
        ({"target": "jax", "what": ("forward", "custom_vjp")},
         'custom_vjp is a forward and a vjp already\n  write what="custom_vjp"'),
        ({"what": "derivative"}, 'a derivative is by one input, not by x and w\n  write wrt="x"'),
        ({"what": "vjp", "wrt": "z"}, "z is no tensor of this formula; there is no derivative by it\n"
                                      "  its tensors are x, w"),
        ({"what": "vjp", "wrt": ()}, "there is no input to differentiate by\n"
                                     "  name one that holds floats, or ask for the forward"),
        ({"what": ()}, 'nothing is asked for\n  write what="forward"'),
        ({"name": "2d"}, "'2d' is no name for a function\n  write for example name=\"conv2d\""),
    ],
)  # fmt: skip
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        pb.formula("y = sum(i) x[i]*w[i]").source(**options)
    assert str(caught.value) == message


def test_names_that_python_or_a_library_has() -> None:
    """A tensor called lambda or F, a size O, a function that is open."""
    formula = pb.formula("F[i,o] = lambda[i]*phi(O*x[i]) where o < O, phi function", free="O")
    text = formula.source("torch", name="f")
    assert "def f(lambda_, x, free, *, phi):" in text and "return F_" in text and "broadcast_to" in text
    text = pb.formula("y[i] = x[i]*pad where x: H, x pads 0, i < H, pad scalar").source()
    assert "def forward(x, pad):" in text
    text = pb.formula("y[i] = x[2*i] where x: (2*I)").source()
    assert "n_i = x.shape[0] // 2" in text


if __name__ == "__main__":
    for name, (text, target, what, called) in SHOWN.items():
        (GOLDEN / f"{name}.txt").write_text(pb.formula(text).source(target, what, name=called), encoding="utf-8")
