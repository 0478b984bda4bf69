"""`t2c-data`: draft a lexicon, build pairs from a graph, validate, paraphrase, split, describe and export them.

Results go to standard output, everything else to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from cyclopts import App, CycloptsError

from graphling_io.console import print_status
from graphling_io.outputs import OutputError
from t2c_core.errors import InputError, T2CError
from t2c_data.commands import build, dataset
from t2c_data.errors import DataError, DataInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

DEPRECATED = {
    "reword": "paraphrase", "build --judged": "--llm-judge", "build --no-judged": "--no-llm-judge",
    "validate --judged": "--labels", "--unproven": "--keep-inconclusive", "--replies": "--llm-cache",
    "--structured": "--structured-output", "--no-structured": "--no-structured-output",
    "--budget-tokens": "--max-total-tokens",
}  # fmt: skip
"""Commands and options of the version before, with their present names."""

app = App(
    name="t2c-data",
    suppress_keyboard_interrupt=False,
    help="Turn a graph into question-Cypher pairs. Exit 0: done, 1: failed, 2: invalid input.",
    version=lambda: version("graphling"),
    version_flags=["--version"],
    result_action="return_value",
)
for command in (
    build.lexicon, build.build, build.recipe,
    dataset.validate, dataset.paraphrase, dataset.split, dataset.stats, dataset.export,
):  # fmt: skip
    app.command(command)


def main() -> None:
    """Run the command line and exit with its status."""
    status = 0
    try:
        result = app(accept_deprecated(sys.argv[1:]), exit_on_error=False)
        if isinstance(result, dict):
            print(
                json.dumps(result, ensure_ascii=False, indent=1 if sys.stdout.isatty() else None), flush=True
            )
    except CycloptsError:
        status = 2
    except (DataInputError, InputError, OutputError) as error:
        print_status(f"t2c-data: {error}")
        status = 2
    except (DataError, T2CError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the reader of our output is gone
        else:
            print_status(f"t2c-data: {error}")
        status = 1
    except KeyboardInterrupt:
        print_status("t2c-data: interrupted; run the same command again to resume")
        status = 130
    sys.exit(status)


def accept_deprecated(arguments: Sequence[str]) -> list[str]:
    """Return arguments with their present names; says on standard error which ones are deprecated."""
    command, found, credentials = (
        next(iter(arguments), ""),
        [],
        {"user": "", "password-env": "T2C_GRAPH_PASSWORD"},
    )
    rest = iter(arguments)
    for argument in rest:
        option, equals, value = argument.partition("=")
        if option.removeprefix("--") in credentials and option.startswith("--"):
            credentials[option.removeprefix("--")] = value if equals else next(rest, "")
            print_status(
                f"t2c-data: {option} is deprecated; set NEO4J_USERNAME and NEO4J_PASSWORD, or --auth-file"
            )
            continue
        new = DEPRECATED.get(f"{command} {option}") or (
            DEPRECATED.get(option) if option != "reword" else None
        )
        if argument == command == "reword":
            new = DEPRECATED["reword"]
        if new:
            print_status(f"t2c-data: {option} is deprecated; use {new}")
        found.append(f"{new}{equals}{value}" if new else argument)
    if credentials["user"]:
        os.environ["NEO4J_USERNAME"] = credentials["user"]
        os.environ["NEO4J_PASSWORD"] = os.environ.get(credentials["password-env"], "")
    return found
