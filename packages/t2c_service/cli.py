"""`t2c-service`: serve questions, ask one, or evaluate many from the command line.

Parses, calls one public function, prints. Results go to standard output, everything else to standard error.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter

from t2c_service.access.commands import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_service.answering.records import Answer
    from t2c_service.settings import Settings

app = App(
    name="t2c-service",
    help="Answer plain questions about a graph with read-only Cypher. Exit 0: done, 1: failed, 2: wrong input.",
    version_flags=["--version"],
    result_action="return_value",
)
app.command(keys)


@app.command
def serve(*, config: Path | None = None, host: str | None = None, port: int | None = None) -> int:
    """Serve the page and the HTTP interface; prints the address when questions can be answered.

    SIGTERM or Ctrl-C stops it. Settings come from the file and from T2C_ variables, which win.

    Parameters
    ----------
    config
        YAML file of settings.
    host
        Address to listen on, instead of the settings'.
    port
        Port to listen on, instead of the settings'; 0 takes a free one.
    """
    from t2c_service.errors import SettingsError
    from t2c_service.server import serve as run
    from t2c_service.settings_loader import load_settings

    if port is not None and not 0 <= port <= 65535:
        raise SettingsError(f"--port {port} is no port; choose 1 to 65535, or 0 for a free one")
    chosen = {"host": host, "port": port}
    settings = load_settings(config).model_copy(
        update={key: value for key, value in chosen.items() if value is not None}
    )
    _log(logging.INFO, settings)
    run(settings, lambda address: print(address, flush=True))
    return 0


@app.command
def ask(
    question: str,
    *,
    config: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Ask one question and print the answer; exit 0 if a query ran, 1 if none did.

    Parameters
    ----------
    question
        In plain language, in quotes.
    config
        YAML file of settings.
    json
        Print the answer with its rows and trace as one line of JSON.
    """
    import asyncio

    from t2c_service.settings_loader import load_settings

    settings = load_settings(config)
    _log(logging.WARNING)
    answer = asyncio.run(_ask(settings, question))
    print(answer.model_dump_json() if json else _readable(answer))
    return 0 if answer.status in {"answered", "empty"} else 1


@app.command
def mcp(*, config: Path | None = None) -> int:
    """Serve the tools ask, run_read_cypher and get_schema to an MCP client, over standard input and output.

    Parameters
    ----------
    config
        YAML file of settings.
    """
    import asyncio

    from t2c_service.settings_loader import load_settings

    settings = load_settings(config)
    _log(logging.WARNING)
    asyncio.run(_mcp(settings))
    return 0


@app.command
def evaluate(
    *,
    pairs: Path,
    config: Path | None = None,
    url: str | None = None,
    out: Path | None = None,
    ablate: str = "",
    psjs: bool = True,
) -> int:
    """Ask many questions, compare with the gold queries' rows and print the figures as JSON.

    The API key for a running service that wants one goes into T2C_ACCESS__KEY.

    Parameters
    ----------
    pairs
        JSONL of `question` and `cypher` (with `parameters` if it has any), or of `question` and expected `rows`.
    config
        YAML file of settings; names the graph that the gold queries run on.
    url
        Address of a running service to ask, instead of asking in this process.
    out
        JSONL of each question's outcome.
    ablate
        Parts of answering, with commas between them, each of which is left out in a run of its own: grammar, values,
        repair, examples.
    psjs
        Compare the nodes behind the rows too, which takes about as long as all the rest.
    """
    import asyncio
    import json

    from t2c_service.evaluation import evaluate as run
    from t2c_service.evaluation.runner import parse_ablations
    from t2c_service.settings_loader import load_access_settings, load_graph_settings, load_settings

    ablations = parse_ablations(ablate, url=url)
    settings = load_settings(config) if url is None else None
    graph = load_graph_settings(config) if url is not None else None
    key = load_access_settings(config).key if url is not None else None
    _log(logging.WARNING)
    report = asyncio.run(
        run(
            pairs,
            settings=settings,
            graph_settings=graph,
            url=url,
            key=key,
            out=out,
            ablations=ablations,
            psjs=psjs,
        )
    )
    print(json.dumps(report, ensure_ascii=False))
    if not report["complete"]:
        print(f"t2c-service: stopped before the end: {report['stopped']}", file=sys.stderr, flush=True)
    return 0 if report["complete"] else 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    try:
        status = app(sys.argv[1:] if arguments is None else arguments, exit_on_error=False)
    except CycloptsError:
        status = 2
    except ValueError as error:
        status = _told(error, 2)
    except Exception as error:  # noqa: BLE001 - the outer edge
        status = _told(error, 1)
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the reader of our output is gone
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


def _told(error: Exception, status: int) -> int:
    """Print an error of ours as a sentence; let any other one through."""
    from t2c_core.errors import T2CError
    from t2c_service.errors import ServiceError

    if not isinstance(error, T2CError | ServiceError):
        raise error
    print(f"t2c-service: {error}", file=sys.stderr, flush=True)
    return status


def _log(level: int, settings: Settings | None = None) -> None:
    from t2c_service.observability import set_up_logging

    handler = logging.StreamHandler(sys.stderr)
    set_up_logging(handler, settings.observability if settings else None)
    logging.basicConfig(level=level, handlers=[handler])
    for noisy in ("httpx", "httpx2", "mcp", "neo4j", "nicegui", "openai", "transformers", "uvicorn"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))


async def _ask(settings: Settings, question: str) -> Answer:
    from t2c_service.access.principals import LOCAL_ADMIN
    from t2c_service.bootstrap import open_service
    from t2c_service.service import RequestContext

    async with open_service(settings) as service:
        return await service.ask(question, visit=RequestContext(caller=LOCAL_ADMIN, entry="command"))


async def _mcp(settings: Settings) -> None:
    from t2c_service.bootstrap import open_service
    from t2c_service.mcp import serve_stdio

    async with open_service(settings) as service:
        await serve_stdio(service)


def _readable(answer: Answer) -> str:
    lines = [answer.answer]
    if answer.cypher:
        values = "".join(f"\n  ${name} = {value!r}" for name, value in answer.parameters.items())
        lines.append(f"\n  {answer.cypher}{values}")
    lines += [f"! {warning}" for warning in answer.warnings]
    if answer.status in {"refused", "failed"}:
        lines += [f"! {attempt.message}" for attempt in answer.attempts]
    return "\n".join(lines)
