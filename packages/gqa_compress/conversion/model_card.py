"""Model card (README.md) of a converted checkpoint."""

from pathlib import Path

from gqa_compress.conversion.config import ConversionReport
from graphling_io.outputs import write_text

TEMPLATE = """---
library_name: transformers
tags: [gqa, kv-cache]
---

# {name}, {before} → {after} key-value heads

A standard `{model_type}` checkpoint with all query heads of the source model, {after} instead of {before} key-value
heads, and the same tokenizer. Made by `gqa-compress convert` from `{source}` by calibration alone, without end-to-end
training.

| | source | converted |
|---|---|---|
| key-value heads | {before} | {after} |
| KV-cache bytes per token | {cache_before:,} | {cache_after:,} |
| perplexity, {held_out:,} held-out calibration tokens | {perplexity_before:.4g} | {perplexity_after:.4g} |

KL(source ‖ converted) per held-out token: {kl:.4g} nats. Calibration: {tokens:,} tokens, method `{method}`,
grouping `{grouping}`, ridge updates {refit}, {steps} distillation steps per layer; {seconds:.0f} s on {device}, peak
memory {memory:.2f} GB. `conversion.json` holds the configuration and the errors of every layer.

Held-out tokens come from the calibration text: on other text the loss may be larger. The licence and limits of the
source model apply.
"""


def write_card(folder: Path, report: ConversionReport) -> None:
    """Write README.md into the folder of a converted checkpoint."""
    plan = report.plan
    text = TEMPLATE.format(
        name=report.source,
        source=report.source,
        model_type=report.model_type,
        before=report.kv_heads_before,
        after=report.kv_heads_after,
        cache_before=report.kv_cache_bytes_per_token_before,
        cache_after=report.kv_cache_bytes_per_token_after,
        held_out=report.held_out.tokens,
        perplexity_before=report.held_out.perplexity_before,
        perplexity_after=report.held_out.perplexity_after,
        kl=report.held_out.kl,
        tokens=report.calibration_tokens,
        method=plan["method"],
        grouping=plan["grouping"],
        refit="on" if plan["refit"] else "off",
        steps=plan["distill_steps_per_layer"],
        seconds=report.seconds,
        device=report.device,
        memory=report.peak_memory_bytes / 1e9,
    )
    write_text(folder / "README.md", text)
