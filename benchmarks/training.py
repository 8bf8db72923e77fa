"""Training steps beside other frameworks: forward, loss, gradients and update.

    python -m benchmarks.training [--quick] [--rows sheet:32,mlp:128] [--with ours,eager,jax] [--json] [--write]

float32, plain gradient descent, softmax cross-entropy, random examples, four batches in turns. Ratios say how many
times as long a step of the other takes: the median over turns, and in parentheses that of the fastest blocks.
"""

from __future__ import annotations

from statistics import median

from benchmarks import harness
from benchmarks.networks import NETWORKS

BATCHES = (1, 8, 32, 128, 512)
GOALS = {  # against PyTorch eager, on two cores
    "sheet": {1: 8, 8: 4.5, 32: 2.8, 128: 2.4, 512: 2.8},
    "lenet5": {1: 15, 32: 6, 128: 3.5},
    "digits": {32: 8},
    "mlp": {32: 4, 128: 2, 512: 1.1},
    "strided": {32: 1.5},
    "residual": {32: 1.5},
    "signal": {32: 1.5},
}
OTHERS = ("eager", "compile", "jax", "scikit", "bare")


def rows(options: object, quick: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """(network, batch) of every row that was asked for."""
    asked = getattr(options, "rows", None)
    if asked:
        return [(name, int(batch)) for name, batch in (item.split(":") for item in asked.split(","))]
    if getattr(options, "quick", False):
        return quick
    return [(name, batch) for name in NETWORKS if name != "tiny" for batch in BATCHES]


def variant(settings: object) -> str:
    """How PyTorch was at its best."""
    threads, last = (dict(settings).get(key) for key in ("threads", "channels_last"))  # type: ignore[call-overload]
    return f"{'NHWC' if last else 'NCHW'}, {threads}"


def main() -> None:
    options = harness.arguments("Training steps beside other frameworks.", ("ours", *OTHERS))
    quick = [(name, batch) for name, goals in GOALS.items() for batch in goals]
    names = options.frameworks.split(",") if options.frameworks else ["ours", *OTHERS]
    if options.quick and not options.frameworks:
        names.remove("compile")
    measured = []
    with harness.Team(names, options.quick) as team:
        for network, batch in rows(options, quick):
            measured.append(team.measure("train", network, batch))
            harness.say(f"{network:>9} {batch:>4}  " + "  ".join(
                f"{name} {measured[-1].cell(name)}" for name in measured[-1].seconds if name != "ours"
            ))
        versions = team.versions
    others = [name for name in names if any(name in row.seconds for row in measured) and name != "ours"]
    head = ["network", "batch", "ms per step", "examples/s", "goal", *(harness.FRAMEWORKS[o].title for o in others),
            "PyTorch's best: layout, threads"]  # fmt: skip
    table = []
    for row in measured:
        own = median(row.seconds["ours"])
        table.append([
            NETWORKS[row.network].title, row.batch, f"{1e3 * own:.3f}", f"{row.batch / own:,.0f}",
            GOALS.get(row.network, {}).get(row.batch, ""), *(row.cell(other) for other in others),
            variant(row.variants["eager"]) if "eager" in row.variants else "",
        ])  # fmt: skip
    text = f"{harness.markdown(head, table)}\n\n{harness.machine(versions)}; {team.turns} turns"
    harness.finish(options, "training", "Training steps", text, [row.plain() for row in measured])


if __name__ == "__main__":
    main()
