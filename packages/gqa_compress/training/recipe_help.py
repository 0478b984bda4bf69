"""The fields of a training recipe as text, read from the source of their classes without importing torch."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parent / "config.py"
SAMPLE = """\
output_dir: models/distilled
train_file: rows.jsonl
init_checkpoint: models/converted
teacher:
  checkpoint: models/source
  kl_weight: 1.0
max_minutes: 60
optimizer:
  learning_rate: 2.0e-4
"""


def recipe_help() -> str:
    """Return a line for each field, nested ones indented, and a sample."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    lines = [*_fields(classes, classes["TrainingConfig"], "")]
    sample = [f"  {line}" for line in SAMPLE.splitlines()]
    return "\n".join(["Fields of the recipe:", "", *lines, "", "A sample:", "", *sample])


def _fields(classes: dict[str, ast.ClassDef], node: ast.ClassDef, indent: str) -> Iterator[str]:
    """Yield the fields of a class: each annotated name that a docstring follows."""
    for field, text in zip(node.body, node.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if not (isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)):
            continue
        yield f"  {indent}{field.target.id}{_default(field.value)}: {text.value.value!s}"
        names = {each.id for each in ast.walk(field.annotation) if isinstance(each, ast.Name)}
        for name in sorted(names & classes.keys()):
            yield from _fields(classes, classes[name], indent + "  ")


def _default(value: ast.expr | None) -> str:
    """Return a default in brackets if it is a literal other than None."""
    if value is None:
        return ""
    try:
        return "" if ast.literal_eval(value) is None else f" [{ast.unparse(value)}]"
    except ValueError:
        return ""
