"""Tokenizer of the `atoms` prompt format: schema elements are single tokens, other text is byte-level BPE.

The result is a standard `tokenizer.json` that transformers and vLLM load.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from t2c_core.cypher.identifiers import format_identifier
from t2c_core.prompt.compact_cypher import MAX_PARAMETERS, token_text, tokenize
from t2c_core.prompt.schema_tokens import ANSWER, KINDS, QUESTION, UNANSWERABLE, property_tokens
from t2c_core.prompt.variable_names import SUFFIXES, VariableNames

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from t2c_core.schema.model import GraphSchema

END = "</s>"
PAD = "<pad>"
BPE_VOCAB_SIZE = 1500
"""Size of the byte-level vocabulary for the words of questions, including the bytes."""

_FIXED = """
MATCH|OPTIONAL MATCH|WHERE|RETURN|WITH|ORDER BY|LIMIT|DISTINCT|AND|OR|NOT|IN|CONTAINS|STARTS WITH|ENDS WITH|IS NULL
IS NOT NULL|AS|DESC|ASC|EXISTS {|COUNT {|}|CASE WHEN|THEN 1 END|count(*)|count(|avg(|min(|max(|sum(|collect(|size(
=|<>|<|<=|>|>=|,|(|)|[|]|+|-|*|/|true|false|0|1|2|100.0|n|g
"""
_TOKEN = re.compile(r"<[^<>]+>")


def schema_tokens(schema: GraphSchema) -> list[str]:
    """Return the atoms that queries on a schema may need, whether or not they occur in training data."""
    names = VariableNames(schema)
    atoms = [atom for line in _FIXED.strip().splitlines() for atom in line.split("|")]
    for label in schema.labels:
        atoms += [names.node(label.name, number) for number in (0, 1)]
    for triple in schema.triples:
        atoms += [names.triple(triple, source=0, target=0)] if triple.source != triple.target else []
        atoms += [names.triple(triple, source=0, target=1, number=int(triple.source != triple.target))]
        atoms += [names.triple(triple, source=1, target=0, number=1)]
    for parts, variables in ((schema.labels, names.label_variables), (schema.types, names.type_variables)):
        for part in parts:
            variable = variables[part.name]
            atoms += [variable + suffix for suffix in SUFFIXES[:2]]
            for each in part.properties:
                access = f"{variable}.{format_identifier(each.name)}"
                atoms += [access, f"{variable}2.{format_identifier(each.name)}"]
                if each.value_type in {"DATE", "LOCAL DATETIME", "ZONED DATETIME"}:
                    atoms += [f"{access}.year", f"{access}.month"]
                    atoms += [f"date({access})"] if each.value_type != "DATE" else []
    for number in range(1, MAX_PARAMETERS + 1):
        atoms += [f"$v{number}", f"date($v{number})"]
    return list(dict.fromkeys(atoms))


def special_tokens(schema: GraphSchema) -> list[str]:
    """Return the tokens of prompts other than words: question, answer, mentions, kinds and properties."""
    tokens = [ANSWER]
    tokens += [f"<v{number}>" for number in range(1, MAX_PARAMETERS + 1)]
    tokens += [f"<{kind}>" for kind in KINDS]
    tokens += property_tokens(schema).values()
    return [QUESTION, UNANSWERABLE, *dict.fromkeys(" " + token for token in tokens)]


def train_tokenizer(
    schema: GraphSchema, prompts: Iterable[str], completions: Iterable[str], *, words: int = BPE_VOCAB_SIZE
) -> Tokenizer:
    """Train the tokenizer of a graph.

    Args:
        schema: schema whose elements become tokens.
        prompts: rendered questions, on which the vocabulary is trained.
        completions: completions whose atoms become tokens too, such as alternative types.
        words: size of the byte-level vocabulary.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=words,
        min_frequency=2,
        special_tokens=[PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = sorted({_TOKEN.sub("\n", prompt) for prompt in prompts})
    tokenizer.train_from_iterator(texts, trainer)
    atoms = dict.fromkeys(token_text(atom) for atom in schema_tokens(schema))
    seen = {
        token_text(atom)
        for completion in set(completions)
        if completion != UNANSWERABLE
        for atom in tokenize(completion)
    }
    atoms |= dict.fromkeys(sorted(seen))
    added = [AddedToken(text, normalized=False, special=False) for text in (*special_tokens(schema), *atoms)]
    tokenizer.add_tokens(added)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write `tokenizer.json` and its configuration for transformers."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    tokens = {"eos_token": END, "pad_token": PAD}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 512,
        "clean_up_tokenization_spaces": False,
        "padding_side": "right",
        **tokens,
    }
    for name, content in (("tokenizer_config.json", config), ("special_tokens_map.json", tokens)):
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
