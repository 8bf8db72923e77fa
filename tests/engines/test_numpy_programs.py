"""Programs on the NumPy engine: gradients against plain loops, batches, updates, memory, and what is refused."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from tests.engines.loops import Loops, evaluate
from tests.engines.test_numpy import CASES, case, same

from paperback.calculus import derive
from paperback.engines.numpy import Runner, compile, run
from paperback.errors import EngineError
from paperback.notation.block import Block
from paperback.notation.expr import Tensor
from paperback.notation.read import read
from paperback.notation.size import Size
from paperback.notation.walk import map_statement, with_sizes
from paperback.program.backward import gradients, prune
from paperback.program.program import Program, ProgramTensor


def program_of(text, outputs, roles, updates=None, integers=(), **axes):
    """A Program from statements; `roles` of its inputs (the others are inputs)."""
    axes = {name: tuple(map(Size.of, shape)) for name, shape in axes.items()}
    block = read(text, axes=axes, scalars=[n for n, r in roles.items() if r == "scalar"], integers=integers)
    tensors = {
        name: ProgramTensor(name, t.axes, roles.get(name, "input"), t.integer) for name, t in block.inputs.items()
    }
    tensors |= {name: ProgramTensor(name, (), "scalar") for name in block.scalars}
    for s in block.statements:
        tensors[s.target] = ProgramTensor(s.target, s.axes, "intermediate", block.tensor(s.target).integer)
    new = {}
    for target, update in (updates or {}).items():
        known = {**axes, **{s.target: s.axes for s in block.statements}}
        scalars = [n for n, r in roles.items() if r == "scalar"]
        new[target] = read(update, axes=known, scalars=scalars, updates=True).result
    return Program(tensors, block.statements, tuple(outputs), new)


def by_loops(program, arrays):
    """Outputs and updates by plain loops."""
    loops = Loops({n: np.asarray(a) for n, a in arrays.items()})
    batch = next(
        (len(arrays[t.name]) for t in program.inputs if t.axes and t.axes[0] == Size.of("N") and t.name in arrays), 1
    )
    known = {"N": batch}
    with np.errstate(all="ignore"):
        for s in program.statements:
            loops.statement(map_statement(s, lambda n: with_sizes(n, known), lambda a: a.with_sizes(known)))
        old = dict(loops.arrays)
        new = {}
        for name, s in program.updates.items():
            loops.arrays = dict(old)
            new[name] = loops.statement(map_statement(s, lambda n: with_sizes(n, known), lambda a: a.with_sizes(known)))
    return {**{name: np.asarray(old[name]) for name in program.outputs}, **new}


NET = """
c[n,i,j,k] = sum(p,q,r) x[n,i+p,j+q,r]*w[p,q,r,k] + b[k]
a[n,i,j,k] = relu(c[n,i,j,k])
m[n,i,j,k] = max(p,q) a[n,2*i+p,2*j+q,k] where p < 2, q < 2
f[n,12*i+4*j+k] = m[n,i,j,k]
z[n,o] = sum(i) f[n,i]*v[i,o] + d[o]
loss = (sum(n) ((logsumexp(k) z[n,k]) - z[n,t[n]])) / N
"""
SHAPES = {"x": ("N", 6, 7, 2), "w": (3, 2, 2, 4), "b": (4,), "v": (24, 3), "d": (3,), "t": ("N",)}


def network():
    roles = dict.fromkeys("wbvd", "parameter") | {"t": "label"}
    return program_of(NET, ["loss"], roles, integers=["t"], **SHAPES)


def training():
    program, held = gradients(network(), "loss", ["w", "b", "v", "d", "x"])
    return prune(replace(program, outputs=("loss", *held.values()))), held


def network_arrays(batch, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {n: tuple(batch if a == "N" else a for a in axes) for n, axes in SHAPES.items()}
    arrays = {n: rng.normal(size=s) * 0.5 for n, s in shapes.items() if n != "t"}
    return {**arrays, "t": rng.integers(0, 3, batch)}


@pytest.mark.parametrize("batch", [1, 2])
def test_training_step_against_loops(batch):
    program, held = training()
    arrays = network_arrays(batch)
    expected = by_loops(program, arrays)
    for limit in (1 << 28, 3000, 300):
        step = compile(program, "float64", limit)
        got = step(arrays)
        assert got.keys() == expected.keys() == {"loss", *held.values()}
        same(got, expected)
    small = compile(program)(arrays)
    assert all(a.dtype == np.float32 for a in small.values())
    same(small, expected, 2e-5)


def test_plans_are_made_once_per_batch_size():
    program, _ = training()
    step = compile(program, "float64")
    for batch in (3, 2, 3, 1, 2):
        arrays = network_arrays(batch, seed=batch)
        same(step(arrays), compile(program, "float64")(arrays), 0)
    assert list(step._plans) == [3, 1, 2]


DERIVED = [
    name for name in CASES
    if name not in ("scalar_statement", "one_hot", "integer_value", "count", "argmax", "argmin", "argmax_pool",
                    "argmin_pool", "argmax_guarded", "argmax_guarded_pool", "constant", "pool_back", "functions",
                    "no_axes", "index_in_sum")
]  # fmt: skip


@pytest.mark.parametrize("name", DERIVED)
def test_gradients_of_every_formula(name):
    """The delta form of every adjoint, in the kernel form and in blocks, against loops over the delta form itself."""
    block, arrays, sizes = case(name, seed=5)
    floats = [n for n, t in block.inputs.items() if not t.integer and n in arrays]
    if not floats:
        pytest.skip("nothing to differentiate")
    backward = derive.backward(block, floats)
    result = evaluate(block, arrays, sizes)[block.result.target]
    given = {**arrays, backward.cotangent: np.random.default_rng(6).normal(size=result.shape)}
    expected = evaluate(backward.block, given, sizes)
    for limit in (1 << 28, 200):
        same(run(backward.block, given, sizes, memory_limit=limit), expected, 1e-9)


def test_updates_read_old_values():
    program = program_of(
        "g[i] = 2*w[i] - x[i]\nloss = sum(i) g[i]^2",
        ["loss"],
        {"w": "parameter", "u": "optimizer", "lr": "scalar"},
        {"u": "u[i] = 0.9*u[i] + g[i]", "w": "w[i] = w[i] - lr*(0.9*u[i] + g[i])"},
        w=(3,), u=(3,), x=(3,), g=(3,),
    )  # fmt: skip
    program = replace(program, tensors={**program.tensors, "lr": ProgramTensor("lr", (), "scalar")})
    arrays = {"w": np.ones(3), "u": np.full(3, 2.0), "x": np.arange(3.0), "lr": 0.5}
    got = compile(program, "float64")(arrays)
    assert list(got) == ["loss", "u", "w"]
    g = 2 * arrays["w"] - arrays["x"]
    np.testing.assert_allclose(got["u"], 1.8 + g)
    np.testing.assert_allclose(got["w"], 1 - 0.5 * (1.8 + g))
    np.testing.assert_array_equal(arrays["u"], 2)
    same(got, by_loops(program, arrays))


def test_outputs_that_are_inputs_are_copies():
    program = program_of("y[n,i] = x[n,i]", ["y", "x"], {}, x=("N", 3))
    x = np.ones((2, 3))
    got = compile(program, "float64")({"x": x})
    for array in got.values():
        np.testing.assert_array_equal(array, x)
        assert not np.may_share_memory(array, x) and array.flags.writeable


def test_intermediates_are_forgotten():
    text = "\n".join(f"y{k + 1}[n,i] = y{k}[n,i] + 1" for k in range(20))
    program = program_of(text, ["y20"], {}, y0=("N", 1000))
    step = compile(program, "float64")
    y = np.zeros((100, 1000))
    step({"y0": y})
    tracemalloc.start()
    result = step({"y0": y})["y20"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result[0, 0] == 20 and peak < 3.5 * y.nbytes


MEMORY = {
    "select": ("y[q,d] = sum(m) [a[q,m] > b[d]]*v[m,d]*u[q]", {"a": (99, 200), "v": (200, 60), "u": (99,), "b": (60,)}),
    "elementwise": ("y[i,k] = sum(j) exp(a[i,j] - b[j,k])", {"a": (150, 100), "b": (100, 120)}),
    "windows": ("y[i,j,k] = sum(p,q,r) x[i+p,j+q,r]*w[p,q,r,k]", {"x": (60, 60, 8), "w": (5, 5, 8, 4)}),
    "gradient": (
        "dx[t,u,r] = sum(p,q,k) dy[t-p,u-q,k]*w[p,q,r,k] where dy pads 0, t < 60, u < 60",
        {"dy": (56, 56, 8), "w": (5, 5, 4, 8)},
    ),
    "long_max": ("y[i] = max(j) (a[i,j]*b[j])", {"a": (300, 4000), "b": (4000,)}),
    "logsumexp": ("y[i,k] = logsumexp(j) (a[i,j] + b[j,k])", {"a": (150, 100), "b": (100, 120)}),
}  # fmt: skip


@pytest.mark.parametrize("name", MEMORY)
def test_memory_is_bounded(name):
    """A few temporaries live at a time, none greater than the limit; in full they would be many times that."""
    text, shapes = MEMORY[name]
    rng = np.random.default_rng(0)
    arrays = {n: rng.normal(size=s) for n, s in shapes.items()}
    block, limit = read(text), 1 << 18
    expected = run(block, arrays)["y" if "y" in text[:2] else "dx"]
    run(block, arrays, memory_limit=limit)
    tracemalloc.start()
    (result,) = run(block, arrays, memory_limit=limit).values()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-12)
    assert peak < result.nbytes + 5 * limit


def test_refusals():
    program, _ = training()
    step = compile(program, "float64")
    good = network_arrays(3)
    cases = [
        ({"w": None}, "no array for w\n  needed: "),
        ({"w": np.ones((3, 2, 2, 5))}, "w has the wrong shape\n  needed: (3, 2, 2, 4)\n  given: (3, 2, 2, 5)"),
        ({"x": np.ones((3, 6, 6, 2))}, "x has the wrong shape\n  needed: (3, 6, 7, 2) = (N, 6, 7, 2)\n  given: (3,"),
        ({"x": np.ones((6, 7, 2))}, "x has 3 axes\n  needed: 4, (N, 6, 7, 2)\n  given: (6, 7, 2)"),
        ({"t": np.zeros(2, dtype=int)}, "the batch has different sizes: 3 in x, 2 in t"),
        ({"x": np.ones((0, 6, 7, 2)), "t": np.zeros(0, dtype=int)}, "the batch is empty"),
        ({"t": np.zeros(3)}, "t holds float64\n  needed: integers"),
        ({"t": np.array([0, 3, 1])}, "index 3 at n = 1 is out of range for axis 1 of z"),
        ({"b": np.array(["a"] * 4)}, "b holds <U1\n  needed: real numbers"),
        ({"b": np.ones(4) * 1j}, "b holds complex128"),
    ]  # fmt: skip
    for change, words in cases:
        given = {n: a for n, a in {**good, **change}.items() if a is not None}
        with pytest.raises(EngineError) as error:
            step(given)
        assert words in str(error.value), str(error.value)
    assert len(cases) == 10
    with pytest.raises(EngineError, match="float32 or float64"):
        compile(program, "float16")


def test_a_runner_can_be_made_by_hand():
    block = Block(read("y[i] = x[i]^2").statements, {"x": Tensor("x", (Size.of(3),))})
    program = Program({"x": ProgramTensor("x", (Size.of(3),), "input")}, (), ("x",))
    assert Runner(program, "float64")({"x": [1, 2, 3]})["x"].tolist() == [1, 2, 3]
    assert block.result.target == "y"


def test_an_empty_loop_of_a_program_is_an_error():
    block = read("y[n,i] = x[n,i+1] where x: N H, i < H-1").at({"H": 1})
    tensors = {"x": ProgramTensor("x", (Size.of("N"), Size.of(1)), "input")}
    tensors["y"] = ProgramTensor("y", block.result.axes, "output")
    step = compile(Program(tensors, block.statements, ("y",)))
    for batch, words in ((0, "the batch is empty"), (2, "index i of y has 0 values")):
        with pytest.raises(EngineError, match=words):
            step({"x": np.ones((batch, 1))})
