"""The generator: which model it is, what it is refused for, and that each kind of network reads what it writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, BertConfig

from raykd.errors import UserError
from raykd.knowledge.observe import observe
from raykd.losses.gumbel import mixed_embeddings
from raykd.methods import METHODS
from raykd.methods.generator import Generator, check_tables, make_generator
from raykd.methods.plan import check_pair
from raykd.methods.recipe import Scene
from raykd.methods.seen import SEE_LOGITS
from raykd.models.scratch import word_tokenizer
from tests.kinds import KINDS, WORDS, tiny
from tests.methods.bench import Texts, bench
from tests.methods.live import origin
from tests.methods.steps import Stand, pair

each_kind = pytest.mark.parametrize("kind", KINDS)
TEXTS = Texts("classes")


def scene_of(kind: str) -> Scene:
    return bench(kind, "mate_kd", "classes").scene


def write(folder: Path, *, words: int = 20, head: bool = True, positions: int = 70, tokens: str = "abc") -> Path:
    """A tiny BERT, with or without its language-modelling head, and a tokenizer."""
    sizes: dict[str, Any] = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=words, max_position_embeddings=positions, num_hidden_layers=1, **sizes)
    torch.manual_seed(2)
    (AutoModelForMaskedLM if head else AutoModelForSequenceClassification).from_config(config).save_pretrained(folder)
    word_tokenizer(list(tokens)).save_pretrained(folder)
    return folder


@each_kind
def test_it_scores_the_masked_positions_as_the_whole_model_does(kind: str) -> None:
    generator, batch = make_generator("", scene_of(kind)).eval(), TEXTS.batch(range(4))
    some = torch.arange(batch.input_ids.numel()).reshape(batch.input_ids.shape) % 3 == 1
    masked = some & batch.attention_mask.bool()
    whole = AutoModelForMaskedLM.from_pretrained(origin(kind, WORDS)).eval()
    expected = whole(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits[masked]
    torch.testing.assert_close(generator(batch, masked), expected)
    shape = generator.model(input_ids=batch.input_ids).logits.shape
    assert shape == (*batch.input_ids.shape, WORDS)  # the hook is gone


@each_kind
def test_a_text_without_a_mask_gives_it_gradients_of_zero(kind: str) -> None:
    on = bench(kind, "mate_kd", "classes")
    batch = on.texts.batch([0])
    batch = replace(batch, input_ids=torch.full_like(batch.input_ids, 2))  # special tokens only
    assert on.recipe.opponent is not None
    step = on.objective.step(batch, on.told(batch, on.recipe.stages[0]), on.told(batch, on.recipe.stages[0]), 0.5)
    loss = on.recipe.opponent.loss(step)
    assert step.live is not None
    assert isinstance(step.live.opponent, Generator)
    head = step.live.opponent.model.get_output_embeddings().weight
    (gradient,) = torch.autograd.grad(loss, [head])
    assert torch.isfinite(loss)
    assert not gradient.any()


@each_kind
@pytest.mark.parametrize("answers", ["classes", "number", "span"])
def test_word_embeddings_read_like_ids(kind: str, answers: str) -> None:
    model, batch = tiny(kind, 2, answers), TEXTS.batch(range(4))
    table = model.get_input_embeddings().get_parameter("weight")
    none = torch.zeros_like(batch.input_ids).bool()
    text = mixed_embeddings(batch.input_ids, none, torch.zeros(0, WORDS), table)
    by_ids, by_words = observe(model, batch, SEE_LOGITS), observe(model, batch, SEE_LOGITS, inputs_embeds=text)
    torch.testing.assert_close(by_words.logits, by_ids.logits)


@each_kind
def test_the_divergence_reaches_the_generator_and_nobody_else(kind: str) -> None:
    on = bench(kind, "mate_kd", "classes")
    batch, opponent = on.texts.batch(range(4)), on.recipe.opponent
    told = on.told(batch, on.recipe.stages[0])
    assert opponent is not None
    step = on.objective.step(batch, told, told, 0.5)
    assert step.live is not None
    assert step.live.opponent is not None
    weights = list(step.live.opponent.parameters())
    gradients = torch.autograd.grad(opponent.loss(step), weights, allow_unused=True)
    assert any(gradient is not None and bool(gradient.any()) for gradient in gradients)
    assert all(gradient is None or bool(torch.isfinite(gradient).all()) for gradient in gradients)
    assert all(weight.grad is None for network in (on.student, on.teacher) for weight in network.parameters())


def test_a_stored_head_is_loaded_and_a_fresh_one_tied_to_the_words(tmp_path: Path) -> None:
    scene = Stand(pair(4, 2)).scene()
    stored, fresh = (
        make_generator("", replace(scene, origin=write(tmp_path / str(head), head=head))) for head in (True, False)
    )
    whole = AutoModelForMaskedLM.from_pretrained(tmp_path / "True")
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, stored.model.state_dict()[name]), name
    assert fresh.model.get_output_embeddings().weight is fresh.model.get_input_embeddings().weight
    torch.manual_seed(5)
    state = torch.get_rng_state()
    again = make_generator("", replace(scene, origin=tmp_path / "False"))
    assert torch.equal(torch.get_rng_state(), state)
    for name, weight in again.state_dict().items():  # the same on every worker
        assert torch.equal(weight, fresh.state_dict()[name]), name


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    scene = Stand(pair(4, 2)).scene()
    scene = replace(scene, vocabulary=replace(scene.vocabulary, mask=None), length=90)
    scene = replace(scene, origin=write(tmp_path / "origin"))
    given = write(tmp_path / "given", words=21, tokens="acb")
    with pytest.raises(UserError) as caught:
        make_generator(str(given), scene)
    no_mask, sizes, tokens, short = caught.value.problems
    assert "no mask token (mask_token)" in no_mask
    assert "the teacher has 20, the student 20, the generator 21" in sizes
    assert "reads 70 tokens, the longest text has 90" in short
    assert "first differing (teacher / student): 6: 'b' / 'c'" in tokens


def test_a_given_generator_with_the_same_tokens_serves(tmp_path: Path) -> None:
    scene = replace(Stand(pair(4, 2)).scene(), origin=write(tmp_path / "origin"))
    assert isinstance(make_generator(str(write(tmp_path / "given")), scene), Generator)


def test_a_generator_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match=r"generator '\./nowhere': no such folder"):
        make_generator("./nowhere", Stand(pair(4, 2)).scene())


def test_word_tables_of_two_sizes_are_refused() -> None:
    networks = pair(4, 2)
    with pytest.raises(UserError, match=r"the student has 21, the teacher 20; .* the student needs 20"):
        check_tables(replace(networks, student=replace(networks.student, vocabulary=21)))


def test_what_can_be_known_before_training_is_asked_then(tmp_path: Path) -> None:
    origin = write(tmp_path / "origin")
    networks = pair(4, 2)
    check_pair(METHODS["mate_kd"], {}, networks, origin)
    with pytest.raises(UserError, match=r"method 'mate_kd': generator '\./nowhere': no such folder"):
        check_pair(METHODS["mate_kd"], {"generator": "./nowhere"}, networks, origin)
    given = write(tmp_path / "given", words=21)
    with pytest.raises(UserError, match="the teacher has 20, the student 20, the generator 21"):
        check_pair(METHODS["combined_kd"], {"generator": str(given)}, networks, origin)
