"""Generate chat_replies.jsonl: replies of chat models, each with the query it means, or null for a refusal.

python tests/corpora/chat_replies.py
"""

from __future__ import annotations

import json
from pathlib import Path

QUERIES = {
    "short": "MATCH (p:Person) RETURN p.name AS name",
    "lines": "MATCH (d:Drug)-[:TREATS]->(x:Disease)\nWHERE x.name = $v1\nRETURN d.name\nORDER BY d.name\nLIMIT 5",
    "blank line": "MATCH (d:Drug)\nWHERE d.price > $v1\n\nWITH d, count { (d)--() } AS n\n\nRETURN d.name, n",
    "words": "MATCH (d:Drug) WHERE d.note = 'return with match; call' RETURN d.`full name` // done\n",
    "exists": "MATCH (p:Patient)\nWHERE NOT EXISTS { (p)-[:TAKES]->(:Drug {name: $v1}) }\nRETURN count(DISTINCT p)",
    "union": "MATCH (a:A) RETURN a.x AS x\nUNION\nMATCH (b:B) RETURN b.x AS x",
}
THINK = "We match people with the schema. First, return names; call it name. MATCH (x) maybe?"
SHAPES = {
    "bare": "{q}",
    "semicolon": "{q};",
    "fence": "```cypher\n{q}\n```",
    "fence without language": "```\n{q}\n```",
    "fence in capitals": "```Cypher\n{q};\n```",
    "fence as sql": "```sql\n{q}\n```",
    "fence that never ends": "```cypher\n{q}",
    "tilde fence": "~~~cypher\n{q}\n~~~",
    "prose, fence": "To answer this with the given schema, we match the nodes:\n\n```cypher\n{q}\n```",
    "prose, fence, prose": "Sure! Here is the query:\n```cypher\n{q}\n```\nThis will return the names. Match them with care.",
    "fence, rows": "```cypher\n{q}\n```\n\nResult:\n```\nname\n----\nAda\n```",
    "fence, json rows": '```cypher\n{q}\n```\n\n```json\n[{{"name": "Ada"}}]\n```',
    "two fences": "```cypher\n{q}\n```\nor, without a limit,\n```cypher\nMATCH (other) RETURN other\n```",
    "prose before": "To answer this with the given schema:\n\n{q}",
    "label": "Cypher query:\n{q}",
    "answer": "Answer:\n\n{q}\n",
    "prose after": "{q}\n\nThis query returns what was asked for, with one row per name.",
    "prose on the next line": "{q}\nThis query matches the nodes and returns their names.",
    "explanation": "{q}\n\nExplanation:\n- MATCH finds the nodes.\n- RETURN gives the names.",
    "think": "<think>" + THINK + "</think>\n\n{q}",
    "think, fence": "<think>\n" + THINK + "\n</think>\n```cypher\n{q}\n```",
    "end of think": THINK + "\n</think>\n\n{q}",
    "thinking": "<thinking>" + THINK + "</thinking>{q}",
    "think in brackets": "[THINK]" + THINK + "[/THINK]{q}",
    "empty think": "<think>\n\n</think>\n\n{q}",
    "harmony": "<|channel|>analysis<|message|>"
    + THINK
    + "<|end|><|start|>assistant<|channel|>final<|message|>{q}<|return|>",
    "im_end": "{q}<|im_end|>",
    "bold im_end": "{q}**<|im_end|>**",
    "eot_id": "{q}<|eot_id|>",
    "end of turn": "{q}<end_of_turn>\n",
    "end of sentence": "{q}<｜end▁of▁sentence｜>",
    "s": "<s> {q}</s>",
    "assistant header": "<|start_header_id|>assistant<|end_header_id|>\n\n{q}<|eot_id|>",
    "inst": "[/INST] {q}",
    "comment": "// Find the people and return their names\n{q}",
    "comment in a fence": "```cypher\n// We match and return\n{q}\n```",
    "sql comment": "-- match the people\n{q}",
    "json": "{j}",
    "json in a fence": "```json\n{j}\n```",
    "json, pretty": "{jp}",
    "json, prose": "Here you go: {j} I hope that helps.",
    "json, other key": "{ja}",
    "tool call": "<tool_call>\n{jt}\n</tool_call>",
    "tool call, arguments as text": "{js}",
    "list of messages": "[{j}]",
    "xml": "<cypher>\n{q}\n</cypher>",
    "answer tag": "<answer>{q}</answer>",
    "quoted": "> {q1}",
    "bold": "**{q1}**",
    "list item": "1. {q1}",
    "inline after colon": "The query is: {q1}",
    "explain": "EXPLAIN {q}",
    "version": "CYPHER 5\n{q}",
}
ONE_LINE = {"quoted", "bold", "list item", "inline after colon"}
REFUSALS = (
    "UNANSWERABLE",
    "UNANSWERABLE.",
    "UNANSWERABLE: nothing that deals with the weather.",
    "**UNANSWERABLE**",
    "```\nUNANSWERABLE\n```",
    "```cypher\nUNANSWERABLE\n```",
    "unanswerable",
    '"UNANSWERABLE"',
    "<think>" + THINK + "</think>\nUNANSWERABLE",
    "UNANSWERABLE<|im_end|>",
    '{"query": "UNANSWERABLE"}',
    '{"cypher": "UNANSWERABLE", "reason": "no weather"}',
    "UNANSWERABLE\n\nThe schema has no node with weather. Return to me with another question.",
    "The answer is UNANSWERABLE, as no label matches the weather.",
    "I cannot answer this question with the given schema.",
    "I'm unable to answer that: the schema does not contain weather data.",
    "The graph has no information about salaries, so this can't be answered.",
    "<answer>UNANSWERABLE</answer>",
    "// the schema has no weather\nUNANSWERABLE",
    "Sorry, it is not possible to answer this from the schema.",
)


def replies() -> list[dict[str, str | None]]:
    """Return all rows."""
    rows: list[dict[str, str | None]] = []
    for shape, template in SHAPES.items():
        for name, query in QUERIES.items():
            if shape in ONE_LINE and ("\n" in query.strip() or "//" in query):
                continue
            row = {"query": query}
            texts = {
                "q": query,
                "q1": query,
                "j": json.dumps(row),
                "jp": json.dumps(row, indent=2),
                "ja": json.dumps({"explanation": "match and return", "cypher": query, "confidence": 0.9}),
                "jt": json.dumps({"name": "run_read_cypher", "arguments": row}),
                "js": json.dumps({"function": {"name": "run", "arguments": json.dumps(row)}}),
            }
            rows.append({"id": f"{shape} / {name}", "reply": template.format(**texts), "cypher": query})
    for number, text in enumerate(REFUSALS):
        rows.append({"id": f"refusal {number}", "reply": text, "cypher": None})
    return rows


if __name__ == "__main__":
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in replies())
    Path(__file__).with_suffix(".jsonl").write_text("".join(lines), encoding="utf-8")
