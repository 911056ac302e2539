"""A saved student beside its teacher: what it took over of the answers, the layers and the relations (FSD's analyses).

On the first dev split of the data; see `raykd.side_by_side` for what both networks are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
import torch

from raykd.card import read_card
from raykd.cpus import use_threads
from raykd.errors import UserError, together
from raykd.models.classifier import has_head, load_classifier
from raykd.models.relabel import parse_label_map, relabelled
from raykd.models.save import CARD
from raykd.models.seen_rows import SeenRows
from raykd.models.source import read_json, resolve
from raykd.models.tokenizer import check_vocabulary, load_tokenizer
from raykd.output_paths import Inputs
from raykd.outputs import OutputFile, OutputFolder, check_file, check_folder
from raykd.paths import expand_home
from raykd.report.analysis_page import ANALYSE, JSON, Analysis, is_page
from raykd.report.loyalty import label_loyalty, probability_loyalty, restoration
from raykd.scoring_rows import load_scoring_rows
from raykd.side_by_side import PENULTIMATE, Seen, observe
from raykd.tasks import answers, spans
from raykd.tasks.encode import Encoded, encode
from raykd.tasks.metrics import score
from raykd.tasks.questions import Questions
from raykd.tasks.source import Source
from raykd.train.config import TaskSpec
from raykd.train.evaluate import measure
from raykd.workspace import here


def analyse(
    students: Sequence[str | Path],
    source: Source = Source(),  # noqa: B008 (frozen)
    *,
    task: str | None = None,
    teacher: str | None = None,
    layer: int = PENULTIMATE,
    label_map: str | None = None,
    say: Callable[[str], object] = lambda sentence: None,
    check: Callable[[Path], object] = lambda teacher: None,
) -> list[Analysis]:
    """Each saved student beside one teacher, on the first dev split of `source`; of a file of one's own on all rows
    that no student has seen.

    task: where it differs from the one the students were made for. teacher: a folder or hub name; by default the folder
    that the students' cards name. label_map: which class each output of the teacher is (see parse_label_map). layer:
    whose states are related; 0 is the embedding output, -1 the last. say: takes a sentence at a time about what was
    read. check: told of the teacher's folder before anything is measured. Raises UserError: no students, folders that
    are none, cards of several tasks or teachers, a teacher without a head for the task or with other tokens, answers
    that are not numbers.
    """
    folders = [expand_home(student) for student in students]
    checks: list[Callable[[], Any]] = [partial(_distinct, folders)]
    checks += [partial(read_card, folder) for folder in folders]
    checks.append(partial(resolve, teacher, role="teacher") if teacher else lambda: None)
    _, *cards, given = together(checks)
    checks = [partial(_one, "task", [card.task.flag for card in cards]) if task is None else lambda: task]
    checks.append(partial(_own_teacher, folders) if given is None else lambda: given)
    wanted, place = together(checks)
    check(place)
    known_rows = [card.seen for card in cards if card.seen is not None]
    card = replace(cards[0], seen=reduce(SeenRows.union, known_rows) if known_rows else None)
    data = load_scoring_rows(card, source, task and wanted, folders[0], say)
    spec = data.task
    if label_map is not None:
        order = parse_label_map(label_map, spec.labels)
        place = relabelled(place, order, spec.head, here().teachers / "relabelled")
    together([partial(_fits, place, folder, spec) for folder in folders])
    split, rows = next(iter(data.splits.items()))
    use_threads()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    known = load_classifier(place, spec.head)
    found = []
    for name, folder, card in zip(short_names(folders), folders, cards, strict=True):
        student = load_classifier(folder, spec.head)
        tokenizer, cache, stride = load_tokenizer(folder), here().cache, spec.stride or card.task.stride
        regression = spec.regression
        coded = encode(rows, tokenizer, max_length=card.max_length, regression=regression, cache=cache, stride=stride)
        seen = observe(known, student, coded, device=device, layer=layer)
        for role, logits, where in (("teacher", seen.teacher, place), ("student", seen.student, folder)):
            if not np.isfinite(logits).all():
                raise UserError(f"{role} '{where}' answers with NaN or infinity: its weights are damaged")
        restored, loyal = compare(spec, seen, coded)
        found.append(
            Analysis(
                name=name,
                student=str(folder),
                teacher=str(place),
                task=spec.name,
                split=split,
                rows=len(rows),
                scores=measure(spec, seen.student, coded),
                teacher_scores=measure(spec, seen.teacher, coded),
                restoration=restored,
                loyalty=loyal,
                relations=seen.relations,
                cka=seen.cka,
            )
        )
    return found


def compare(task: TaskSpec, seen: Seen, split: Encoded) -> tuple[dict[str, float], dict[str, float]]:
    """Restoration and loyalty of the student's answers. Of numbers restoration is the correlation with the teacher's;
    of spans F1 of words and exact match with the teacher's span, and the share of equal texts is the label loyalty."""
    if task.kind == "number":
        names = TaskSpec(name="", labels=(), metrics=("pearson", "spearman"), primary="pearson", kind="number")
        return score(names, seen.student, seen.teacher.reshape(-1)), {}
    if task.kind == "span":
        questions = Questions.of(split)
        texts = [[one.text for one in spans.find(task, logits, questions)] for logits in (seen.student, seen.teacher)]
        pairs = list(zip(*texts, strict=True))
        restored = {
            "f1": float(np.mean([answers.f1(ours, [theirs]) for ours, theirs in pairs])),
            "exact_match": float(np.mean([answers.exact_match(ours, [theirs]) for ours, theirs in pairs])),
        }
        return restored, {"label": float(np.mean([ours == theirs for ours, theirs in pairs]))}
    chosen = seen.student.argmax(axis=1), seen.teacher.argmax(axis=1)
    loyal = {"label": label_loyalty(*chosen), "probability": probability_loyalty(seen.student, seen.teacher)}
    return restoration(*chosen, classes=len(task.labels)), loyal


def check_out(out: str | Path, inputs: Inputs) -> OutputFile | OutputFolder:
    """Check where an analysis is to be written: a page where `out` ends in .html, else a folder.

    Raises:
        UserError: It is, holds or lies in an input, or it holds anything that no analysis wrote or that was changed.
    """
    if is_page(Path(out)):
        return check_file(out, inputs, here())
    return check_folder(out, inputs, here(), command=ANALYSE, card=JSON)


def short_names(folders: Sequence[Path]) -> list[str]:
    """As little of the ends of the paths as tells the folders apart; a last part "student" says nothing."""
    parts = [folder.absolute().parts for folder in folders]
    parts = [one[:-1] if one[-1] == "student" and len(one) > 2 else one for one in parts]
    for number in range(1, max(map(len, parts))):
        names = ["/".join(one[-number:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [str(folder) for folder in folders]


def _distinct(folders: Sequence[Path]) -> None:
    if not folders:
        raise UserError("no student was given")
    places = [folder.resolve() for folder in folders]
    twice = sorted({str(folder) for folder in places if places.count(folder) > 1})
    if twice:
        raise UserError(*(f"student '{folder}' was given twice" for folder in twice))


def _one(what: str, names: Sequence[str]) -> str:
    if len(set(names)) > 1:
        raise UserError(f"the students were made for several {what}s ({', '.join(sorted(set(names)))}): name one")
    return names[0]


def _own_teacher(folders: Sequence[Path]) -> Path:
    """The folder of the teacher that the cards of all students name."""
    named = {str(folder): read_json(folder / CARD)["spec"].get("teacher") for folder in folders}
    problems = [f"student '{folder}': its card names no teacher" for folder, name in named.items() if not name]
    places = {folder: Path(here().reach(str(name))) for folder, name in named.items() if name}
    problems += [
        f"student '{f}': its teacher '{place}' is not there" for f, place in places.items() if not place.is_dir()
    ]
    if problems:
        raise UserError(*problems, "name the teacher with --teacher FOLDER")
    return resolve(_one("teacher", sorted({str(place) for place in places.values()})), role="teacher")


def _fits(teacher: Path, student: Path, task: TaskSpec) -> None:
    span = task.kind == "span"
    if not has_head(teacher, span=span):
        raise UserError(f"teacher '{teacher}' has no {'head for spans' if span else 'classifier'}: teach it first")
    check_vocabulary(load_tokenizer(teacher), load_tokenizer(student))
