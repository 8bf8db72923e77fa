"""`paperback derive --model`: the chain rule of a network, and the norms of its gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.test_commands import SHORT, result, run

from paperback.learn.model import Model, load
from paperback.nn import layers as nn

MLP = ["derive", "--model", "dense 4, tanh, dense 3", "--input-shape", "5"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "model"
    assert run("train", *SHORT, "--save", path).exit_code == 0
    return path


def test_one_parameter_is_the_page_of_its_chain() -> None:
    net = nn.Sequential(nn.Dense(4), nn.Tanh(), nn.Dense(3))
    ran = run(*MLP, "--layer", "dense_1.w")
    assert ran.exit_code == 0 and ran.stdout == f"{Model(net, (5,)).chain('dense_1.w')}\n"
    ran = run(*MLP, "--layer", "dense_1.w", "--as", "latex")
    assert ran.stdout == f"{Model(net, (5,)).chain('dense_1.w').latex()}\n"


def test_a_layer_is_its_parameters_and_their_factors_are_printed_once() -> None:
    text = run(*MLP, "--layer", "dense_1").stdout
    assert text.count("d loss/d dense_1.w = ") == text.count("d loss/d dense_1.b = ") == 1
    assert [line.partition("   # ")[0] for line in text.splitlines() if "   # " in line] == [
        "d loss/d dense_2.y", "d dense_2.y/d tanh_1.y", "d tanh_1.y/d dense_1.y", "d dense_1.y/d dense_1.w",
        "d dense_1.y/d dense_1.b",
    ]  # fmt: skip
    assert "d loss/d tanh_1.y = d loss/d dense_2.y * d dense_2.y/d tanh_1.y\n" in run(*MLP, "--layer", "tanh_1").stdout
    assert "  dinput[i] = sum(o) dense_1.w[i,o]*dense_1.dy[o]" in run(*MLP, "--layer", "input").stdout


def test_json_holds_every_chain() -> None:
    found = result(run(*MLP, "--json"))
    assert [chain["by"] for chain in found["chains"]] == ["dense_1.w", "dense_1.b", "dense_2.w", "dense_2.b"]
    last = found["chains"][0]["factors"][-1]
    assert last == {
        "of": "dense_1.y", "by": "dense_1.w", "shape": [[4], [5, 4]],
        "structure": "Kronecker product of row vector over t and identity over o,u; 20 of 80 entries non-zero",
        "formula": "dense_1.dy_dw[o,t,u] = [u == o]*input[t] where input: 5, o < 4, t < 5, u < 4",
    }  # fmt: skip
    assert "latex" not in found and result(run(*MLP, "--json", "--as", "latex"))["latex"].startswith("\\begin{aligned}")


def test_a_saved_model_and_its_norms(saved: Path) -> None:
    model = load(saved)
    assert run("derive", "--model", saved, "--layer", "dense_1.b").stdout == f"{model.chain('dense_1.b')}\n"
    ran = run("derive", "--model", saved, "--norms", "--examples", "2")
    assert ran.exit_code == 0 and ran.stdout.endswith("\nJ: softmax_cross_entropy, 2 examples\n")
    found = result(run("derive", "--model", saved, "--norms", "--examples", "2", "--json"))["norms"]
    assert [layer["tensor"] for layer in found["layers"]] == ["dense_1.y", "flatten_1.y", "input"]
    assert 0 < found["layers"][-1]["gradient"] <= found["layers"][-1]["bound"]


def test_training_and_loss_are_options() -> None:
    net = ["derive", "--model", "dense 4, batchnorm, dense 3", "--input-shape", "5", "--layer", "dense_1.w"]
    assert run(*net, "--training").stdout.startswith("of a batch of N examples, which meet in batchnorm_1\n")
    assert run(*net).stdout.startswith("of one example; of a batch, the mean over its examples\n")
    assert "  loss.dJ[i] = 1/3\n" in run(*net, "--loss", "mean_squared_error").stdout


CASES: dict[tuple[str, ...], str] = {
    ("--layer", "dense_1"): "--layer is of a network; pass --model too",
    ("y = x[]", "--norms"): "--norms is of a network; pass --model too",
    (): "FORMULA is missing; write paperback derive FORMULA, or --model",
    ("y = x[]", "--model", "mlp"): "FORMULA is of a formula, --model says a network; leave it out",
    ("--model", "mlp", "--wrt", "x"): "--wrt is of a formula, --model says a network; leave it out",
    ("--model", "mlp", "--as", "torch"): "--as torch is of a formula, a network's page is text or LaTeX; leave it out",
    ("--model", "mlp", "--layer", "dense_1", "--norms"):
        "--layer is for formulas, --norms prints all layers; leave it out",
    ("--model", "mlp", "--data", "x.csv"): "--data is for --norms, formulas need no examples; leave it out",
    ("--model", "mlp", "--norms", "--as", "latex"): "--as latex is for formulas, --norms prints a table; leave it out",
    ("--model", "dense 3", "--classes", "4"):
        "--classes is of the presets lenet, mlp, table, this net says its outputs itself; leave it out",
    ("--model", "dense 3, tanhh"): '--model, item 2 "tanhh": no layer or preset is called tanhh; did you mean tanh?',
    ("--model", "mpl"): 'no file is called mpl; --model, item 1 "mpl": no layer or preset is called mpl; did you '
        "mean mlp or maxpool?",
    ("--model", "no/model"): "load: no/model needs to be a file, found nothing there; check the path",
    ("--model", "mlp", "--layer", "dense_3.w"):
        "chain: no parameter or layer is called 'dense_3.w'; did you mean dense_2.w or dense_1.w?",
    ("--model", "dense 3", "--input-shape", "5", "--norms"):
        "gradient_norms: x needs shape (N, 5), what the network was built for, found (4, 8, 8, 1); reshape x, or build "
        "the model with input_shape=(8, 8, 1)",
}  # fmt: skip


@pytest.mark.parametrize("given", CASES)
def test_what_does_not_fit_is_said(given: tuple[str, ...]) -> None:
    ran = run("derive", *given, "--json")
    assert ran.exit_code == 2 and result(ran)["error"] == CASES[given]
