"""The canary sings on a careless server, and is quiet on ours."""

import pytest

from t2c_core.graph import posture
from t2c_core.graph.embedded import EmbeddedGraph

pytestmark = pytest.mark.graph


def unsafe(found):
    return {check.name for check in found.checks if check.required and not check.safe}


async def test_server_of_ours_is_safe(graph):
    found = await posture.examine(graph.uri)
    assert found.safe
    assert unsafe(found) == set()


async def test_guard_that_lets_everything_through_is_told(graph, monkeypatch):
    monkeypatch.setattr(posture, "check_limits", lambda _: None)
    monkeypatch.setattr(posture, "check_plan", lambda _: None)
    found = await posture.examine(graph.uri)
    assert not found.safe
    assert {"guard: a write", "guard: a file", "guard: a procedure", "guard: settings"} <= unsafe(found)


async def test_server_with_default_settings_is_unsafe_and_told_what_to_change(tmp_path, monkeypatch):
    careful = EmbeddedGraph._settings
    loosened = ("dbms.security.allow_csv_import_from_file_urls", "internal.dbms.cypher_ip_blocklist")
    monkeypatch.setattr(
        EmbeddedGraph,
        "_settings",
        lambda self: {name: value for name, value in careful(self).items() if name not in loosened},
    )
    with EmbeddedGraph(tmp_path / "home") as server:
        (tmp_path / "home" / "import" / "etc").mkdir()
        (tmp_path / "home" / "import" / "etc" / "hostname").write_text("here\n", encoding="utf-8")
        found = await posture.examine(server.uri)
    assert not found.safe
    assert unsafe(found) == {"file", "network"}
    advice = " ".join(check.advice for check in found.checks)
    assert all(name in advice for name in loosened)
