"""Local distillation: the losses, what is kept, and what it does to a conversion."""

from pathlib import Path

import pytest
import torch
from tests.gqa_compress.tiny_models import save_tiny, tiny_model, with_copied_heads
from transformers import AutoModelForCausalLM

from gqa_compress.conversion import layer_distillation
from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.conversion.convert import convert
from gqa_compress.conversion.layer_distillation import (
    Batches,
    LayerDistillationConfig,
    distill_layer_,
    kl_of_logits,
    squared_error,
)
from gqa_compress.conversion.layer_runner import HiddenStates


def batches(target: torch.nn.Module, seed: int) -> Batches:
    generator = torch.Generator().manual_seed(seed)
    states = [
        HiddenStates(torch.randn(2, 5, 4, generator=generator), torch.ones(2, 5).bool()) for _ in range(3)
    ]
    states[0].mask[:, 3:] = False
    with torch.no_grad():
        return [(state, target(state.hidden)) for state in states]


@pytest.fixture
def wanted() -> torch.nn.Linear:
    layer = torch.nn.Linear(4, 4)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(16.0).view(4, 4) / 16)
    return layer


def test_the_squared_error_has_the_targets_own_size_as_its_unit(wanted: torch.nn.Linear) -> None:
    seen = batches(wanted, 0)
    nothing = squared_error(lambda states: torch.zeros_like(states.hidden), seen)
    errors = torch.cat([nothing(*batch) for batch in seen])
    assert len(errors) == 6 + 10 + 10
    assert errors.mean() == pytest.approx(1)


def test_the_divergence_is_zero_at_the_target_and_ignores_padding(wanted: torch.nn.Linear) -> None:
    states, target = batches(wanted, 0)[0]
    loss = kl_of_logits(lambda state: wanted(state.hidden), torch.nn.Identity())
    torch.testing.assert_close(loss(states, target), torch.zeros(6))
    log_p = torch.log_softmax(states.hidden, -1)
    log_q = torch.log_softmax(target, -1)
    by_hand = (log_q.exp() * (log_q - log_p)).sum(-1)[states.mask]
    found = kl_of_logits(lambda state: state.hidden, torch.nn.Identity())(states, target)
    torch.testing.assert_close(found, by_hand)


def test_distillation_comes_closer_and_freezes_what_it_moved(wanted: torch.nn.Linear) -> None:
    layer = torch.nn.Linear(4, 4).requires_grad_(requires_grad=False)
    seen, held_out = batches(wanted, 0), batches(wanted, 1)
    loss = squared_error(lambda states: layer(states.hidden), seen)
    report = distill_layer_(
        list(layer.parameters()), loss, seen, held_out, LayerDistillationConfig(steps=200, learning_rate=0.1)
    )
    assert report.loss_after < 0.01 * report.loss_before
    assert not any(parameter.requires_grad for parameter in layer.parameters())


def test_weights_that_do_worse_on_held_out_sequences_are_not_kept(wanted: torch.nn.Linear) -> None:
    seen, held_out = batches(torch.nn.Linear(4, 4), 0), batches(wanted, 1)
    before = wanted.weight.detach().clone()
    loss = squared_error(lambda states: wanted(states.hidden), seen)
    report = distill_layer_(
        list(wanted.parameters()), loss, seen, held_out, LayerDistillationConfig(steps=10, learning_rate=2e-3)
    )
    assert report.best_step == 0
    assert torch.equal(wanted.weight, before)


def test_a_token_with_a_huge_stream_does_not_decide_alone() -> None:
    states, target = batches(torch.nn.Linear(4, 4), 0)[0]
    states.hidden[:, 0] *= 1e4  # as the first token of a sequence in pretrained models
    wrong = torch.zeros_like(target)
    loss = squared_error(lambda _: wrong, [(states, target)])(states, target)
    first = torch.zeros_like(states.mask)
    first[:, 0] = True
    assert loss[first[states.mask]].max() < 1e-6 * loss[~first[states.mask]].mean()


def test_predictions_are_compared_a_few_tokens_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_distillation, "LOGIT_TOKENS", 3)
    head, layer = torch.nn.Linear(4, 50), torch.nn.Linear(4, 4)
    sizes = []

    def logits(hidden: torch.Tensor) -> torch.Tensor:
        sizes.append(hidden.shape[1])
        found: torch.Tensor = head(hidden)
        return found

    states, target = batches(torch.nn.Linear(4, 4), 0)[0]
    loss = kl_of_logits(lambda each: layer(each.hidden), logits)(states, target)
    loss.mean().backward()  # type: ignore[no-untyped-call]
    assert max(sizes) == 3
    log_p, log_q = (head(each[states.mask]).log_softmax(-1) for each in (layer(states.hidden), target))
    expected = (log_q.exp() * (log_q - log_p)).sum(-1)
    torch.testing.assert_close(loss, expected)
    (gradient,) = torch.autograd.grad(expected.mean(), [layer.weight])
    torch.testing.assert_close(layer.weight.grad, gradient)


def plan(**fields: object) -> ConversionConfig:
    return ConversionConfig(**({"kv_heads": 2, "tokens": 1024, "max_length": 64} | fields))


@pytest.mark.parametrize("model_type", ["gemma", "phi"])
def test_an_exact_merge_is_left_alone(tmp_path: Path, text: Path, model_type: str) -> None:
    source = save_tiny(with_copied_heads(tiny_model(model_type), 2, "scaled"), tmp_path / "source")
    report = convert(source, text, tmp_path / "out", plan(distill_steps_per_layer=4))
    assert [layer.best_distill_step for layer in report.layers] == [
        {"attention": 0},
        {"attention": 0, "layer": 0},
    ]
    tokens = torch.arange(1, 40)[None]
    before, after = (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()(tokens).logits
        for folder in (source, tmp_path / "out")
    )
    torch.testing.assert_close(before, after, atol=1e-5, rtol=1e-5)


def test_each_step_of_a_conversion_brings_it_closer_to_the_original(tmp_path: Path, text: Path) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")

    def divergence(name: str, **fields: object) -> float:
        return convert(source, text, tmp_path / name, plan(**fields)).held_out.kl

    merged = divergence("merged", refit=False, distill_steps_per_layer=0)
    refitted = divergence("refitted", distill_steps_per_layer=0)
    assert refitted < merged
    assert divergence("distilled", distill_steps_per_layer=40) < refitted
