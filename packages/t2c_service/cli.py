"""`t2c-service`: serve, ask, evaluate, MCP, keys, feedback and doctor from the command line.

Results go to standard output, logs and errors to standard error.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter

from t2c_service.access.commands import DEPRECATED_FLAGS, keys
from t2c_service.feedback.commands import feedback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_service.answering.records import Answer
    from t2c_service.settings import Settings

app = App(
    name="t2c-service",
    suppress_keyboard_interrupt=False,
    help="Answer questions about a graph with read-only Cypher. Exit status 0: done, 1: failed, 2: invalid input.",
    version=lambda: version("graphling"),
    version_flags=["--version"],
    result_action="return_value",
)
app.command(keys)
app.command(feedback)


@app.command
def serve(
    *,
    config: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    allow_anonymous: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Serve the page, the HTTP API and MCP; print the address when the service is ready.

    SIGTERM or Ctrl-C stops it. Settings come from the file and from T2C_ variables, which take precedence.

    Parameters
    ----------
    config
        YAML file of settings.
    host
        Address to listen on, instead of the one in the settings.
    port
        Port to listen on, instead of the one in the settings; 0 takes a free one.
    allow_anonymous
        Start without API keys even if other machines can reach the address.
    """
    from t2c_service.errors import SettingsError
    from t2c_service.server import serve as run
    from t2c_service.settings_loader import load_settings

    if port is not None and not 0 <= port <= 65535:
        raise SettingsError(f"invalid --port {port}: expected 1–65535, or 0 for any free port")
    settings = load_settings(config)
    chosen: dict[str, object] = {"host": host, "port": port}
    if host is not None:
        chosen["published_host"] = host
    if allow_anonymous:
        chosen["access"] = settings.access.model_copy(update={"allow_anonymous": True})
    settings = settings.model_copy(update={key: value for key, value in chosen.items() if value is not None})
    _log(logging.INFO, settings)
    run(settings, lambda address: print(address, flush=True))
    return 0


@app.command
def ask(
    question: str,
    *,
    config: Path | None = None,
    after: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Answer one question and print the answer; exit with 0 if a query was executed, else with 1.

    Parameters
    ----------
    question
        Question in natural language, in quotes.
    config
        YAML file of settings.
    after
        Earlier question that this one follows up on; several are given one by one, the latest last.
    json
        Print the answer with its rows and trace as one line of JSON.
    """
    import asyncio

    from t2c_service.settings_loader import load_settings

    settings = load_settings(config)
    _log(logging.WARNING)
    answer = asyncio.run(_ask(settings, question, after))
    print(answer.model_dump_json() if json else _readable(answer))
    return 0 if answer.status in {"answered", "empty"} else 1


@app.command
def mcp(*, config: Path | None = None) -> int:
    """Serve ask, run_read_cypher, get_schema and verified queries to an MCP client over standard input and output.

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
def doctor(*, config: Path | None = None) -> int:
    """Check the settings and every file that they name, and print what was found as JSON; needs no graph or model.

    Snapshot, policy, lexicon, examples, verified queries and API keys are read as `serve` reads them.

    Parameters
    ----------
    config
        YAML file of settings.
    """
    import json

    from t2c_service.bootstrap import check_files
    from t2c_service.settings_loader import load_settings

    _log(logging.WARNING)
    print(json.dumps(check_files(load_settings(config)), ensure_ascii=False, indent=1))
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
    """Evaluate the service on question-query pairs and print metrics as JSON.

    The API key for a running service that requires one is read from T2C_ACCESS__CLIENT_API_KEY.

    Parameters
    ----------
    pairs
        JSONL of `question` and `cypher` (with `parameters` if any), or of `question` and expected `rows`.
    config
        YAML file of settings, which names the graph of the gold queries.
    url
        Address of a running service to evaluate, instead of answering in this process.
    out
        JSONL file for the outcome of each question.
    ablate
        Comma-separated components, each disabled in a run of its own: grammar, values, repair, examples.
    psjs
        Also compare the provenance subgraphs, which takes about as long as everything else.
    """
    import asyncio
    import json

    from t2c_service.evaluation import evaluate as run
    from t2c_service.evaluation.runner import parse_ablations
    from t2c_service.settings_loader import load_access_settings, load_graph_settings, load_settings

    ablations = parse_ablations(ablate, url=url)
    settings = load_settings(config) if url is None else None
    graph = load_graph_settings(config) if url is not None else None
    key = load_access_settings(config).client_api_key if url is not None else None
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
    arguments = sys.argv[1:] if arguments is None else arguments
    for flag in {each.partition("=")[0] for each in arguments} & DEPRECATED_FLAGS.keys():
        print(f"t2c-service: {flag} is deprecated; use {DEPRECATED_FLAGS[flag]}", file=sys.stderr)
    try:
        status = app(arguments, exit_on_error=False)
    except CycloptsError:
        status = 2
    except ValueError as error:
        status = _report(error, 2)
    except Exception as error:  # noqa: BLE001 - the outer edge
        status = _report(error, 1)
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the reader of standard output is gone
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


def _report(error: Exception, status: int) -> int:
    """Print an expected error as a sentence; raise any other one."""
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


async def _ask(settings: Settings, question: str, after: Sequence[str]) -> Answer:
    from t2c_service.access.principals import LOCAL_ADMIN
    from t2c_service.answering.conversation.turns import Turn
    from t2c_service.bootstrap import open_service
    from t2c_service.service import RequestContext

    async with open_service(settings) as service:
        return await service.ask(
            question,
            conversation=[Turn(question=each) for each in after],
            context=RequestContext(principal=LOCAL_ADMIN, channel="command"),
        )


async def _mcp(settings: Settings) -> None:
    from t2c_service.bootstrap import open_service
    from t2c_service.mcp import serve_stdio

    async with open_service(settings) as service:
        await serve_stdio(service)


def _readable(answer: Answer) -> str:
    lines = [answer.answer]
    if answer.follow_up_of:
        lines.append(f"\n  Follows up on: {answer.follow_up_of}")
    if answer.interpretation and not answer.choices:
        lines.append(f"\n  Understood as: {answer.interpretation}")
    if answer.verified_query:
        lines.append(f"\n  Verified query: {answer.verified_query}")
    if answer.cypher and not answer.choices:
        values = "".join(f"\n  ${name} = {value!r}" for name, value in answer.parameters.items())
        lines.append(f"\n  {answer.cypher}{values}")
    lines += [f"! {warning}" for warning in answer.warnings]
    if answer.status in {"refused", "failed"}:
        lines += [f"! {attempt.message}" for attempt in answer.attempts]
    return "\n".join(lines)
