"""The data of a command: train and test examples of `--data`, split as `--held-out` and the seed say."""

from __future__ import annotations

__all__ = ["HELD_OUT", "check_classes", "class_names", "size_for", "splits", "trained_label"]

from paperback.cli.job import label_column
from paperback.cli.options import needs, refuse
from paperback.data.dataset import Dataset, has_pictures, load
from paperback.errors import DataError
from paperback.learn.checkpoint import read_record
from paperback.learn.model import Model

HELD_OUT = 0.2


def splits(
    data: str | None,
    held_out: float | None,
    seed: int,
    label: str | None = None,
    size: tuple[int, ...] | None = None,
    everything: bool = False,
    target: str | None = None,
) -> tuple[Dataset, Dataset]:
    """(train, test): the split that the data has, else a stratified and seeded one; `everything` makes all the test."""
    needs("--label", label, data is not None, "of a CSV file, the digits have none", "pass --data too")
    needs("--target", target, data is not None, "of a CSV file, the digits have classes", "pass --data too")
    needs("--target", target, label is None, "in place of --label")
    columns = {"label": label_column(label), "target": label_column(target)}
    loaded = load() if data is None else load(data, size=size, **columns)
    if isinstance(loaded, Dataset):
        if loaded.classes < 2 and not loaded.is_numbers:
            raise DataError(f"{loaded.name}: needs two classes to tell apart, found one; add examples of another class")
        if everything:
            needs("--held-out", held_out, False, "the share to test on, --all tests on everything")
            return loaded, loaded
        return loaded.split(HELD_OUT if held_out is None else held_out, seed)
    for option, given in (("--held-out", held_out), ("--all", everything)):
        if given:
            refuse(option, f"is for data without a test set of its own, {data} has one; leave it out")
    return loaded


def class_names(path: str) -> tuple[str, ...]:
    """What the classes of a saved model are called, as the record of its training says; () where it does not."""
    record = read_record(path)
    names = record.job.get("classes") if record is not None else None
    known = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if known and names is not None else ()


def trained_label(path: str, data: str | None) -> str | None:
    """The `--label` of a saved model's training, for another table; None where there was none."""
    record = read_record(path)
    label = record.job.get("label") if record is not None else None
    table = data is not None and data.lower().removesuffix(".gz").endswith(".csv")
    return label if table and isinstance(label, str) else None


def check_classes(test: Dataset, names: tuple[str, ...]) -> None:
    """DataError where the data calls its classes otherwise than the model: the numbers would not mean the same."""
    if names and test.class_names and names != test.class_names:
        raise DataError(
            f"{test.name}: needs the classes of the training, {', '.join(names)}, found {', '.join(test.class_names)}; "
            f"give it the same classes"
        )


def size_for(model: Model, data: str | None) -> tuple[int, ...] | None:
    """Rows, columns and channels that pictures are brought to: the model's own; None for other data."""
    shape = model.input_shape
    return shape if data is not None and len(shape) == 3 and has_pictures(data) else None
