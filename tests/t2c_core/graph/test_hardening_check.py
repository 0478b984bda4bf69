"""Hardening check on a server with default settings and on the embedded one."""

import pytest

from t2c_core.graph import hardening_check as posture
from t2c_core.graph.embedded import EmbeddedGraph
from t2c_core.guard.guard import Guard
from t2c_core.guard.verdict import GuardVerdict

pytestmark = pytest.mark.graph


def unsafe(found):
    return {check.name for check in found.checks if check.required and not check.safe}


async def test_server_of_ours_is_safe(graph):
    found = await posture.check_hardening(graph.uri)
    assert found.safe
    assert unsafe(found) == set()
    tried = {check.name: check for check in found.checks}
    assert {"write", "file", "network", "procedure", "long query", "time limit"} <= set(tried)
    assert all(check.safe or check.remediation for check in found.checks)


async def test_guard_that_allows_everything_is_reported(graph, monkeypatch):
    monkeypatch.setattr(Guard, "require", lambda _, cypher: GuardVerdict(verdict="allow", cypher=cypher))
    monkeypatch.setattr(posture, "check_plan", lambda _: None)
    found = await posture.check_hardening(graph.uri)
    assert not found.safe
    assert {"guard: a write", "guard: a file", "guard: a procedure", "guard: settings"} <= unsafe(found)


async def test_server_with_default_settings_is_unsafe_with_remediations(tmp_path, monkeypatch):
    careful = EmbeddedGraph._settings
    loosened = (
        "dbms.security.allow_csv_import_from_file_urls",
        "internal.dbms.cypher_ip_blocklist",
        "db.transaction.timeout",
    )
    monkeypatch.setattr(
        EmbeddedGraph,
        "_settings",
        lambda self: {name: value for name, value in careful(self).items() if name not in loosened},
    )
    with EmbeddedGraph(tmp_path / "home") as server:
        (tmp_path / "home" / "import" / "etc").mkdir()
        (tmp_path / "home" / "import" / "etc" / "hostname").write_text("here\n", encoding="utf-8")
        found = await posture.check_hardening(server.uri)
    assert not found.safe
    assert unsafe(found) == {"file", "network", "time limit"}
    advice = " ".join(check.remediation for check in found.checks)
    assert all(name in advice for name in loosened)
