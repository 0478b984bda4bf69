"""Address, database and user of a graph, as every command takes them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - command lines read the annotations
from typing import TYPE_CHECKING

from graphling_io.console import print_status
from t2c_core.errors import InputError

if TYPE_CHECKING:
    from t2c_core.graph.client import GraphClient

MIN_PASSWORD_LENGTH = 8
"""Minimum number of characters that Neo4j demands of a new user's password."""


@dataclass(frozen=True, kw_only=True)
class GraphConnection:
    """Address, database and credentials of a graph."""

    uri: str
    """Bolt address, for example bolt://localhost:7687."""
    database: str | None = None
    """Name of the database; the server's default database if omitted."""
    auth_file: Path | None = None
    """File with a `user/password` line; NEO4J_USERNAME and NEO4J_PASSWORD are used if omitted."""

    @property
    def auth(self) -> tuple[str, str] | None:
        """User and password, or None if none are given.

        Raises:
            InputError: `auth_file` cannot be read or has no `user/password` line.
        """
        return read_auth(self.auth_file)

    def open(self, *, concurrency: int = 32) -> GraphClient:
        """Return a client of the graph, which is an asynchronous context manager.

        Args:
            concurrency: maximum number of connections.

        Raises:
            InputError: the address or `auth_file` is invalid.
        """
        from t2c_core.graph.client import GraphClient

        return GraphClient(self.uri, auth=self.auth, database=self.database, concurrency=concurrency)


def read_auth(file: Path | None) -> tuple[str, str] | None:
    """Return the first user of a file, or the user in NEO4J_USERNAME and NEO4J_PASSWORD.

    Raises:
        InputError: the file cannot be read or has no `user/password` line.
    """
    if file:
        return next(iter(read_users(file).items()))
    password = os.environ.get("NEO4J_PASSWORD")
    return (os.environ.get("NEO4J_USERNAME", "neo4j"), password) if password else None


def read_users(file: Path, *, min_password_length: int = 1) -> dict[str, str]:
    """Read `user/password` lines; warns if other users of the machine can read the file.

    Raises:
        InputError: the file cannot be read, has no such line, or a password is too short.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        shared = os.name == "posix" and file.stat().st_mode & 0o077
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read --auth-file {file}: {error}") from error
    if shared:
        print_status(f"Other users of this machine can read {file}; run chmod 600 on it.")
    users: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, _, password = line.strip().partition("/")
        if not (name and password):
            raise InputError(f"{file}, line {number}: expected user/password")
        if len(password) < min_password_length:
            raise InputError(
                f"{file}, line {number}: the password of {name} has fewer than {min_password_length} characters"
            )
        users[name] = password
    if not users:
        raise InputError(f"{file} has no user/password line")
    return users
