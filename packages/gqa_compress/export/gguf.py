"""Export of a checkpoint as one GGUF file, which llama.cpp, Ollama and LM Studio read.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from pathlib import Path
from typing import Any, Literal

from gqa_compress.checkpoint.architectures import AttentionDims, attention_dims
from gqa_compress.checkpoint.files import files_by_tensor
from gqa_compress.checkpoint.reader import load_tokenizer, read_config
from gqa_compress.errors import InputError, UnsupportedError
from gqa_compress.export.tokenizers import GgufTokenizer, read_gguf_tokenizer
from graphling_io.outputs import atomic_file, check_no_overlap, write_text

GgufDtype = Literal["f32", "f16", "bf16"]
# Types whose graph llama.cpp computes, and its name; `llama` rotates neighbouring dimensions of a head.
ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2"}
REFUSED = {"phi": "llama.cpp's graph of it has as many KV heads as query heads"}
FILE_TYPES = {"f32": 0, "f16": 1, "bf16": 32}
OUTSIDE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
INSIDE = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
CHATML = """TEMPLATE \"\"\"{{- range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
\"\"\"
PARAMETER stop <|im_end|>
"""


def export_gguf(
    model: Path, out: Path, *, dtype: GgufDtype = "f16", split: str | None = None, force: bool = False
) -> dict[str, Any]:
    """Write a checkpoint as a GGUF file, and an Ollama Modelfile beside it.

    Args:
        model: checkpoint folder of a llama, mistral or qwen2.
        out: file to write, ending in .gguf.
        dtype: data type of matrices; norms and biases stay fp32.
        split: llama.cpp's name of the pre-tokenizer, if it is not known.
        force: replace `out`.

    Returns:
        The file, its size and number of tensors.

    Raises:
        UnsupportedError: llama.cpp would not compute what transformers does.
        InputError: the checkpoint cannot be read, or `out` exists.

    Writes:
        OUT, and Modelfile beside it.
    """
    from gguf import GGUFWriter

    if out.suffix != ".gguf":
        raise InputError(f"{out} does not end in .gguf")
    if out.exists() and not force:
        raise InputError(f"{out} exists; name another file or give --force")
    check_no_overlap(out, [model])
    config = read_config(model)
    arch, dims = _architecture(config), attention_dims(config)
    files = files_by_tensor(model)
    tokenizer = load_tokenizer(model)
    with atomic_file(out) as scratch:
        writer = GGUFWriter(scratch, arch)
        _add_metadata(writer, model.absolute().name, config, dims, dtype)
        _add_tokenizer(writer, read_gguf_tokenizer(model, tokenizer, config.vocab_size, split), tokenizer)
        names = [name for name in files if not (name == "lm_head.weight" and config.tie_word_embeddings)]
        for name in sorted(names):
            _add_tensor(writer, name, files[name], dims, dtype, interleaved=arch == "llama")
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    chatml = CHATML if "<|im_start|>" in (tokenizer.chat_template or "") else ""
    modelfile = out.parent / "Modelfile"
    write_text(
        modelfile,
        f"FROM ./{out.name}\nPARAMETER temperature 0\nPARAMETER num_ctx {dims.max_length}\n{chatml}",
    )
    return {"gguf": str(out), "modelfile": str(modelfile), "bytes": out.stat().st_size, "tensors": len(names)}


def _architecture(config: Any) -> str:
    model_type = config.model_type
    if model_type not in ARCHITECTURES:
        reason = REFUSED.get(model_type, f"only {', '.join(sorted(ARCHITECTURES))} can be exported")
        raise UnsupportedError(f"{model_type} cannot be exported as GGUF: {reason}")
    if getattr(config, "quantization_config", None):
        raise UnsupportedError("a quantized checkpoint cannot be exported; export the unquantized one")
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type", "default") not in {"default", "linear"}:
        raise UnsupportedError(
            f"rope_type={rope['rope_type']} is not exported yet; use llama.cpp's own converter"
        )
    for name in ("attention_bias", "mlp_bias"):
        if getattr(config, name, False):
            raise UnsupportedError(f"{name} is not exported yet; use llama.cpp's own converter")
    if getattr(config, "use_sliding_window", False) or (
        config.model_type == "mistral" and getattr(config, "sliding_window", None)
    ):
        raise UnsupportedError(
            "llama.cpp would read this model without its sliding window; set it to null first"
        )
    return ARCHITECTURES[model_type]


def _add_metadata(writer: Any, name: str, config: Any, dims: AttentionDims, dtype: GgufDtype) -> None:
    rope = getattr(config, "rope_parameters", None) or {}
    writer.add_name(name)
    writer.add_file_type(FILE_TYPES[dtype])
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(dims.hidden_size)
    writer.add_block_count(dims.layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(dims.num_heads)
    writer.add_head_count_kv(dims.num_kv_heads)
    writer.add_key_length(dims.head_dim)
    writer.add_value_length(dims.head_dim)
    writer.add_rope_dimension_count(dims.rotary_dim)
    writer.add_rope_freq_base(rope.get("rope_theta", 10_000.0))
    if rope.get("rope_type") == "linear":
        from gguf import RopeScalingType

        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _add_tokenizer(writer: Any, found: GgufTokenizer, tokenizer: Any) -> None:
    writer.add_tokenizer_model(found.model)
    writer.add_token_list(found.tokens)
    writer.add_token_types(found.types)
    if found.split is not None:
        writer.add_tokenizer_pre(found.split)
    if found.scores:
        writer.add_token_scores(found.scores)
    if found.merges:
        writer.add_token_merges(found.merges)
    for kind, index in found.special.items():
        getattr(writer, f"add_{kind}_token_id")(index)
    writer.add_add_bos_token(found.adds_bos)
    if isinstance(tokenizer.chat_template, str):
        writer.add_chat_template(tokenizer.chat_template)


def _add_tensor(
    writer: Any, name: str, file: Path, dims: AttentionDims, dtype: GgufDtype, *, interleaved: bool
) -> None:
    import numpy as np
    from gguf import GGMLQuantizationType, quants
    from safetensors import safe_open

    target = _target(name)
    if target is None:
        return
    with safe_open(file, framework="pt") as shard:
        weight = shard.get_tensor(name).float()
    heads = {"attn_q": dims.num_heads, "attn_k": dims.num_kv_heads}.get(target.split(".")[-2])
    if interleaved and heads:
        weight = weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2).contiguous()
    array = weight.numpy()
    if weight.ndim == 1 or dtype == "f32":
        writer.add_tensor(target, array)
    elif dtype == "f16":
        writer.add_tensor(target, array.astype(np.float16))
    else:
        kind = GGMLQuantizationType.BF16
        writer.add_tensor(target, quants.quantize(array, kind), raw_dtype=kind)


def _target(name: str) -> str | None:
    """Return GGUF's name of a tensor; None for frequencies that old checkpoints store."""
    if name in OUTSIDE:
        return OUTSIDE[name]
    _, _, layer, rest = name.split(".", 3)
    part, _, kind = rest.rpartition(".")
    if part.endswith("rotary_emb"):
        return None
    if part not in INSIDE:
        raise UnsupportedError(f"the tensor {name} has no place in a GGUF file")
    return f"blk.{layer}.{INSIDE[part]}.{kind}"
