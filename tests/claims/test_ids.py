"""Every id has its tests: the rows of the table of conventions, the capabilities, the golden numbers; none is left out.

The lists are those of the catalogue of claims, written down here; the tests are looked up by name, and counted.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import ModuleType

import pytest

ROWS = {  # topic in the table -> test in test_conventions
    '"convolution"': "test_convolution_or_correlation",
    "kernel index": "test_kernel_index",
    "index base": "test_index_base",
    "layout": "test_layout",
    "dense weight": "test_dense_weight",
    "Jacobian layout": "test_jacobian_layout",
    "relu'(0)": "test_relu_at_zero",
    "max-pool ties": "test_max_pool_ties",
    "pool padding": "test_pool_padding",
    "'same' for even k": "test_same_for_even_kernels",
    "kernel longer than input": "test_kernel_longer_than_input",
    "asymmetric padding": "test_asymmetric_padding",
    "step at 0": "test_step_at_zero",
    "loss reduction": "test_loss_reduction",
    "MSE factor": "test_mse_factor",
    "CE target": "test_cross_entropy_target",
    "DCT scale": "test_dct_scale",
    "delta sign": "test_delta_sign",
    "conv bias": "test_convolution_bias",
    "order pool/relu": "test_order_of_pool_and_relu",
    "odd size at pool": "test_odd_size_at_a_pool",
}
CAPABILITIES = {  # id -> how many tests at least, here and among the golden ones
    "c1": ("test_capabilities", 2, ["g3", "g4"]),
    "c2": ("test_capabilities", 2, ["g1", "g2", "g19"]),
    "c3": ("test_capabilities", 2, ["g6", "g7", "g8"]),
    "c4": ("test_capabilities", 2, ["g5", "g16"]),
    "c5": ("test_capabilities", 2, ["g10", "g18"]),
    "c6": ("test_capabilities", 4, ["g9", "g12", "g13", "g15", "g17"]),
    "c7": ("test_capabilities", 1, ["g11", "g14"]),
    "c8": ("test_network", 3, []),
    "c9": ("test_book", 1, []),
}
GOLDEN = [f"g{number}" for number in range(1, 20)]


def named(module: ModuleType, start: str) -> list[str]:
    return [name for name, value in vars(module).items() if name.startswith(start) and callable(value)]


def module(name: str) -> ModuleType:
    return importlib.import_module(f"tests.{name}")


def missing(wanted: Iterable[str], there: ModuleType) -> list[str]:
    return [name for name in wanted if not callable(getattr(there, name, None))]


def test_every_row_of_the_table_has_its_test() -> None:
    conventions = module("claims.test_conventions")
    assert missing(ROWS.values(), conventions) == []
    assert len(ROWS) == len(set(ROWS.values())) == 21
    beside = {"test_same_with_a_stride", "test_same_transposed", "test_conventions_survive_a_file"}
    assert set(named(conventions, "test_")) == set(ROWS.values()) | beside


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_every_capability_has_its_tests(capability: str) -> None:
    home, least, golden = CAPABILITIES[capability]
    assert len(named(module(f"claims.{home}"), f"test_{capability}_")) >= least
    for number in golden:
        assert named(module("golden.test_golden"), f"test_{number}_")


def test_every_golden_number_has_its_test() -> None:
    assert sorted(CAPABILITIES) == [f"c{number}" for number in range(1, 10)]
    golden = module("golden.test_golden")
    assert [number for number in GOLDEN if not named(golden, f"test_{number}_")] == []
    assert len(named(golden, "test_g")) >= 20
    assert len(named(module("golden.test_network_n1"), "test_")) >= 6


def test_what_is_missing_is_found() -> None:
    assert missing(["test_no_such_row"], module("claims.test_conventions")) == ["test_no_such_row"]
    assert named(module("claims.test_capabilities"), "test_c99_") == []
