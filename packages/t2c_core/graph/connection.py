"""A connection of the tools that fill and describe graphs, for hours if need be.

Holds no queries of theirs and no guarded access (see `client`).
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from neo4j import GraphDatabase

from t2c_core.errors import InputError
from t2c_core.graph.driver_errors import translate_driver_errors, validate_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neo4j import Driver

OLDEST_SERVER = (5, 26)
"""The first version that takes labels and types as parameters."""
CONNECT_TIMEOUT_S = 10


@contextmanager
def connected(uri: str, auth: tuple[str, str] | None) -> Iterator[Driver]:
    """Connect to a server; errors of the driver inside the block become errors of this package.

    Args:
        uri: Bolt address.
        auth: user and password, if the server wants them.

    Raises:
        InputError: the address, user or password is wrong, or the server is too old.
        GraphError: see `explained`.
    """
    with validate_uri(uri):
        driver = GraphDatabase.driver(
            uri, auth=auth, connection_timeout=CONNECT_TIMEOUT_S, notifications_min_severity="OFF"
        )
    with translate_driver_errors(uri), driver:
        agent = driver.get_server_info().agent
        found = re.fullmatch(r"Neo4j/(\d+)\.(\d+).*", agent)
        if found and (int(found[1]), int(found[2])) < OLDEST_SERVER:
            raise InputError(
                f"{uri} is a {agent}; Neo4j {OLDEST_SERVER[0]}.{OLDEST_SERVER[1]} or newer is needed"
            )
        yield driver
