"""Fine-tuning a teacher: the same loop with the plain recipe, on a whole encoder instead of a student."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from raykd.cpus import use_threads
from raykd.disk import require_room
from raykd.methods.method import Pair, Parameters
from raykd.methods.none import METHOD
from raykd.models.save import save_student
from raykd.models.seen_rows import SEEN_ROWS, SeenRows
from raykd.models.shape import shape, size_of
from raykd.models.source import version
from raykd.outputs import OutputFolder
from raykd.progress import track
from raykd.seeds import derive_seed
from raykd.tasks.encode import Encoded
from raykd.tasks.holdout import SELECT
from raykd.train.checkpoint import scratch
from raykd.train.config import TaskSpec, Training
from raykd.train.evaluate import evaluate
from raykd.train.loop import Report, distill
from raykd.train.resumable import newest_step, resumable
from raykd.train.run_files import clear_run
from raykd.train.stages import Best

TEACH = "teach"  # the command that makes teachers, on their cards


@dataclass(frozen=True)
class Lesson:
    """What a teacher is taught with: tokenised splits, settings, CPU threads; fingerprint: hash of the rows.

    dev: where the first split is called `select`, its rows were held out of train to choose the best evaluation by; the
    others report.
    """

    train: Encoded
    dev: dict[str, Encoded]
    task: TaskSpec
    training: Training
    threads: int
    fingerprint: str = ""


def teach(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    lesson: Lesson,
    folder: Path | OutputFolder,
    report: Callable[[Report], None],
    *,
    source: str,
    say: Callable[[str], object] = print,
) -> tuple[Path, dict[str, float]]:
    """Fine-tune `model` on the labels and save it to `folder` (see `save_student`), as it was at its best evaluation
    on the rows held out to select, where there are any, and at the end of the run otherwise.

    Args:
        model: Trained in place.
        tokenizer: Saved beside it.
        lesson: Rows and settings.
        folder: Where it goes.
        report: Takes each evaluation.
        source: What it was.
        say: Takes from where an interrupted run goes on, and which evaluation is kept.

    Returns:
        Where it lies, and its metrics on all dev splits.
    """
    use_threads(lesson.threads)
    recipe = METHOD.recipe(Parameters(), Pair(shape(model), shape(model), lesson.task.kind))
    splits = [lesson.train.key, *(split.key for split in lesson.dev.values())]
    path = folder if isinstance(folder, Path) else folder.path
    files = version(Path(source)) if Path(source).is_dir() else ()  # another network may lie there by now
    place = scratch(path, source, files, splits, lesson.task, lesson.training)
    place.mkdir(parents=True, exist_ok=True)  # before it is taught, so that nothing comes to be in the way

    best, selects = Best(place), next(iter(lesson.dev)) == SELECT

    def tell(done: Report) -> bool:
        report(done)
        if selects:
            best.offer(model, TEACH, done.score)
        return True

    # Its students may be trained under the same seed, and must see the rows in another order.
    training = lesson.training.model_copy(update={"seed": derive_seed(lesson.training.seed, "teacher")})
    require_room(path, size_of(model))
    rows = len(lesson.train) * training.epochs - (newest_step(place) or 0) * training.batch_size  # of those to come
    with resumable(place, say) as leave, track("teaching", rows) as advance:

        def leaves() -> bool:
            advance(training.batch_size)
            return leave()

        last = distill(model, recipe, lesson.train, lesson.dev, lesson.task, training, place, tell, leave=leaves)
        assert last is not None  # only a report that answers False ends a run early
    metrics = last.metrics
    if selects and best.restore(model, TEACH):
        metrics = evaluate(model, lesson.task, lesson.dev, device=next(model.parameters()).device)
        chosen = metrics[f"{SELECT}/{lesson.task.primary}"]
        say(f"the evaluation with {lesson.task.primary} {chosen:.4f} on the rows held out to select is kept")
    scores = {name: value for name, value in metrics.items() if not name.startswith("train/")}
    card = {
        "command": TEACH,
        "source": source,
        "fingerprint": lesson.fingerprint,
        "spec": {"task": lesson.task.model_dump(), "training": lesson.training.model_dump()},
        "scores": scores,
    }
    held = np.asarray(lesson.dev[SELECT].hashes) if selects else None
    seen = SeenRows(learnt=np.asarray(lesson.train.hashes), **({} if held is None else {"selected": held})).to_bytes()
    saved = save_student(model, tokenizer, folder, card=card, extra={SEEN_ROWS: seen})
    clear_run(place)
    return saved, scores
