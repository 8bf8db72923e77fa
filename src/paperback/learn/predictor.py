"""A Predictor: a network with numbers in it, which answers: outputs, losses, gradients; saved and loaded.

    predictor = Predictor(net, input_shape=(28, 28, 1))
    predictor.predict(x)               the network's output (scores, where the loss is a softmax cross-entropy)

Training, in `train_step` and `fit`, works on a Predictor; `Model` is a Predictor that can do both.

All that training changes is one immutable `State`, replaced as a whole after a whole step: whatever stops a step, the
numbers are as they were before it. Examples are `[N, *input_shape]`; with `layout="NCHW"` channels come first at the
edges (inputs, outputs and gradients of images), and flatten is H, W, C all the same.
"""

from __future__ import annotations

__all__ = ["SOFTMAX", "Predictor"]

import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback import engines, learn
from paperback.arguments import Strict, closest, strict
from paperback.errors import ModelError, ModelWarning, warn
from paperback.learn import steps as programs
from paperback.learn.inputs import (
    LAYOUTS,
    channels_first,
    channels_last,
    check_count,
    check_examples,
    check_ids,
    check_values,
    check_weights,
    example_array,
    labels_for,
    squashed_twice,
    vocabulary,
    weight_hint,
)
from paperback.learn.metrics import Metric, find_metrics, has_accuracy, scores
from paperback.learn.optim import Optimizer
from paperback.learn.state import State, sealed, sealed_copy
from paperback.learn.usual import UsualBatch, UsualExamples, nothing
from paperback.nn.layers.layer import Layer
from paperback.nn.losses import LABEL, LOSS, WEIGHT, Loss, find
from paperback.nn.network import INPUT, build
from paperback.program.program import Program

if TYPE_CHECKING:
    from paperback.learn.record import Record

Array = NDArray[Any]
Names = dict[str, str]  # tensor -> the tensor of its gradient
SOFTMAX = "softmax_cross_entropy"


class Predictor(metaclass=Strict):
    """A network of layers for examples of one shape, with seeded parameters.

    input_shape   of one example, the batch not included; channels last, or first with layout="NCHW"
    seed          of the parameters, the order of examples, and random masks
    dtype         "float32" or "float64", of everything inside
    engine        None for the one that `use` chose, or a name
    threads       of the compiled engine, None for one per core; they change no bit of a result
    """

    def __init__(
        self,
        net: Layer,
        input_shape: Iterable[int],
        seed: int = 0,
        dtype: str = "float32",
        engine: str | None = None,
        threads: int | None = None,
        layout: str = "NHWC",
    ) -> None:
        self._describe(net, input_shape, seed, dtype, engine, threads, layout)
        specs = {**self.network.parameters, **self.network.state}
        self._state = State({n: sealed_copy(spec.sample(n, self.seed), self.dtype) for n, spec in specs.items()})

    def _describe(
        self, net: Layer, input_shape: Iterable[int], seed: int, dtype: str, engine: str | None, threads: int | None,
        layout: str,
    ) -> None:  # fmt: skip
        """Everything but the numbers."""
        self.seed = check_count("Model", "seed", seed, 0)
        if dtype not in ("float32", "float64"):
            raise ModelError(f'Model: dtype is "float32" or "float64", found {dtype!r}; pass dtype="float32"')
        if layout not in LAYOUTS:
            raise ModelError(f"Model: layout is one of {', '.join(LAYOUTS)}, found {layout!r}; leave it out for NHWC")
        self.dtype = np.dtype(dtype)
        self.layout = layout
        self.engine = None if engine is None else engines.choose(engine)
        self.threads = threads
        if threads is not None:
            engines.check_threads("Model", threads)
            if engines.choose(self.engine) != "llvm":
                raise ModelError(
                    f"Model: threads={threads} is for the compiled engine, and this model runs on "
                    f'{engines.choose(self.engine)!r}; leave it out, or pass engine="llvm"'
                )
        if not isinstance(input_shape, Iterable) or isinstance(input_shape, str):
            raise ModelError(f"Model: input_shape is a tuple, found {input_shape!r}; pass ({input_shape},)")
        self.input_shape = tuple(input_shape)
        inside = self.input_shape
        if layout == "NCHW" and len(inside) > 1:
            inside = (*inside[1:], inside[0])
        self.network = build(net, inside)
        self.input_shape = tuple(int(n) for n in self.input_shape)
        self.net = net
        self._frozen: frozenset[str] = frozenset()
        self._told = False  # of a softmax that is taken twice
        self._usual: UsualBatch | None = None
        self._like = UsualExamples(0, None, "", nothing)
        self._runners: dict[Hashable, tuple[engines.Runner, Names]] = {}

    # --- numbers -----------------------------------------------------------------------------------------------------

    @property
    def parameters(self) -> Mapping[str, Array]:
        """Name -> array, both read-only; `set_parameters` changes them."""
        return MappingProxyType({name: self._state.tensors[name] for name in self.network.parameters})

    @property
    def state(self) -> Mapping[str, Array]:
        """Running statistics: what training updates without a gradient. Read-only."""
        return MappingProxyType({name: self._state.tensors[name] for name in self.network.state})

    @property
    def steps(self) -> int:
        return self._state.steps

    @property
    def epochs(self) -> int:
        return self._state.epochs

    @property
    def optimizer(self) -> Optimizer | None:
        """The optimizer of the last step, which the next one goes on with; None where there was no step."""
        return self._state.rule

    @property
    def loss(self) -> Loss:
        """The loss of the last training, and softmax cross-entropy where there was none."""
        return self._state.loss or find(SOFTMAX)

    @property
    def frozen(self) -> frozenset[str]:
        """The parameters that training leaves alone."""
        return self._frozen

    def set_parameters(self, values: Mapping[str, ArrayLike]) -> None:
        """Replace parameters or running statistics: all of these, or, where one does not fit, none (ModelError)."""
        if not isinstance(values, Mapping):
            raise ModelError(f"set_parameters: needs arrays by name, found {values!r}; pass {{name: array}}")
        new = dict(self._state.tensors)
        for name, value in values.items():
            if name not in new:
                raise ModelError(f"set_parameters: the model has no {name!r}; {closest(name, new)}")
            array = example_array("set_parameters", name, value)
            if array.shape != new[name].shape:
                raise ModelError(
                    f"set_parameters: {name} needs shape {new[name].shape}, found {array.shape}; "
                    f"{weight_hint(array.shape, new[name].shape)}"
                )
            check_values("set_parameters", name, np.atleast_1d(array), self.dtype)
            new[name] = sealed_copy(array, self.dtype)
        self._state = replace(self._state, tensors=new)

    def freeze(self, *names: str) -> None:
        """Leave these parameters out of training: a parameter's name, or a layer's for all of its own."""
        self._frozen |= self._named("freeze", names)

    def unfreeze(self, *names: str) -> None:
        """Train these parameters again; without a name, all."""
        self._frozen -= self._named("unfreeze", names) if names else self._frozen

    def _named(self, where: str, names: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for name in names:
            own = {p for p in self.network.parameters if p == name or p.startswith(f"{name}.")}
            if not own:
                known = [info.name for info in self.network.layers if info.parameters] + list(self.parameters)
                raise ModelError(f"{where}: no parameter or layer is called {name!r}; {closest(name, known)}")
            found |= own
        return found

    # --- answers -----------------------------------------------------------------------------------------------------

    @strict
    def predict(self, x: ArrayLike, batch_size: int = 256) -> Array:
        """The output `[N, *output_shape]` for every example, after training's rules (running statistics, no masks)."""
        state, engine = self._state, engines.choose(self.engine)
        most, usual, chosen, call = self._like
        same = usual is state and chosen == engine and type(batch_size) is int and batch_size >= most
        if same and (found := call(x)) is not None:
            return found
        size, examples = check_count("predict", "batch_size", batch_size), self._examples("predict", x)
        named = partial(programs.name_of, "predict", self.network.predict)
        run, _ = self._compiled("predict", partial(programs.prediction_program, self.network), named)
        given, output = state.tensors, self.network.output
        again = usual is state and len(examples) <= size and examples is x and examples.dtype == self.dtype
        way = engines.bind(run, {**given, INPUT: examples}, INPUT, output) if again and self.layout == "NHWC" else None
        self._like = UsualExamples(len(examples), state, engine, way or nothing)
        cut = (examples[i : i + size] for i in range(0, len(examples), size))
        parts = [run({**given, INPUT: self._input(part)})[output] for part in cut]
        return channels_first(np.concatenate(parts) if len(parts) > 1 else parts[0], self.layout)

    @strict
    def evaluate(
        self,
        x: ArrayLike,
        y: ArrayLike,
        loss: str | Loss | None = None,
        batch_size: int = 256,
        metrics: Iterable[str | Metric] = (),
        weights: ArrayLike | None = None,
    ) -> dict[str, Any]:
        """{"loss": the mean over examples, "accuracy": the share that is right (where labels are classes)}.

        loss        that of the last training unless given, and softmax cross-entropy where there was none; by its
                    reduction "loss" is the mean, the sum, or with "none" an array, one loss for each example
        metrics     more to measure, under their names: "top_5", "confusion", "precision", "recall",
                    "mean_absolute_error", "r2", or metrics of your own
        weights     of the examples, as in `fit`: of the loss; metrics count all examples alike
        """
        loss, size = self._asked(loss), check_count("evaluate", "batch_size", batch_size)
        examples, labels, kind = self.check_batch("evaluate", x, y, loss)
        own = self._weights("evaluate", weights, len(examples))
        shape = self.network.output_shape
        judges = find_metrics(["accuracy"] if has_accuracy(kind, shape) else [], kind, shape)
        judges += find_metrics(metrics, kind, shape)
        run = self._evaluation(loss, kind, bool(own))
        losses: list[Array] = []
        measured: dict[Metric, Array] = {}
        for i in range(0, len(examples), size):
            batch, label = self._input(examples[i : i + size]), self._label(labels[i : i + size])
            weight = {name: array[i : i + size] for name, array in own.items()}
            result = run({**self._state.tensors, INPUT: batch, LABEL: label, **weight})
            losses.append(result[LOSS].astype(np.float64) * (len(batch) if loss.reduction == "mean" else 1))
            output = result[self.network.output]
            for judge in dict.fromkeys(judges):
                new = judge.measure(scores(loss, output) if judge.of_classes else output, label)
                measured[judge] = judge.join(measured[judge], new) if judge in measured else new
        total = loss.total(losses, len(examples))
        return {"loss": total, **{judge.name: judge.value(measured[judge]) for judge in judges}}

    @strict
    def loss_and_gradients(
        self,
        x: ArrayLike,
        y: ArrayLike,
        loss: str | Loss | None = None,
        training: bool = True,
        weights: ArrayLike | None = None,
    ) -> tuple[float, dict[str, Array]]:
        """The loss of one batch and its gradients by every parameter and by "input".

        `training`: by the rules of a training step (batch statistics, the masks of the coming step), else those of
        `evaluate`. `loss` and `weights` as in `evaluate`. Nothing is changed.
        """
        where, loss = "loss_and_gradients", self._asked(loss)
        examples, labels, kind = self.check_batch(where, x, y, loss)
        own = self._weights(where, weights, len(examples))
        program = partial(programs.gradient_program, self.network, loss, kind, training, bool(own))
        run, names = self._compiled(("gradients", loss, kind, training, bool(own)), program)
        given = {**self._state.tensors, INPUT: self._input(examples), LABEL: self._label(labels), **own}
        result = run({**given, **self._masks(len(examples), training)})
        return float(result[LOSS]), self._outside({name: result[tensor] for name, tensor in names.items()})

    @strict
    def vjp(self, x: ArrayLike, v: ArrayLike, training: bool = False) -> tuple[Array, dict[str, Array]]:
        """(output, gradients of sum(v*output) by every parameter and by "input"), v of the output's shape."""
        examples = self._examples("vjp", x)
        cotangent = channels_last(example_array("vjp", "v", v), self.layout)
        needed = (len(examples), *self.network.output_shape)
        if cotangent.shape != needed:
            raise ModelError(f"vjp: v needs the output's shape {needed}, found {cotangent.shape}; pass such an array")
        check_values("vjp", "v", cotangent, self.dtype)
        run, names = self._compiled(("vjp", training), lambda: programs.vjp_program(self.network, training))
        given = {**self._state.tensors, INPUT: self._input(examples), programs.COTANGENT: self._inside(cotangent)}
        result = run({**given, **self._masks(len(examples), training)})
        output = channels_first(result[self.network.output], self.layout)
        return output, self._outside({name: result[tensor] for name, tensor in names.items()})

    def activations(self, x: ArrayLike) -> dict[str, Array]:
        """What every layer gives for these examples, after training's rules: its name -> `[N, ...]`, channels last."""
        examples = self._examples("activations", x)
        run, names = self._compiled("activations", lambda: programs.activations_program(self.network))
        result = run({**self._state.tensors, INPUT: self._input(examples)})
        return {layer: result[tensor] for layer, tensor in names.items()}

    # --- files -------------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], record: Record | None = None) -> None:
        """Write a checkpoint, atomically: the old file or the new one is there, never half of one.

        record    how the model was trained, to lie beside it in the file; a report is made of it
        """
        state = self._state
        learn.checkpoint.write(
            path,
            learn.checkpoint.Checkpoint(
                self.net, self.input_shape, self.seed, self.dtype.name, self.layout, tuple(sorted(self._frozen)),
                state.rule, state.taken, state.steps, state.epochs, {**state.tensors, **state.optimizer}, state.loss,
            ),
            record,
        )  # fmt: skip

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        engine: str | None = None,
        threads: int | None = None,
        kinds: Iterable[type] = (),
    ) -> Self:
        """What a checkpoint holds, ready to predict and to train on; ModelError for a file that is none.

        kinds    the classes of your own (layers, initialisers, optimizers): a file has only their names
        """
        saved = learn.checkpoint.read(path, kinds)
        model = cls.__new__(cls)
        model._describe(saved.net, saved.input_shape, saved.seed, saved.dtype, engine, threads, saved.layout)
        own = [*model.network.parameters, *model.network.state]
        model._state = State(
            {name: sealed_copy(saved.tensors[name], model.dtype) for name in own},
            saved.rule,
            {name: sealed(array) for name, array in saved.tensors.items() if name not in own},
            saved.taken, saved.steps, saved.epochs, saved.loss,
        )  # fmt: skip
        model._frozen = frozenset(saved.frozen)
        return model

    # --- inside ------------------------------------------------------------------------------------------------------

    def _evaluation(self, loss: Loss, kind: str, weighted: bool) -> engines.Runner:
        key = "evaluate", loss, kind, weighted
        named = partial(programs.name_of, key[0], self.network.predict, loss, None, kind, weighted)
        return self._compiled(key, lambda: (programs.evaluation_program(self.network, *key[1:]), {}), named)[0]

    def _asked(self, loss: str | Loss | None) -> Loss:
        return find(loss) if loss is not None else self.loss

    def _weights(self, where: str, weights: ArrayLike | None, count: int) -> dict[str, Array]:
        return {} if weights is None else {WEIGHT: check_weights(where, weights, count, self.dtype)}

    def check_batch(self, where: str, x: ArrayLike, y: ArrayLike, loss: Loss) -> tuple[Array, Array, str]:
        """(examples, labels, kind of label), checked, channels last; examples are not converted yet."""
        if self._usual and type(x) is type(y) is np.ndarray and self._usual.is_like(x, y, loss):
            return x, y.copy(), "integer"
        examples = self._examples(where, x)
        if not self._told and (twice := squashed_twice(self.network, loss)):
            self._told = True
            warn(f"{where}: {twice}", ModelWarning)
        labels, kind = labels_for(where, y, len(examples), loss, self.network.output_shape, self.dtype, self.layout)
        if type(x) is type(y) is np.ndarray and examples is x and x.dtype == self.dtype and labels.dtype == y.dtype:
            self._usual = UsualBatch(x, y, loss, self.network.output_shape[-1]) if kind == "integer" else None
        return examples, labels, kind

    def _examples(self, where: str, x: ArrayLike) -> Array:
        examples = check_examples(where, x, self.input_shape, self.dtype)
        if (known := vocabulary(self.network)) is not None:
            check_ids(where, examples, known)
        return channels_last(examples, self.layout)

    def _inside(self, array: Array) -> Array:
        return np.ascontiguousarray(array, dtype=self.dtype)

    def _input(self, array: Array) -> Array:
        """Examples as the engine takes them: in the type of everything inside, ids as they are."""
        return array if self.network.train.tensors[INPUT].integer else self._inside(array)

    def _label(self, array: Array) -> Array:
        return array if array.dtype == np.int64 else self._inside(array)

    def _outside(self, gradients: dict[str, Array]) -> dict[str, Array]:
        return {name: channels_first(g, self.layout) if name == INPUT else g for name, g in gradients.items()}

    def _masks(self, count: int, training: bool = True) -> dict[str, Array]:
        return programs.draw_masks(self.network, count, self.seed, self.steps, self.dtype) if training else {}

    def _compiled(
        self, key: Hashable, make: Callable[[], tuple[Program, Names]], name: Callable[[], str | None] = lambda: None
    ) -> tuple[engines.Runner, Names]:
        """The runner of a Program, made once for each engine, and the names of its gradients; none where it has a name
        (see `steps.name_of`): then the Program is made only where no code is found for it."""
        place = key, engines.choose(self.engine)
        if place not in self._runners:
            text = name()
            program, names = make() if text is None else (lambda: make()[0], {})
            runner = engines.compile_program(program, self.dtype.name, self.engine, self.threads, text)
            self._runners[place] = programs.rounded(runner, self.dtype) if place[1] == "exact" else runner, names
        return self._runners[place]
