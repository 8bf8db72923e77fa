"""The share of the processor's peak that a training step reaches, both measured in the same turns.

    python -m benchmarks.peak [--quick] [--json] [--write]

The peak is that of fused multiply-adds between registers: no memory, no dependence. A step's operations are counted
from the network (`networks.multiply_adds`): two for every multiply-add of convolutions and dense layers, forward,
weight gradient, and input gradient but for the first layer; nothing for the rest. "as written" counts the formulas;
"as done" leaves out of the convolutions' gradients what max-pooling makes zero, which a kernel may skip, and counts
Winograd's forms as they are computed, where those are used.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from benchmarks import harness, ours
from benchmarks.networks import find, multiply_adds
from benchmarks.worker import LEARNING_RATE
from paperback.engines.llvm.machine import objects
from paperback.engines.llvm.machine.target import Target, chosen

ACCUMULATORS = 16
ROUNDS = 1 << 24  # some 30 milliseconds: as long as a block of steps, or a busy machine treats them unlike


def kernel(target: Target) -> str:
    """LLVM IR of a loop of independent fused multiply-adds, each on a vector register of its own."""
    lanes = target.lanes("float32")
    vector, all_ = f"<{lanes} x float>", range(ACCUMULATORS)
    lines = [
        f"declare {vector} @llvm.fmuladd.v{lanes}f32({vector}, {vector}, {vector})",
        f"define void @peak(i64 %rounds, ptr %p) {target.attributes} {{",
        "entry:",
        f"  %x = load {vector}, ptr %p",
        "  br label %loop",
        "loop:",
        "  %i = phi i64 [0, %entry], [%next, %loop]",
        *(f"  %a{k} = phi {vector} [%x, %entry], [%b{k}, %loop]" for k in all_),
        *(
            f"  %b{k} = call {vector} @llvm.fmuladd.v{lanes}f32({vector} %a{k}, {vector} %x, {vector} %x)"
            for k in all_
        ),
        "  %next = add i64 %i, 1",
        "  %more = icmp ult i64 %next, %rounds",
        "  br i1 %more, label %loop, label %end",
        "end:",
        *(
            f"  %q{k} = getelementptr {vector}, ptr %p, i64 {k}\n  store {vector} %b{k}, ptr %q{k}"
            for k in all_
        ),
        "  ret void",
        "}",
    ]  # fmt: skip
    return "\n".join(lines)


def peak(threads: int) -> Callable[[], float]:
    """A function that measures multiply-adds per second on so many threads at once."""
    target = chosen()
    library = objects.load([kernel(target)], target, "peak 1")
    run = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(library.address("peak"))
    room = [ctypes.create_string_buffer(target.vector_bytes * (ACCUMULATORS + 1)) for _ in range(threads)]
    places = [ctypes.addressof(b) + -ctypes.addressof(b) % target.vector_bytes for b in room]
    for place in places:
        ctypes.cast(place, ctypes.POINTER(ctypes.c_float))[0] = 0.5
    executor = ThreadPoolExecutor(threads)

    def measure() -> float:
        assert library and room  # the code and its memory live as long as this function
        start = time.perf_counter()
        list(executor.map(lambda place: run(ROUNDS, place), places))
        return threads * ROUNDS * ACCUMULATORS * target.lanes("float32") / (time.perf_counter() - start)

    return measure


def main() -> None:
    options = harness.parser("The share of the peak that training steps reach.").parse_args()
    cases = [("sheet", 32), ("sheet", 128), ("lenet5", 128), ("mlp", 128), ("strided", 32)]
    turns = 7 if options.quick else 25
    rows, data = [], []
    for name, batch in cases[:2] if options.quick else cases:
        for threads in dict.fromkeys((1, harness.CORES)):
            network = find(name)
            step, most = ours.train(network, batch, LEARNING_RATE, threads=threads), peak(threads)
            step(5)
            steps = max(1, round(0.04 / _seconds(step, 3)))
            peaks, rates = [], []
            for _ in range(turns):
                peaks.append(most())
                rates.append(batch / _seconds(step, steps))
            written, done = (multiply_adds(network, which) for which in (False, True))
            share = median(rate / top for rate, top in zip(rates, peaks, strict=True))
            best = max(rates) / max(peaks)
            rows.append([
                network.title, batch, threads, f"{2e-9 * median(peaks):,.0f}", f"{2e-9 * written * median(rates):,.0f}",
                *(f"{100 * count * share:.0f}% ({100 * count * best:.0f}%)" for count in (written, done)),
            ])  # fmt: skip
            data.append({"network": name, "batch": batch, "threads": threads, "peaks": peaks, "rates": rates})
            harness.say(harness.markdown_line(rows[-1]))
    head = ["network", "batch", "threads", "peak, GFLOP/s", "step, GFLOP/s", "share, as written", "share, as done"]
    text = f"{harness.markdown(head, rows)}\n\n{harness.machine(ours.VERSION)}; {turns} turns"
    harness.finish(options, "peak", "Share of the peak", text, data)


def _seconds(step: Callable[[int], float], steps: int) -> float:
    """Of one step."""
    start = time.perf_counter()
    step(steps)
    return (time.perf_counter() - start) / steps


if __name__ == "__main__":
    main()
