"""A tokenizer as the GGUF format has it: tokens, scores, types and merges, read from tokenizer.json."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gqa_compress.errors import CheckpointError, UnsupportedError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
# Names by which llama.cpp knows how text is split before merging, by a part of the tokenizer's own expression.
SPLITS = {
    r"\p{N}{1,3}": "llama-bpe",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|": "qwen2",
}


@dataclass(frozen=True, kw_only=True)
class GgufTokenizer:
    """A tokenizer in GGUF's terms.

    Attributes:
        model: `gpt2` for byte-level BPE, `llama` for BPE with byte fallback.
        split: name of the pre-tokenizer; None for `llama`.
        tokens: text of each token, by id.
        types: kind of each token.
        scores: order of merging of each token, for `llama` only.
        merges: pairs to merge, for `gpt2` only.
        special: ids by `bos`, `eos`, `unk` and `pad`.
        adds_bos: whether texts begin with BOS.
    """

    model: str
    split: str | None
    tokens: list[str]
    types: list[int]
    scores: list[float] = field(default_factory=list)
    merges: list[str] = field(default_factory=list)
    special: dict[str, int] = field(default_factory=dict)
    adds_bos: bool = False


def read_gguf_tokenizer(folder: Path, tokenizer: Any, rows: int, split: str | None = None) -> GgufTokenizer:
    """Read the tokenizer of a checkpoint.

    Args:
        folder: checkpoint folder with tokenizer.json.
        tokenizer: the same tokenizer in transformers.
        rows: rows of the embedding; ids without a token are filled up, tokens without a row are left out.
        split: llama.cpp's name of the pre-tokenizer; found by the tokenizer's own expression if None.

    Returns:
        The tokenizer.

    Raises:
        CheckpointError: there is no tokenizer.json.
        UnsupportedError: it is no BPE tokenizer of a kind that llama.cpp reads.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise CheckpointError(
            f"{folder} has no tokenizer.json; load and save the tokenizer once with transformers"
        )
    content = json.loads(path.read_text(encoding="utf-8"))
    model, vocabulary = content["model"], tokenizer.get_vocab()
    if model["type"] != "BPE":
        raise UnsupportedError(f"{path} is {model['type']}; only BPE tokenizers can be exported")
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    fallback = bool(model.get("byte_fallback"))
    added = {token["id"]: token for token in content.get("added_tokens", [])}
    by_id = {index: text for text, index in vocabulary.items()}
    tokens = [by_id.get(index, f"[PAD{index}]") for index in range(rows)]
    special = {kind: getattr(tokenizer, f"{kind}_token_id", None) for kind in ("bos", "eos", "unk", "pad")}
    return GgufTokenizer(
        model="llama" if fallback else "gpt2",
        split=None if fallback else split or _split(path, content.get("pre_tokenizer") or {}),
        tokens=tokens,
        types=[_kind(index, by_id, added, fallback, special["unk"]) for index in range(rows)],
        scores=_scores(tokens, merges) if fallback else [],
        merges=[] if fallback else merges,
        special={kind: index for kind, index in special.items() if index is not None and index < rows},
        adds_bos=tokenizer("")["input_ids"][:1] == [special["bos"]],
    )


def _kind(
    index: int, by_id: dict[int, str], added: dict[int, Any], fallback: bool, unknown: int | None
) -> int:
    if index not in by_id:
        return UNUSED
    if fallback and index == unknown:
        return UNKNOWN
    if index in added:
        return CONTROL if added[index].get("special") else USER_DEFINED
    text = by_id[index]
    is_byte = fallback and len(text) == 6 and text.startswith("<0x") and text.endswith(">")
    return BYTE if is_byte else NORMAL


def _scores(tokens: list[str], merges: list[str]) -> list[float]:
    """Return minus the rank of the first merge that makes each token: what SentencePiece stores for BPE."""
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(merges):
        ranks.setdefault(merge.replace(" ", ""), rank)
    return [-float(ranks.get(token, len(merges))) for token in tokens]


def _split(path: Path, pre_tokenizer: dict[str, Any]) -> str:
    parts = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    patterns = [part["pattern"].get("Regex", "") for part in parts if "pattern" in part]
    for known, name in SPLITS.items():
        if any(known in pattern for pattern in patterns):
            return name
    kinds = [part.get("type") for part in parts]
    if kinds == ["Digits", "ByteLevel"] and parts[0].get("individual_digits"):
        return "smollm"
    if kinds == ["ByteLevel"] and parts[0].get("use_regex", True):
        return "gpt-2"
    raise UnsupportedError(
        f"{path} splits text in a way that is not known to llama.cpp by name; give the name as --split"
    )
