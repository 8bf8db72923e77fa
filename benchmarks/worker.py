"""One framework in a process of its own, which waits until it is told to run: python -m benchmarks.worker pytorch

Lines of JSON come in and go out:

    {"prepare": key, "task": "train", "network": "sheet", "batch": 32, "settings": {...}}   {"done": true}
    {"run": key, "steps": 10}                                      {"seconds": 0.01, "value": 2.3}
    {"forget": true}                                               {"done": true}
    {"memory": true}                                               {"peak": bytes}

What goes wrong comes back as {"error": text}; {"missing": text} is a framework that cannot do what was asked.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import memory
from benchmarks.networks import find

LEARNING_RATE = 0.004  # small: at rates that overshoot, differences of rounding grow


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what frameworks print is not part of an answer
    try:
        module = importlib.import_module(f"benchmarks.{sys.argv[1]}")
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), file=answers)
        return
    print(json.dumps({"version": module.VERSION, "variants": module.VARIANTS}), file=answers)
    tasks: dict[str, Callable[[int], float]] = {}
    for line in sys.stdin:
        try:
            answer = _answer(module, tasks, json.loads(line))
        except NotImplementedError as error:
            answer = {"missing": str(error)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers)


def _answer(module: Any, tasks: dict[str, Callable[[int], float]], asked: dict[str, Any]) -> dict[str, Any]:
    if "prepare" in asked:
        make = getattr(module, asked["task"], None)
        if make is None:
            raise NotImplementedError(asked["task"])
        rate = {"lr": LEARNING_RATE} if asked["task"] == "train" else {}
        tasks[asked["prepare"]] = make(find(asked["network"]), asked["batch"], **rate, **asked["settings"])
    elif "run" in asked:
        task = tasks[asked["run"]]
        start = time.perf_counter()
        value = task(asked["steps"])
        return {"seconds": time.perf_counter() - start, "value": value}
    elif "forget" in asked:
        tasks.clear()
        gc.collect()
    elif "memory" in asked:
        return {"peak": memory.peak()}
    return {"done": True}


if __name__ == "__main__":
    main()
