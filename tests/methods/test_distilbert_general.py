"""DistilBERT's pre-training: the masked text, the heads of either network, and the three losses by hand."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, BertConfig

from raykd.errors import UserError
from raykd.losses.hidden import cosine_loss
from raykd.losses.vocabulary import masked_lm, vocabulary_kl
from raykd.methods import METHODS, distilbert_general
from raykd.methods.distilbert_general import DistilBERTGeneralParameters, general, masked_text
from raykd.methods.general import general as general_of
from raykd.methods.method import Pair
from raykd.methods.recipe import Live, Recipe, Scene, Step, Vocabulary
from raykd.methods.seen import Need, Seen
from raykd.methods.vocabulary_heads import VocabularyHeads, make_heads
from raykd.models.outputs import forward
from raykd.models.quiet import quiet
from raykd.models.shape import Shape
from raykd.tasks.encode import Batch
from tests.kinds import KINDS
from tests.methods.live import origin
from tests.methods.steps import LENGTH, MASK, WORDS, terms

WIDTH = 32  # of tests.kinds
MASKED = 4
WORDS_OF = Vocabulary(WORDS, 0, MASKED, (0, 1, 2, 3, 4))


class Reader(nn.Module):
    """A stub network: each token's state [D] is tanh(W E[token])."""

    def __init__(self, seed: int, width: int = WIDTH) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.words, self.top = nn.Embedding(WORDS, width), nn.Linear(width, width)

    def get_input_embeddings(self) -> nn.Module:
        return self.words

    def forward(self, ids: Tensor) -> Tensor:
        states: Tensor = self.top(self.words(ids)).tanh()
        return states


class Reading:
    """Stands for `observe`, and keeps the batches that were read."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def __call__(
        self, model: nn.Module, batch: Batch, needs: Set[Need], *, inputs_embeds: Tensor | None = None
    ) -> Seen:
        self.batches.append(batch)
        [need] = needs
        assert need == Need("hidden", 4 if not next(model.parameters()).requires_grad else 2)
        return Seen({need: model(batch.input_ids)})


def pair_of(student: int = WIDTH) -> Pair:
    return Pair(Shape(4, WIDTH, 4, WORDS), Shape(2, student, 4, WORDS))


def scene_of(kind: str = "bert", **changed: Any) -> Scene:
    def survey(name: str, needs: Set[Need]) -> Any:
        raise AssertionError("nothing to survey")

    scene = Scene(pair_of(), 3, LENGTH, WORDS_OF, origin(kind, WORDS), None, survey)
    return replace(scene, **changed)


def step_of(recipe: Recipe, width: int = WIDTH) -> tuple[Step, Reader, Reader, Reading]:
    """A step of stub networks, and they; the heads are BERT's."""
    reading, student, teacher = Reading(), Reader(7, width), Reader(8).requires_grad_(False)
    torch.manual_seed(5)
    scene = scene_of(pair=pair_of(width))
    extras = nn.ModuleDict({name: make(scene) for name, make in recipe.extras.items()})
    ids = torch.randint(5, WORDS, (3, LENGTH), generator=torch.Generator().manual_seed(3))
    batch = Batch(ids, MASK, None, torch.full((3,), -100), torch.arange(3))
    live = Live(student, teacher, None, None, WORDS_OF, reading)
    return Step(Seen({}), Seen({}), batch, 0.5, extras, {}, live), student, teacher, reading


def values_of(recipe: Recipe, step: Step, seed: int = 1) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return {name: term.loss(step) for name, term in terms(recipe).items() if term.weight}


def whole(kind: str) -> Any:
    """The masked language model that the heads are taken from."""
    with quiet():
        return AutoModelForMaskedLM.from_pretrained(origin(kind, WORDS)).eval()


@pytest.mark.parametrize("positions", ["all", "masked"])
def test_the_three_losses_by_hand(positions: str) -> None:
    p = DistilBERTGeneralParameters.model_validate({"positions": positions, "mask_probability": 0.4})
    recipe = general(p, pair_of())
    assert {name: term.weight for name, term in terms(recipe).items()} == {"soft": 5, "mlm": 2, "cosine": 1}
    step, student, teacher, reading = step_of(recipe)
    found = values_of(recipe, step)
    assert len(reading.batches) == 2  # each network reads one text, once for all terms
    assert reading.batches[0] is reading.batches[1]

    torch.manual_seed(1)
    batch, labels = masked_text(step.batch, WORDS_OF, 0.4)
    model = whole("bert")
    own, told = student(batch.input_ids), teacher(batch.input_ids)
    told_words = model.cls(told)
    del model.cls.predictions.decoder.weight  # tied
    model.cls.predictions.decoder.weight = student.words.weight
    own_words = model.cls(own)
    selected = MASK if positions == "all" else labels != -100
    expected = {
        "soft": vocabulary_kl(own_words, told_words, selected, 2.0),
        "mlm": masked_lm(own_words, labels),
        "cosine": cosine_loss(own, told, MASK),
    }
    torch.testing.assert_close(found, expected)
    sum(found.values(), start=torch.zeros(())).backward()
    gradients = [weight.grad for weight in student.parameters()]
    wanted = torch.autograd.grad(sum(expected.values(), start=torch.zeros(())), list(student.parameters()))
    torch.testing.assert_close(gradients, list(wanted))
    assert all(weight.grad is not None for weight in step.extras.parameters())  # the student's head learns
    assert all(weight.grad is None for weight in teacher.parameters())


def test_part_by_part_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for part in (1024, 4):
        monkeypatch.setattr(distilbert_general, "PART", part)
        recipe = general(DistilBERTGeneralParameters(mask_probability=0.5), pair_of())
        step, student, _, _ = step_of(recipe)
        rows: list[int] = []
        heads: Any = step.extras["heads"]
        heads._teacher.register_forward_hook(lambda _, __, out, rows=rows: rows.append(out.logits.shape[1]))
        values = values_of(recipe, step)
        assert max(rows) <= part
        assert sum(rows) == MASK.sum()
        (5 * values["soft"] + 2 * values["mlm"]).backward()
        gradients = [weight.grad for weight in [*student.parameters(), *step.extras.parameters()]]
        results.append((values, gradients))
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("draw", [{"alpha_ce": 0}, {"alpha_mlm": 0}, {"alpha_cos": 0}, {"alpha_ce": 0, "alpha_mlm": 0}])
def test_what_has_no_weight_changes_nothing_of_the_rest(draw: dict[str, Any]) -> None:
    full, less = (general(DistilBERTGeneralParameters.model_validate(given), pair_of()) for given in ({}, draw))
    values = values_of(full, step_of(full)[0], seed=3)
    left = values_of(less, step_of(less)[0], seed=3)
    assert left
    assert not draw.keys() & {f"alpha_{ {'soft': 'ce', 'mlm': 'mlm', 'cosine': 'cos'}[name] }" for name in left}
    torch.testing.assert_close(left, {name: values[name] for name in left})


def test_no_word_masked_is_finite() -> None:
    recipe = general(DistilBERTGeneralParameters(mask_probability=1e-9, positions="masked"), pair_of())
    values = values_of(recipe, step_of(recipe)[0])
    assert values["soft"] == values["mlm"] == 0
    sum(values.values(), start=torch.zeros(())).backward()


def test_a_text_is_masked_as_published() -> None:
    ids = torch.randint(5, WORDS, (200, 100), generator=torch.Generator().manual_seed(1))
    ids[:, 0], ids[:, 60:] = 2, 0
    mask = (torch.arange(100) < 60).long().repeat(200, 1)
    torch.manual_seed(0)
    batch, labels = masked_text(Batch(ids, mask, None, ids[:, 0], ids[:, 0]), WORDS_OF, 0.15)
    chosen = labels != -100
    assert torch.equal(labels[chosen], ids[chosen])
    assert not chosen[:, 0].any()
    assert not chosen[:, 60:].any()
    assert torch.equal(batch.input_ids[~chosen], ids[~chosen])
    words = 200 * 59
    assert chosen.sum() / words == pytest.approx(0.15, abs=0.012)  # 3.6 standard deviations
    given, there = batch.input_ids[chosen], ids[chosen]
    other = (given != MASKED) & (given != there)
    assert (given == MASKED).float().mean() == pytest.approx(0.8, abs=0.035)
    assert other.float().mean() == pytest.approx(0.1 * 14 / 15, abs=0.03)  # one of 15 words is the same again
    assert set(given[other].tolist()) == set(range(5, WORDS))  # never special
    assert torch.equal(batch.attention_mask, mask)


@pytest.mark.parametrize("kind", KINDS)
def test_the_heads_are_those_of_the_language_model(kind: str) -> None:
    model, heads = whole(kind), make_heads(scene_of(kind))
    ids = torch.randint(5, WORDS, (3, LENGTH), generator=torch.Generator().manual_seed(3))
    found = forward(model, input_ids=ids, attention_mask=MASK, hidden_states=True)
    assert found.hidden_states is not None
    states, expected = found.hidden_states[-1][MASK.bool()], found.logits[MASK.bool()]
    table = model.get_input_embeddings().weight
    torch.testing.assert_close(heads.teacher(states), expected)
    torch.testing.assert_close(heads.student(states, table), expected)
    assert not heads.teacher(states.detach()).requires_grad
    heads.student(states.detach(), table).sum().backward()
    assert table.grad is not None
    assert {tuple(weight.shape) for weight in heads.state_dict().values()}.isdisjoint({tuple(table.shape)})
    assert sum(weight.numel() for weight in heads.parameters()) < 3000  # a table of its own would not be found here
    assert all(weight.grad is not None for weight in heads.parameters())


def test_a_student_of_another_width_has_a_fresh_head() -> None:
    recipe = general(DistilBERTGeneralParameters(alpha_cos=0), pair_of(16))
    step, _, _, _ = step_of(recipe, width=16)
    sum(values_of(recipe, step).values(), start=torch.zeros(())).backward()
    heads = step.extras["heads"]
    assert isinstance(heads, VocabularyHeads)
    assert heads.student(torch.zeros(2, 16), torch.zeros(WORDS, 16)).shape == (2, WORDS)
    with pytest.raises(
        UserError, match=rf"word embeddings: the student's are {WORDS} x 8, its head needs {WORDS} x 16"
    ):
        heads.student(torch.zeros(2, 16), torch.zeros(WORDS, 8))


def test_refusals(tmp_path: Path) -> None:
    weightless = DistilBERTGeneralParameters(alpha_ce=0, alpha_mlm=0, alpha_cos=0)
    with pytest.raises(UserError, match="all are 0"):
        general(weightless, pair_of())
    with pytest.raises(UserError) as refused:
        general(DistilBERTGeneralParameters(), Pair(Shape(4, WIDTH, 4, WORDS), Shape(2, 16, 4, WORDS + 1)))
    assert [problem.split(":")[0] for problem in refused.value.problems] == ["hidden width", "word embeddings"]
    recipe = general(DistilBERTGeneralParameters(), pair_of())
    with pytest.raises(UserError, match="no mask token"):
        recipe.extras["heads"](scene_of(vocabulary=replace(WORDS_OF, mask=None)))
    sizes: dict[str, Any] = {"hidden_size": WIDTH, "num_attention_heads": 4, "intermediate_size": 8}
    with quiet():
        config = BertConfig(vocab_size=WORDS, num_hidden_layers=1, **sizes)
        AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"no complete masked language model: cls\.predictions"):
        recipe.extras["heads"](scene_of(origin=tmp_path))


def test_it_is_the_general_stage_of_the_method() -> None:
    method = METHODS["distilbert"]
    recipe = general_of(method, DistilBERTGeneralParameters(), pair_of())
    assert [term.name for term in recipe.stages[0].active] == ["soft", "mlm", "cosine"]
    assert recipe.live
    assert not recipe.stages[0].scored
