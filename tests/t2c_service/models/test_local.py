"""A checkpoint folder in process: exact completions, other hypotheses, limits and cancellation."""

import asyncio
import json
import shutil
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.t2c_service.conftest import BY_HEART
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from t2c_core.grammar import Grammar
from t2c_service.bootstrap import open_service
from t2c_service.errors import (
    CompletionError,
    DeadlineError,
    ModelFolderError,
    OverloadedError,
    SettingsError,
)
from t2c_service.models import protocol
from t2c_service.models.local import decoding, engine
from t2c_service.models.local import model as local
from t2c_service.models.local.decoding import DecodingSequence
from t2c_service.models.local.llama import FastLlama
from t2c_service.models.local.model import LocalModel
from t2c_service.models.local.packed_linear import PackedLinear
from t2c_service.settings import ModelSettings, Settings


@pytest.fixture
async def model(heart: Path) -> AsyncIterator[LocalModel]:
    loaded = LocalModel.load(heart)
    yield loaded
    await loaded.close()


async def test_completions_are_those_of_the_training(model: LocalModel) -> None:
    for prompt, completion in BY_HEART.items():
        written = await model.complete(prompt, timeout_s=20)
        assert written.text == completion
        assert written.tokens == len(completion.split()) + 1
        assert written.mean_logprob == pytest.approx(0, abs=0.1)


async def test_decoding_agrees_with_transformers(model: LocalModel, heart: Path) -> None:
    reference = AutoModelForCausalLM.from_pretrained(heart)
    tokenizer = AutoTokenizer.from_pretrained(heart)
    ids = tokenizer("beta", return_tensors="pt")["input_ids"]
    made = reference.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=9, do_sample=False)
    assert (
        tokenizer.decode(made[0, 1:], skip_special_tokens=True)
        == (await model.complete("beta", timeout_s=20)).text
    )


async def test_other_hypotheses_differ_from_the_first_and_from_each_other(model: LocalModel) -> None:
    texts = [(await model.complete("alpha", hypothesis=number, timeout_s=20)).text for number in range(4)]
    assert texts[0] == BY_HEART["alpha"]
    assert len(set(texts)) == 4


async def test_hypotheses_are_the_same_each_time(model: LocalModel) -> None:
    first, second = [await model.complete("alpha", hypothesis=1, timeout_s=20) for _ in range(2)]
    assert first.text == second.text


async def test_hypotheses_run_out(model: LocalModel) -> None:
    with pytest.raises(CompletionError, match="no further hypothesis"):
        await model.complete("gamma", hypothesis=3, timeout_s=20)


async def test_many_questions_at_once_get_their_own_answers(model: LocalModel) -> None:
    prompts = [*BY_HEART] * 5
    written = await asyncio.gather(*(model.complete(prompt, timeout_s=60) for prompt in prompts))
    assert [each.text for each in written] == [BY_HEART[prompt] for prompt in prompts]


async def test_endless_output_is_an_error(heart: Path) -> None:
    model = LocalModel.load(heart, max_tokens=2)
    with pytest.raises(CompletionError, match="exceeds 2 tokens"):
        await model.complete("alpha", timeout_s=20)
    await model.close()


async def test_a_prompt_that_fills_the_context_is_an_error(model: LocalModel) -> None:
    with pytest.raises(CompletionError, match="no room"):
        await model.complete("alpha" + " one" * 300, timeout_s=20)


async def test_the_deadline_stops_the_worker(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()

    def forever(_engine: object, rows: list[DecodingSequence], _ends: object) -> None:
        if rows:
            given_up.clear()
            assert rows[0].cancelled[0].wait(20)
            given_up.set()

    with monkeypatch.context() as patch:
        patch.setattr(decoding, "decode", forever)
        with pytest.raises(DeadlineError, match="took longer than"):
            await model.complete("alpha", timeout_s=0.3)
        assert await asyncio.to_thread(given_up.wait, 20)
    assert (await model.complete("gamma", timeout_s=20)).text == BY_HEART["gamma"]


async def test_a_cancelled_question_frees_the_worker(model: LocalModel) -> None:
    task = asyncio.create_task(model.complete("alpha", timeout_s=20))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await model.complete("gamma", timeout_s=20)).text == BY_HEART["gamma"]
    assert model._pending == 0


async def test_a_full_queue_rejects_completions(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "MAX_QUEUED", 0)
    with pytest.raises(OverloadedError):
        await model.complete("alpha", timeout_s=20)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="no such folder"):
        LocalModel.load(tmp_path / "none")
    with pytest.raises(ModelFolderError, match=r"no config\.json"):
        LocalModel.load(tmp_path)


def test_a_torn_checkpoint_is_refused(tmp_path: Path, heart: Path) -> None:
    torn = tmp_path / "torn"
    shutil.copytree(heart, torn)
    (torn / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(ModelFolderError, match="cannot be loaded"):
        LocalModel.load(torn)


def test_a_checkpoint_of_pickles_is_not_loaded(tmp_path: Path, heart: Path) -> None:
    pickled = tmp_path / "pickled"
    shutil.copytree(heart, pickled)
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(ModelFolderError, match="cannot be loaded"):
        LocalModel.load(pickled)


def test_a_tokenizer_without_end_is_refused(tmp_path: Path, heart: Path) -> None:
    endless = tmp_path / "endless"
    shutil.copytree(heart, endless)
    for name in ("tokenizer_config.json", "config.json", "generation_config.json"):
        content = json.loads((endless / name).read_text())
        (endless / name).write_text(json.dumps({**content, "eos_token": None, "eos_token_id": None}))
    with pytest.raises(ModelFolderError, match="no end-of-sequence token"):
        LocalModel.load(endless)


async def test_what_waits_is_decoded_together_and_comes_out_the_same(
    model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    decode = decoding.decode

    def counted(engine: Any, rows: list[DecodingSequence], ends: frozenset[int]) -> None:
        sizes.append(len(rows))
        decode(engine, rows, ends)

    monkeypatch.setattr(decoding, "decode", counted)
    prompts = ["alpha", "beta alpha beta", "gamma beta"]
    alone = [await model.complete(prompt, timeout_s=60) for prompt in prompts]
    model._completed.clear()
    together = await asyncio.gather(*(model.complete(prompt, timeout_s=60) for prompt in prompts))
    assert [each.text for each in together] == [each.text for each in alone]
    for one, other in zip(together, alone, strict=True):
        # A question alone is read by integers and bfloat16, several by the same weights in float32.
        assert one.mean_logprob == pytest.approx(other.mean_logprob, abs=1e-2)
    assert max(sizes) > 1


async def test_a_grammar_is_kept(model: LocalModel) -> None:
    async def text(prompt: str, grammar: str, **options: Any) -> str:
        return (await model.complete(prompt, grammar=Grammar(grammar), timeout_s=60, **options)).text

    assert await text("alpha", 'root ::= " one two" (" three" | " four")') == " one two three"
    assert await text("alpha", 'root ::= " one two" (" four" | " five")') in {
        " one two four",
        " one two five",
    }
    assert await text("gamma", 'root ::= " four"') == " four"
    assert await text("alpha", 'root ::= " one two" (" three" | " four")', hypothesis=1) == " one two four"
    with pytest.raises(CompletionError, match="no further hypothesis"):
        await text("gamma", 'root ::= " four"', hypothesis=1)


def small_llama(kv_heads: int, std: float) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        head_dim=8,
        max_position_embeddings=64,
    )
    torch.manual_seed(0)
    network = LlamaForCausalLM(config).eval()
    for weight in network.parameters():  # norms too, which begin as ones
        torch.nn.init.normal_(weight, std=std)
    return network


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_fast_llama_has_the_logits_of_transformers(kv_heads: int) -> None:
    network = small_llama(kv_heads, 0.5)
    ours, theirs = FastLlama.of(network), engine.TransformersEngine(network)
    assert ours is not None
    rows = [[3, 1, 4, 1, 5], [9, 2], [6, 5, 3, 5]]
    with torch.inference_mode():
        (mine, first), (other, expected) = ours.prefill(rows, 4), theirs.prefill(rows, 4)
        torch.testing.assert_close(first, expected, rtol=1e-3, atol=1e-3)
        for kept, tokens in (([0, 1, 2], [7, 8, 9]), ([2, 0], [1, 2]), ([1], [3])):
            mine.select_rows(kept)
            other.select_rows(kept)
            step = ours.decode_step(mine, tokens)
            torch.testing.assert_close(step, theirs.decode_step(other, tokens), rtol=1e-3, atol=1e-3)


def test_quantised_weights_give_the_same_alone_and_in_a_batch() -> None:
    network = small_llama(2, 0.2)
    exact, rounded = FastLlama.of(network), FastLlama.of(network, is_quantised=True)
    assert exact is not None
    assert rounded is not None
    prompt, following = [3, 1, 4, 1, 5], [7, 8, 9]
    with torch.inference_mode():
        (state, expected), (alone, one), (together, several) = (
            exact.prefill([prompt], 4),
            rounded.prefill([prompt], 4),
            rounded.prefill([prompt, prompt], 4),
        )
        for token in following:
            torch.testing.assert_close(one, expected, rtol=0, atol=0.05 * float(expected.abs().max()))
            torch.testing.assert_close(several, one.expand(2, -1), rtol=0, atol=0.02 * float(one.abs().max()))
            expected, one = exact.decode_step(state, [token]), rounded.decode_step(alone, [token])
            several = rounded.decode_step(together, [token, token])
    assert not torch.equal(one, expected)


@pytest.mark.parametrize("inputs", [16, 33, 64])
def test_a_quantised_weight_is_close_to_the_exact_one(inputs: int) -> None:
    generator = torch.Generator().manual_seed(0)
    weight, row = torch.randn(37, inputs, generator=generator), torch.randn(1, inputs, generator=generator)
    weight[3] = 0
    rounded = PackedLinear(weight, is_quantised=True)
    expected = row @ weight.T
    near = 0.02 * float(expected.abs().max())
    torch.testing.assert_close(rounded.matmul_single(row).float(), expected, rtol=0, atol=near)
    torch.testing.assert_close(rounded.matmul_batch(row), expected, rtol=0, atol=near)
    assert float(rounded.matmul_single(row)[0, 3]) == 0


def test_other_architectures_run_by_transformers() -> None:
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=4,
        attention_bias=True,
    )
    network = LlamaForCausalLM(config).eval()
    assert isinstance(engine.choose_engine(network, is_small=True), engine.TransformersEngine)


async def test_one_bad_prompt_fails_alone(model: LocalModel) -> None:
    alone = (await model.complete("beta", timeout_s=60)).text
    model._completed.clear()
    bad: Any = [{"role": "user", "content": "there is no chat template"}]
    broken = Grammar("root ::= (")
    results = await asyncio.gather(
        model.complete("alpha", timeout_s=60),
        model.complete(bad, timeout_s=60),
        model.complete("beta", timeout_s=60),
        model.complete("beta", grammar=broken, timeout_s=60),
        model.complete("gamma", timeout_s=60),
        return_exceptions=True,
    )
    texts = [each.text for each in results if not isinstance(each, BaseException)]
    assert texts == [BY_HEART["alpha"], alone, BY_HEART["gamma"]]
    assert [type(results[number]) for number in (1, 3)] == [CompletionError, CompletionError]
    assert "cannot complete this prompt" in str(results[1])


async def test_a_prompt_that_breaks_the_engine_fails_alone(
    model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefill = model._engine.prefill
    poison = tuple(model._tokenizer("alpha beta")["input_ids"])

    def fragile(rows: Any, max_new_tokens: int) -> Any:
        if poison in rows:
            raise RuntimeError("out of memory")
        return prefill(rows, max_new_tokens)

    monkeypatch.setattr(model._engine, "prefill", fragile)
    results = await asyncio.gather(
        *(model.complete(prompt, timeout_s=60) for prompt in ("alpha", "alpha beta", "gamma")),
        return_exceptions=True,
    )
    assert isinstance(results[1], CompletionError)
    assert [results[0].text, results[2].text] == [BY_HEART["alpha"], BY_HEART["gamma"]]  # type: ignore[union-attr]


TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + TEMPLATE


@pytest.mark.parametrize("template", [None, NO_SYSTEM])
async def test_a_missing_chat_template_is_found_at_the_start(model: LocalModel, template: str | None) -> None:
    model.check_support(chat=False, grammar=True)
    model._tokenizer.chat_template = template  # type: ignore[assignment]
    with pytest.raises(SettingsError, match="needs a chat template with system, user and assistant"):
        model.check_support(chat=True, grammar=True)
    model._tokenizer.chat_template = TEMPLATE  # type: ignore[assignment]
    model.check_support(chat=True, grammar=True)


async def test_a_missing_xgrammar_is_found_at_the_start(
    model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match="needs the package xgrammar"):
        model.check_support(chat=False, grammar=True)
    model.check_support(chat=False, grammar=False)


async def test_a_service_with_a_model_that_lacks_a_chat_template_does_not_start(
    settings: Settings, heart: Path
) -> None:
    local_model = ModelSettings(kind="local", path=heart, grammar="off")
    with pytest.raises(SettingsError, match="chat template"):
        async with open_service(settings.model_copy(update={"model": local_model, "prompt": "chat"})):
            pytest.fail("started")
