"""The elementary functions in machine code against mpmath: two units in the last place, on every target and length."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from math import ldexp
from typing import Any

import numpy as np
import pytest
from mpmath import mp
from tests.engines.llvm.minimax import ERF_MEETS, PROBLEMS, TANH_MEETS, coefficients

from paperback.engines.llvm.functions import polynomials
from paperback.engines.llvm.functions.elementary import FUNCTIONS, Definition, definition, power
from paperback.engines.llvm.functions.polynomials import COEFFICIENTS
from paperback.engines.numpy.functions import FUNCTIONS as NUMPY
from paperback.engines.numpy.functions import raise_to

llvm = pytest.importorskip("llvmlite.binding")

Array = np.ndarray[Any, Any]

TYPES = {"float": np.float32, "double": np.float64}
NATIVE_LANES = (1, 3, 4, 8, 16)
LANES = {"native": NATIVE_LANES, "haswell": (1, 8), "x86-64": (1, 3, 8)}
EXPONENTS = [Fraction(e) for e in "2 3 64 -1 -3 1/2 -1/2 3/2 1/3 -2/3 7/5 65 100 1001/10 2001 1/1000".split()]
POWER_BOUNDS = {Fraction(64): 64.0, Fraction(1, 2): 0.5}  # 6 squarings, each of which doubles the error before it
CASES = [(name, element) for name in FUNCTIONS for element in TYPES]


def softplus(x: Any) -> Any:
    return x + mp.log1p(mp.exp(-x)) if x > 0 else mp.log1p(mp.exp(x))


REFEREES: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": softplus,
    **{name: getattr(mp, name) for name in FUNCTIONS if name not in ("sigmoid", "softplus")},
}
BOUNDS = {  # units in the last place: float, double
    "exp": (1.2, 1.2),
    "expm1": (1.1, 1.1),
    "log": (0.8, 0.8),
    "log1p": (1.4, 1.3),
    "sqrt": (0.5, 0.5),
    "sin": (0.51, 0.8),
    "cos": (0.51, 0.8),
    "tan": (0.51, 1.25),
    "tanh": (1.55, 1.4),
    "sigmoid": (2.0, 1.75),
    "softplus": (1.7, 1.55),
    "erf": (1.2, 1.15),
}
LOWEST = {"log": 0.0, "sqrt": 0.0, "log1p": -1.0}  # of the domain


# --- compiling -------------------------------------------------------------------------------------------------------


def loop(target: Definition, element: str, lanes: int) -> str:
    """A function y[i] = f(x[i]) over n numbers, n a multiple of the lanes."""
    kind = element if lanes == 1 else f"<{lanes} x {element}>"
    return f"""
define void @run.{target.symbol}(ptr %x, ptr %y, i64 %n) {{
entry:
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %j, %head ]
  %p = getelementptr {element}, ptr %x, i64 %i
  %q = getelementptr {element}, ptr %y, i64 %i
  %a = load {kind}, ptr %p, align 4
  %b = call {kind} @{target.symbol}({kind} %a)
  store {kind} %b, ptr %q, align 4
  %j = add i64 %i, {lanes}
  %more = icmp slt i64 %j, %n
  br i1 %more, label %head, label %end
end:
  ret void
}}
"""


def machine_for(cpu: str, codemodel: str = "jitdefault") -> Any:
    host = cpu == "native"
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name() if host else cpu,
        features=llvm.get_host_cpu_features().flatten() if host else "",
        opt=2,
        codemodel=codemodel,
    )


class Compiled:
    """Functions of vectors as functions of arrays."""

    def __init__(self, cases: list[tuple[Definition, str, int]], cpu: str) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        texts, declarations = {}, set()
        pending = [definition for definition, _, _ in cases]
        while pending:
            one = pending.pop()
            texts[one.symbol] = one.text
            declarations |= one.declarations
            pending.extend(one.needs)
        loops = [loop(*case) for case in cases]
        module = llvm.parse_assembly("\n".join([*texts.values(), *sorted(declarations), *loops]))
        module.verify()
        self.text = str(module)
        self.engine = llvm.create_mcjit_compiler(module, machine_for(cpu))
        self.engine.finalize_object()

    def __call__(self, symbol: str, lanes: int, x: Array) -> Array:
        address = self.engine.get_function_address(f"run.{symbol}")
        run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(address)
        padded = np.zeros(-(-len(x) // lanes) * lanes, x.dtype)
        padded[: len(x)] = x
        y = np.empty_like(padded)
        run(padded.ctypes.data, y.ctypes.data, len(padded))
        return y[: len(x)]


@cache
def compiled(cpu: str, element: str) -> Compiled:
    cases = [(definition(name, element, lanes), element, lanes) for name in FUNCTIONS for lanes in LANES[cpu]]
    cases += [(power(exponent, element, 8), element, 8) for exponent in EXPONENTS]
    return Compiled(cases, cpu)


def bound_of(name: str, element: str) -> float:
    return BOUNDS[name][list(TYPES).index(element)]


def values(cpu: str, name: str, element: str, lanes: int, x: Array) -> Array:
    return compiled(cpu, element)(definition(name, element, lanes).symbol, lanes, x)


# --- samples and the referee -----------------------------------------------------------------------------------------


@cache
def samples(element: str) -> Array:
    """Every magnitude, more where functions bend, and the neighbours of the places where formulas meet."""
    dtype = TYPES[element]
    random = np.random.default_rng(1)
    integer = np.dtype(f"i{np.dtype(dtype).itemsize}")
    bits = random.integers(np.iinfo(integer).min, np.iinfo(integer).max, 600, dtype=integer)
    x = [bits.view(dtype), *(random.normal(0, scale, 250).astype(dtype) for scale in (0.1, 1, 10, 100))]
    x += [random.uniform(-1.2, 1.2, 300).astype(dtype), (1 + random.normal(0, 0.05, 150)).astype(dtype)]
    meets = [0.5, 0.625, 0.9375, 1, 2, 4, 6, 0.41421357, -0.29289323, 0.34657359, 88.72284, -87.33655, -103.97208]
    meets += [709.782712893384, -708.3964185322641, -745.1332191019412, 17.33, 37.0, 3.1415927, 1.5707964]
    edges = np.array([*meets, *(-m for m in meets)], dtype)
    for _ in range(3):
        x += [edges]
        edges = np.nextafter(edges, dtype(np.inf))
    result = np.concatenate(x)
    return result[np.isfinite(result)]


def specials(element: str) -> Array:
    dtype = TYPES[element]
    info = np.finfo(dtype)
    sizes = [0.0, np.inf, info.tiny, info.smallest_subnormal, info.max, 1.0]
    return np.array([*sizes, *(-s for s in sizes), np.nan], dtype)


def inside(name: str, element: str) -> Array:
    x = samples(element)
    return x[x > LOWEST[name]] if name in LOWEST else x


@cache
def exact(name: str, element: str) -> list[Any]:
    with mp.workdps(360 if name in ("sin", "cos", "tan") else 50):
        return [REFEREES[name](mp.mpf(float(v))) for v in inside(name, element)]


def units(y: Array, right: list[Any]) -> Array:
    """Errors in units of the last place of the right value."""
    info = np.finfo(y.dtype)
    errors = np.empty(len(y))
    with mp.workdps(50):
        largest = mp.mpf(float(info.max)) * (1 + mp.ldexp(1, -info.nmant - 2))
        for i, (value, truth) in enumerate(zip(y, right, strict=True)):
            exponent = mp.frexp(truth)[1] - 1 if truth else -10_000
            unit = mp.ldexp(1, max(exponent, info.minexp) - info.nmant)
            if np.isfinite(value):
                errors[i] = abs(mp.mpf(float(value)) - truth) / unit
            else:
                errors[i] = 0 if np.isinf(value) and abs(truth) >= largest and (truth > 0) == (value > 0) else np.inf
    return errors


# --- laws ------------------------------------------------------------------------------------------------------------


def turned(case: tuple[str, str]) -> list[pytest.MarkDecorator]:
    """Each function in one precision; in the long suite in both."""
    name, element = case
    return [pytest.mark.long] if (sorted(FUNCTIONS).index(name) + list(TYPES).index(element)) % 2 else []


@pytest.mark.parametrize(("name", "element"), [pytest.param(*case, marks=turned(case)) for case in CASES])
def test_accuracy(name: str, element: str) -> None:
    x, right = inside(name, element), exact(name, element)
    assert len(x) > 800
    row = [f"{name:9}{element:7}"]
    for cpu in LANES:
        errors = units(values(cpu, name, element, 8, x), right)
        worst = int(errors.argmax())
        row.append(f"{cpu} {errors[worst]:.2f} at {x[worst]:.9g}".ljust(32))
        assert errors[worst] <= bound_of(name, element), row
    print(*row)


def scan(name: str, first: float, last: float, stride: int) -> int:
    """float32 from first to last, of both signs, against the NumPy engine in float64; how many numbers that were."""
    ends = np.array([first, last], np.float32).view(np.uint32)
    bits = np.arange(ends[0], ends[1], stride, dtype=np.uint32)
    x = np.concatenate([bits, bits | np.uint32(1 << 31)]).view(np.float32)
    x = x[x > LOWEST.get(name, -np.inf)]
    with np.errstate(over="ignore", invalid="ignore"):
        right = NUMPY[name](x.astype(np.float64))
    kept = np.abs(right) <= float(np.finfo(np.float32).max)
    x, right = x[kept], right[kept]
    unit = np.ldexp(1.0, np.maximum(np.frexp(right)[1] - 1, -126) - 23)
    for cpu in LANES:
        errors = np.abs(values(cpu, name, "float", 8, x).astype(np.float64) - right) / unit
        worst = int(errors.argmax())
        assert errors[worst] <= bound_of(name, "float"), (cpu, x[worst], errors[worst])
    return len(x)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_accuracy_on_numbers_of_usual_size(name: str) -> None:
    assert scan(name, 2.0**-6, 128.0, 311) > 300_000


@pytest.mark.long
@pytest.mark.parametrize("name", FUNCTIONS)
def test_accuracy_on_many_floats(name: str) -> None:
    edges = [0.0, *(2.0**k for k in range(-120, 128, 8)), float(np.finfo(np.float32).max)]
    assert sum(scan(name, low, high, 41) for low, high in itertools.pairwise(edges)) > 40_000_000


@pytest.mark.parametrize(("name", "element"), CASES)
def test_the_number_of_lanes_changes_no_bit(name: str, element: str) -> None:
    x = np.concatenate([inside(name, element), specials(element)])
    compared = 0
    for cpu, lengths in LANES.items():
        expected = values(cpu, name, element, 8, x)
        for lanes in lengths:
            found = values(cpu, name, element, lanes, x)
            np.testing.assert_array_equal(found, expected)
            np.testing.assert_array_equal(np.signbit(found), np.signbit(expected), strict=True)
            compared += len(x)
    assert compared > 8000


@pytest.mark.parametrize(("name", "element"), CASES)
def test_special_values_are_those_of_the_numpy_engine(name: str, element: str) -> None:
    x = np.concatenate([samples(element), specials(element)])
    with np.errstate(all="ignore"):
        right = NUMPY[name](x)
    for cpu in LANES:
        y = values(cpu, name, element, 8, x)
        numbers = ~np.isnan(right)
        np.testing.assert_array_equal(np.isnan(y), ~numbers)
        np.testing.assert_array_equal(np.signbit(y[numbers]), np.signbit(right[numbers]))
        y, right_here = y[-len(specials(element)) :], right[-len(specials(element)) :]
        infinite = ~np.isfinite(right_here) | (right_here == 0)
        np.testing.assert_array_equal(y[infinite], right_here[infinite])


def nearly_whole_quarters(element: str) -> Array:
    """m 2^E as near to a multiple of pi/2 as can be: m is the denominator of a convergent of 2^E 2/pi."""
    bits, exponents = (24, range(-20, 104, 3)) if element == "float" else (53, range(-50, 970, 12))
    found = []
    with mp.workdps(400):
        for exponent in exponents:
            rest, before, m = mp.ldexp(2 / mp.pi, exponent), 0, 1
            rest -= mp.floor(rest)
            while True:
                rest = 1 / rest
                digit = int(mp.floor(rest))
                rest -= digit
                if digit * m + before >= 2**bits:
                    break
                before, m = m, digit * m + before
            found.append(ldexp(m, exponent))
    return np.array([*found, *(-x for x in found)], TYPES[element])


@pytest.mark.parametrize("element", TYPES)
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_next_to_a_multiple_of_a_quarter_turn(name: str, element: str) -> None:
    turns = np.arange(1, 2_000_000, 33_331)
    x = np.concatenate([nearly_whole_quarters(element), (turns * (np.pi / 2)).astype(TYPES[element])])
    with mp.workdps(400):
        right = [REFEREES[name](mp.mpf(float(v))) for v in x]
    assert len(x) > 140 and min(abs(v) for v in right) < (1e-5 if element == "float" else 1e-14)
    for cpu in LANES:
        assert units(values(cpu, name, element, 8, x), right).max() <= bound_of(name, element)


@pytest.mark.parametrize("element", TYPES)
@pytest.mark.parametrize("exponent", EXPONENTS, ids=str)
def test_powers(exponent: Fraction, element: str) -> None:
    """Against mpmath where one rounding is promised, and for signs, inf and NaN against the NumPy engine."""
    dtype = TYPES[element]
    x = np.concatenate([samples(element)[::3], np.linspace(0.7, 1.4, 99).astype(dtype), specials(element)])
    with np.errstate(all="ignore"):
        like = raise_to(x, exponent)
    positive = np.isfinite(x) & (x > 0)
    if exponent < 0 or exponent.denominator < 3:  # the reciprocal of what overflows or vanishes is 0 or inf
        positive &= np.isfinite(like) & (np.abs(like) >= np.finfo(dtype).tiny)
    rounded = mp.mpf(float(dtype(float(exponent))))
    with mp.workdps(50):
        right = [mp.mpf(float(v)) ** rounded for v in x[positive]]
    bound = POWER_BOUNDS.get(exponent, 4.0)
    if exponent.denominator > 2 or exponent > 64:
        bound = 1.5 if exponent < 0 else 0.51 if element == "float" else 1.1
    assert positive.sum() > 40
    for cpu in LANES:
        y = compiled(cpu, element)(power(exponent, element, 8).symbol, 8, x)
        errors = units(y[positive], right)
        assert errors.max() <= bound, (cpu, x[positive][errors.argmax()], errors.max())
        for property_ in (np.isnan, np.isinf):
            np.testing.assert_array_equal(property_(y), property_(like))
        numbers = ~np.isnan(like)
        np.testing.assert_array_equal(np.signbit(y[numbers]), np.signbit(like[numbers]))


@pytest.mark.parametrize("element", TYPES)
def test_enormous_exponents(element: str) -> None:
    """Even ones: what is not 1 goes to 0 or inf."""
    x = np.concatenate([samples(element)[:400], specials(element)])
    with np.errstate(all="ignore"):
        right = np.power(x.astype(np.float64), 1e306)
    for exponent in (10**306, 10**400):
        huge = power(Fraction(exponent), element, 8)
        np.testing.assert_array_equal(Compiled([(huge, element, 8)], "x86-64")(huge.symbol, 8, x), right)


@pytest.mark.parametrize("element", TYPES)
def test_only_other_functions_of_ours_are_called(element: str) -> None:
    """Without FMA an operation may become a call of libm."""
    module = compiled("x86-64", element).text
    assembly = machine_for("x86-64", codemodel="small").emit_assembly(llvm.parse_assembly(module))
    called = {line.split()[1] for line in assembly.splitlines() if line.split()[:1] in (["callq"], ["jmp"])}
    called = {symbol for symbol in called if not symbol.startswith(".L")}
    assert {definition(name, element, 8).symbol for name in FUNCTIONS} <= called
    assert all(symbol.partition(".")[0] in {*FUNCTIONS, "power", "powerminus"} for symbol in called), called


SOME = [
    pytest.param(key, marks=[pytest.mark.long] if place % 4 else []) for place, key in enumerate(sorted(PROBLEMS))
]


@pytest.mark.parametrize("key", SOME)
def test_the_polynomials_are_those_derived(key: tuple[str, str]) -> None:
    found, error = coefficients(PROBLEMS[key])
    assert tuple(found) == COEFFICIENTS[key] and error <= PROBLEMS[key].bound


def test_the_polynomials_are_complete() -> None:
    assert set(PROBLEMS) == set(COEFFICIENTS) and len(COEFFICIENTS) == 17
    assert (ERF_MEETS, TANH_MEETS) == (polynomials.ERF_MEETS, polynomials.TANH_MEETS)
