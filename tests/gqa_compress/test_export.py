"""GGUF files of checkpoints, read back by transformers and by the format's own reader."""

import json
from pathlib import Path

import pytest
import torch
from gguf import GGUFReader
from tests.gqa_compress.tiny_models import save_tiny, tiny_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from gqa_compress.checkpoint.reader import load_tokenizer
from gqa_compress.errors import InputError, UnsupportedError
from gqa_compress.export.gguf import GgufDtype, export_gguf
from gqa_compress.export.tokenizers import BYTE, CONTROL, read_gguf_tokenizer

TOKENS = torch.arange(1, 60)[None]


def export(folder: Path, model_type: str, dtype: GgufDtype = "f32", **fields: object) -> tuple[Path, Path]:
    source = save_tiny(tiny_model(model_type, **{"kv_heads": 2} | fields), folder / "source")
    export_gguf(source, folder / "out" / "model.gguf", dtype=dtype, split="gpt-2")
    return source, folder / "out"


@pytest.mark.parametrize("model_type", ["llama", "qwen2"])
@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
def test_transformers_reads_the_same_model_back(tmp_path: Path, model_type: str, dtype: GgufDtype) -> None:
    source, out = export(tmp_path, model_type, dtype)
    before = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    after = AutoModelForCausalLM.from_pretrained(out, gguf_file="model.gguf", dtype=torch.float32).eval()
    assert after.config.num_key_value_heads == 2
    if dtype == "f32":
        torch.testing.assert_close(after(TOKENS).logits, before(TOKENS).logits, atol=1e-4, rtol=1e-4)
    for (name, first), (other, second) in zip(
        before.named_parameters(), after.named_parameters(), strict=True
    ):
        assert name == other
        torch.testing.assert_close(first, second, atol=4e-3, rtol=1e-2)


def test_mistral_is_written_as_what_computes_it(tmp_path: Path) -> None:
    _, out = export(tmp_path, "mistral", sliding_window=None)
    reader = GGUFReader(out / "model.gguf")
    assert reader.fields["general.architecture"].contents() == "llama"
    assert reader.fields["llama.attention.head_count_kv"].contents() == 2
    assert reader.fields["llama.attention.head_count"].contents() == 8


def test_a_tied_head_is_not_written_twice_and_norms_stay_fp32(tmp_path: Path) -> None:
    _, out = export(tmp_path, "qwen2", "f16", tie_word_embeddings=True)
    types = {tensor.name: tensor.tensor_type.name for tensor in GGUFReader(out / "model.gguf").tensors}
    assert "output.weight" not in types
    assert types["token_embd.weight"] == "F16"
    assert types["output_norm.weight"] == types["blk.0.attn_q.bias"] == "F32"


def test_the_tokenizer_reads_texts_as_before(tmp_path: Path) -> None:
    source = save_tiny(tiny_model("llama", vocab_size=258), tmp_path / "source")
    content = json.loads((source / "tokenizer.json").read_text())
    content["model"]["vocab"]["ab"] = 257
    content["model"]["merges"] = [["a", "b"]]
    (source / "tokenizer.json").write_text(json.dumps(content))
    out = tmp_path / "out"
    export_gguf(source, out / "model.gguf", split="gpt-2")
    before = load_tokenizer(source)
    after = AutoTokenizer.from_pretrained(out, gguf_file="model.gguf")
    assert before("cab")["input_ids"][-1] == 257
    for text in ("MATCH (n:Drug) RETURN n.name", "naïve  Größe\n", "cabab"):
        assert after(text, add_special_tokens=False)["input_ids"] == before(text)["input_ids"]
    assert (out / "Modelfile").read_text().startswith("FROM ./model.gguf\n")


def test_byte_fallback_tokenizers_keep_the_order_of_their_merges(tmp_path: Path) -> None:
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "ab", "▁ab"]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    model = models.BPE(
        vocab=vocabulary, merges=[("a", "b"), ("▁", "ab")], byte_fallback=True, unk_token="<unk>"
    )
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.ByteFallback()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )
    fast.save_pretrained(tmp_path)
    found = read_gguf_tokenizer(tmp_path, fast, len(pieces) + 2)
    assert found.model == "llama"
    assert found.tokens[-2:] == ["[PAD264]", "[PAD265]"]
    assert found.types[3] == BYTE
    assert found.types[1] == CONTROL
    assert found.scores[pieces.index("ab")] > found.scores[pieces.index("▁ab")] > found.scores[0]


@pytest.mark.parametrize(
    ("model_type", "fields", "message"),
    [
        ("phi", {}, "as many KV heads as query heads"),
        ("gemma", {}, "only llama, mistral, qwen2"),
        ("mistral", {"sliding_window": 32}, "without its sliding window"),
        ("llama", {"attention_bias": True}, "attention_bias is not exported"),
    ],
)
def test_models_that_llama_cpp_would_compute_otherwise_are_refused(
    tmp_path: Path, model_type: str, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(UnsupportedError, match=message):
        export(tmp_path, model_type, **fields)
    assert not (tmp_path / "out" / "model.gguf").exists()


def test_unknown_splits_and_existing_files_are_refused(tmp_path: Path) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    with pytest.raises(UnsupportedError, match="give the name as --split"):
        export_gguf(source, tmp_path / "model.gguf")
    (tmp_path / "model.gguf").write_text("mine")
    with pytest.raises(InputError, match="exists; name another file or give --force"):
        export_gguf(source, tmp_path / "model.gguf", split="gpt-2")
    assert (tmp_path / "model.gguf").read_text() == "mine"


def test_splits_are_known_by_the_tokenizers_own_expression(tmp_path: Path) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path)
    content = json.loads((source / "tokenizer.json").read_text())
    digits = {"type": "Digits", "individual_digits": True}
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, content["pre_tokenizer"]]}
    (source / "tokenizer.json").write_text(json.dumps(content))
    assert read_gguf_tokenizer(source, load_tokenizer(source), 257).split == "smollm"
