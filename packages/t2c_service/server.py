"""The server process: socket, uvicorn, signals, and the announcement that the service is ready."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import signal
import socket
from typing import TYPE_CHECKING

import uvicorn

from t2c_service.app import create_app
from t2c_service.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2c_service.service import Service
    from t2c_service.settings import Settings

log = logging.getLogger(__name__)

READY_POLL_S = 1.0


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: Settings, as `load_settings` returns them.
        announce: Called once with the address, when all required dependencies are available.

    Raises:
        SettingsError: The address cannot be bound, or it is open to the network without keys. `open_service` names
            further errors.
    """
    _check_exposure(settings)
    with _bind(settings.host, settings.port) as listener, contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_serve(settings, listener, announce))


async def _serve(settings: Settings, listener: socket.socket, announce: Callable[[str], None]) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(settings.limits.graceful_shutdown_s),
    )
    config.load()
    server = uvicorn.Server(config)

    def stop() -> None:
        """Cancel the start; after it, stop accepting requests and complete those in progress."""
        if server.started:
            server.should_exit = True
        else:
            task.cancel()

    with contextlib.suppress(NotImplementedError):  # Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    # The lifespan runs here, not in uvicorn, so that errors of the start reach the caller unchanged.
    async with app.router.lifespan_context(app):
        announcing = asyncio.create_task(_announce(server, app.state.service, _address(listener), announce))
        try:
            await server.serve(sockets=[listener])
        finally:
            announcing.cancel()


async def _announce(
    server: uvicorn.Server, service: Service, address: str, announce: Callable[[str], None]
) -> None:
    logged: dict[str, str] = {}
    while True:
        if server.started:
            failures = {
                name: check.failure
                for name, check in (await service.check()).items()
                if check.failure and check.required
            }
            if not failures:
                announce(address)
                return
            if failures != logged:
                log.warning("not ready yet: %s", "; ".join(failures.values()))
                logged = failures
        await asyncio.sleep(READY_POLL_S if server.started else 0.02)


def _check_exposure(settings: Settings) -> None:
    access = settings.access
    if not settings.is_exposed or access.keys_file or access.allow_anonymous:
        return
    where = f"host {settings.host}"
    if settings.published_host:
        where = f"the service published on {settings.published_host}"
    raise SettingsError(
        f"{where} is reachable from other machines, and no API key is required: create keys (`t2c-service keys "
        "create`, `access.keys_file`), listen on 127.0.0.1, or start with --allow-anonymous "
        "(T2C_ACCESS__ALLOW_ANONYMOUS=true) if everybody may read the graph"
    )


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error}; choose another `port` or `host`"
        ) from error
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
