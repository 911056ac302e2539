"""The card of a saved model: what it was made for, from the raykd.json beside its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from raykd.errors import UserError
from raykd.models.save import CARD
from raykd.models.seen_rows import SeenRows, read_seen_rows
from raykd.models.source import check_folder, read_json
from raykd.train.config import TaskSpec, Training


@dataclass(frozen=True)
class ModelCard:
    """What later commands must know of a saved model.

    Attributes:
        task: The task that it was made for: classes by name, columns, which rows are held out.
        max_length: Tokens a row is cut to.
        seen: The rows that it has seen; None where its folder does not say.
        teacher: The folder of its teacher as `Workspace.publish` names it, "" for none.
    """

    task: TaskSpec
    max_length: int
    seen: SeenRows | None
    teacher: str = ""


def read_card(folder: Path) -> ModelCard:
    """Read the card of the model in `folder`.

    Raises:
        UserError: It is no model folder, raykd did not make it, it was made for no task, or a file is damaged.
    """
    check_folder(folder, role="student")
    file = folder / CARD
    if not file.is_file():
        raise UserError(f"'{folder}' was not made by raykd: it has no {CARD}")
    spec = read_json(file).get("spec")
    if spec is None:
        raise UserError(f"'{folder}' is an encoder of the general stage: it was made for no task")
    try:
        return ModelCard(
            task=TaskSpec.model_validate(spec["task"]),
            max_length=Training.model_validate(spec["training"]).max_length,
            seen=read_seen_rows(folder),
            teacher=str(spec.get("teacher") or ""),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # pydantic's are ValueErrors
        raise UserError(f"'{folder}': {CARD} is not as raykd writes it: {error!r}") from error
