"""What a registered student takes and gives, as MLflow writes it down: its signature, and an example of its input."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from raykd.train.config import TaskSpec

SPAN_COLUMNS = ("question", "context")


def columns_of(task: TaskSpec) -> tuple[str, ...]:
    """The text columns of a task, in their order; () where they are not known."""
    return task.texts or (SPAN_COLUMNS if task.kind == "span" else ())


def signature_of(task: TaskSpec) -> ModelSignature | None:
    """The signature of a student.

    MLflow leaves it to the model to check its input (raykd.tracking.served), as it does for models with type hints.
    Checked by MLflow itself, a number in a column of strings would be made a text, and rows without names refused.

    Args:
        task: What the student has learnt.

    Returns:
        String columns by name, and the fields of a record of the output; None where the columns are not known.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import Map

    names = columns_of(task)
    if not names:
        return None
    score = ColSpec(DataType.double, "score")
    outputs: dict[str, list[ColSpec | TensorSpec]] = {
        "span": [ColSpec(DataType.string, "answer"), score],
        "number": [ColSpec(DataType.string, "label"), score],
        "classes": [ColSpec(DataType.string, "label"), score, ColSpec(Map(DataType.double), "probabilities")],
    }
    inputs: list[ColSpec | TensorSpec] = [ColSpec(DataType.string, name) for name in names]
    signature = ModelSignature(Schema(inputs), Schema(outputs[task.kind]))
    signature._is_signature_from_type_hint = True
    return signature


def example_of(task: TaskSpec) -> list[dict[str, str]] | None:
    """Two records of input, of no person's data; None where the columns are not known."""
    names = columns_of(task)
    return [{name: f"{which} {name}" for name in names} for which in ("a", "another")] if names else None
