"""Ways for a dependency to misbehave: a line to the database that is cut or slow, servers that talk nonsense."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Nonsense = Literal["babbling", "endless", "silent", "closing"]
BABBLE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"


class Cable:
    """A line to the database that can be cut, mended and slowed down."""

    def __init__(self, uri: str) -> None:
        self._target = urlsplit(uri).port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.delay_s = 0.0
        """Wait before each piece that is carried."""

    @property
    def uri(self) -> str:
        return f"bolt://127.0.0.1:{self.port}"

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(65536):
                    await asyncio.sleep(self.delay_s)
                    sink.write(data)
                    await sink.drain()
            except OSError:
                pass
            finally:
                sink.close()
                with contextlib.suppress(OSError):
                    await sink.wait_closed()

        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        for task in (asyncio.create_task(pump(reader, back)), asyncio.create_task(pump(there, writer))):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


@asynccontextmanager
async def nonsense(kind: Nonsense, port: int) -> AsyncIterator[None]:
    """Answer a port with what no protocol has."""

    talks: set[asyncio.Task[None] | None] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.current_task())
        try:
            match kind:
                case "babbling":
                    await reader.read(20)
                    writer.write(BABBLE)
                case "endless":
                    await reader.read(20)
                    writer.write(b"\x00\x00\x00\x05")  # what follows is of a version that both know
                    while True:
                        writer.write(b"\xff" * 65536)
                        await writer.drain()
                case "silent":
                    await reader.read()
        except OSError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for each in talks:
            if each is not None:
                each.cancel()
