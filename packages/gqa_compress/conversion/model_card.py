"""The model card of a converted checkpoint, and its provenance.

Holds the text of README.md. Measures nothing.
"""

from dataclasses import asdict
from pathlib import Path

from gqa_compress.conversion.config import ConversionReport
from graphling_io.outputs import write_text

TEMPLATE = """---
library_name: transformers
tags: [gqa, kv-cache]
---

# {name}, {before} → {after} key-value heads

A stock `{model_type}` checkpoint: every query head of the original, {after} of its {before} key-value heads, the same
tokenizer. Made by `gqa-compress convert` from `{source}` with calibration text alone, no end-to-end training.

| | original | converted |
|---|---|---|
| key-value heads | {before} | {after} |
| cache bytes a token | {cache_before:,} | {cache_after:,} |
| perplexity, {held_out:,} held-out calibration tokens | {perplexity_before:.4g} | {perplexity_after:.4g} |

KL(original ‖ converted) a held-out token: {divergence:.4g} nats. Calibration: {tokens:,} tokens, method `{method}`,
grouping `{grouping}`, refits {refit}, {steps} local steps a layer; {seconds:.0f} s on {device}, at most
{memory:.2f} GB of memory. `conversion.json` holds the plan and every layer's losses.

Held-out tokens come from the calibration text: on other text the loss may be larger. The licence and limits of the
original apply.
"""


def write_card(folder: Path, report: ConversionReport) -> None:
    """Write README.md.

    Args:
        folder: of the converted checkpoint.
        report: what the conversion came to.
    """
    plan = asdict(report)["plan"]
    text = TEMPLATE.format(
        name=report.source,
        source=report.source,
        model_type=report.model_type,
        before=report.kv_heads_before,
        after=report.kv_heads_after,
        cache_before=report.cache_bytes_a_token_before,
        cache_after=report.cache_bytes_a_token_after,
        held_out=report.held_out.tokens,
        perplexity_before=report.held_out.perplexity_before,
        perplexity_after=report.held_out.perplexity_after,
        divergence=report.held_out.kl,
        tokens=report.calibration_tokens,
        method=plan["method"],
        grouping=plan["grouping"],
        refit="on" if plan["refit"] else "off",
        steps=plan["local_steps"],
        seconds=report.seconds,
        device=report.device,
        memory=report.peak_memory_bytes / 1e9,
    )
    write_text(folder / "README.md", text)
