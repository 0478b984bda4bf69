"""`graphling`: whole runs that chain the console scripts; `make demo`, `make own` and `make starter` call it."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter

from graphling.own import OwnConfig
from graphling_io.console import print_status

if TYPE_CHECKING:
    from collections.abc import Sequence

app = App(
    name="graphling",
    suppress_keyboard_interrupt=False,
    help="Run the demo, or go from your graph to your model. Exit 0: done, 1: failed, 2: wrong input.",
    version=lambda: version("graphling"),
    version_flags=["--version"],
    result_action="return_value",
)


@app.command
def demo(*, once: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Start the demo graph, the starter model, the service and its page; prints the address of the page.

    Parameters
    ----------
    once
        Ask the first example question, print the response as one line of JSON, and stop.
    """
    from graphling.demo import ask_once, prepare, serve

    prepare()
    if not once:
        serve()
    response = ask_once()
    print(json.dumps(response, ensure_ascii=False))
    return 0 if response.get("status") == "answered" else 1


@app.command
def own(config: Annotated[OwnConfig, Parameter(name="*")], *, publish: Path | None = None) -> int:
    """Go from a graph to a compressed, evaluated model; prints the path of the report.

    A second call with the same options resumes where the first was stopped, and repeats what changed inputs require.

    Parameters
    ----------
    publish
        Also write the model and its card to this folder.
    """
    from graphling.base_model import build_from_base
    from graphling.own import build, publish_model

    if config.base is not None:
        if publish is not None:
            raise ValueError("--publish is for models of the starter's kind, without --base")
        build_from_base(config)
    else:
        build(config)
    if publish is not None:
        publish_model(config, publish)
    print(config.home / "report.md")
    return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    from graphling.step_runner import StepError

    try:
        status = app(sys.argv[1:] if arguments is None else arguments, exit_on_error=False)
    except CycloptsError:
        status = 2
    except ValueError as error:
        print_status(f"graphling: {error}")
        status = 2
    except StepError as error:
        print_status(f"graphling: {error}")
        status = 1
    except KeyboardInterrupt:
        print_status("graphling: stopped; the same command resumes")
        status = 130
    sys.exit(status if isinstance(status, int) else 0)
