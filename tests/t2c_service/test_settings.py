"""Settings: sources, paths, and what a person is told when something is wrong."""

from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from t2c_service.errors import SettingsError
from t2c_service.settings import RENAMED, Settings, variable_of
from t2c_service.settings_loader import load_access_settings, load_graph_settings, load_settings

GOOD = {"graph": {"uri": "bolt://127.0.0.1:7687"}, "snapshot": "snap", "model": {"path": "m"}}


def write(folder: Path, **changes: object) -> Path:
    file = folder / "graphling.yaml"
    file.write_text(yaml.safe_dump(GOOD | changes))
    return file


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, graph={"home": "../g"}, examples="e.jsonl"))
    assert settings.snapshot == tmp_path / "snap"
    assert settings.model.path == tmp_path / "m"
    assert settings.graph.home == tmp_path / ".." / "g"
    assert settings.examples == tmp_path / "e.jsonl"


def test_absolute_paths_stay(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, snapshot="/data/snap")).snapshot == Path("/data/snap")


def test_variables_win_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T2C_GRAPH__URI", "bolt://elsewhere:7687")
    monkeypatch.setenv("T2C_PORT", "9000")
    settings = load_settings(write(tmp_path, port=8000))
    assert (settings.graph.uri, settings.port) == ("bolt://elsewhere:7687", 9000)
    assert settings.snapshot == tmp_path / "snap"


def test_variables_alone_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T2C_GRAPH__URI", "bolt://x:1")
    monkeypatch.setenv("T2C_SNAPSHOT", "s")
    monkeypatch.setenv("T2C_MODEL__KIND", "openai")
    monkeypatch.setenv("T2C_MODEL__URL", "http://x/v1")
    assert load_settings().model.url == "http://x/v1"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"graf": {}}, "unknown key `graf`; did you mean `graph`?"),
        ({"graph": {"ury": "x"}}, "unknown key `graph.ury`; did you mean `graph.uri`?"),
        ({"limits": {"max_row": 5}}, "did you mean `limits.max_rows`?"),
        ({"zzzzqq": 1}, "known are `ablate`"),
        ({"port": "abc"}, "`port` Input should be a valid integer"),
        ({"port": 70000}, "`port` Input should be less than or equal to 65535"),
        ({"model": {"kind": "openai"}}, "`model` kind is 'openai' and needs `url`"),
        ({"model": {"kind": "local"}}, "needs `path`"),
        ({"graph": {}}, "give `uri` (a Bolt address), `home` (an embedded store), or both"),
        ({"prompt": "atom"}, "`prompt` Input should be 'atoms' or 'chat'"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, **changes))
    assert told in str(caught.value)
    assert "graphling.yaml" in str(caught.value)


def test_what_is_missing_is_named_with_its_variable(tmp_path: Path) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text("")
    with pytest.raises(SettingsError, match=r"`snapshot` is missing .*T2C_SNAPSHOT"):
        load_settings(file)


def test_a_misspelt_variable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T2C_GRAPH_URI", "bolt://x:1")
    with pytest.raises(SettingsError, match="unknown variable T2C_GRAPH_URI; did you mean `T2C_GRAPH__URI`"):
        load_settings(write(tmp_path))


@pytest.mark.parametrize("text", ["a: [", "- 1", "3", "\x00"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"bad\.yaml"):
        load_settings(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read the settings"):
        load_settings(tmp_path / "none.yaml")


def test_secrets_do_not_show(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, graph={"uri": "bolt://x:1", "password": "hunter2"}))
    assert "hunter2" not in repr(settings)
    assert settings.graph.password is not None
    assert settings.graph.password.get_secret_value() == "hunter2"


def test_a_broken_file_does_not_show_secrets(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text('graph: {password: "hunter2\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "hosts"),
    [
        ({}, ("127.0.0.1", "localhost", "[::1]", "127.0.0.1")),
        ({"host": "0.0.0.0"}, ()),
        ({"host": "0.0.0.0", "allowed_hosts": ["graph.example"]}, ("graph.example",)),
    ],
)
def test_only_a_loopback_address_limits_host_names(
    tmp_path: Path, changes: dict[str, object], hosts: tuple[str, ...]
) -> None:
    assert load_settings(write(tmp_path, **changes)).hosts == hosts


def test_the_graph_alone_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_graph_settings() is None
    file = tmp_path / "graph.yaml"
    file.write_text("graph: {home: store}\n")
    graph = load_graph_settings(file)
    assert graph is not None
    assert graph.home == tmp_path / "store"
    monkeypatch.setenv("T2C_GRAPH__URI", "bolt://x:1")
    graph = load_graph_settings()
    assert graph is not None
    assert graph.uri == "bolt://x:1"


@pytest.mark.parametrize(
    ("value", "hosts"),
    [
        ("ask.example.org", ("ask.example.org",)),
        ("a.example, b.example", ("a.example", "b.example")),
        ('["a.example", "b.example"]', ("a.example", "b.example")),
        ("", ()),
    ],
)
def test_lists_in_variables_are_comma_separated_or_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, hosts: tuple[str, ...]
) -> None:
    monkeypatch.setenv("T2C_ALLOWED_HOSTS", value)
    monkeypatch.setenv("T2C_ACCESS__ANONYMOUS", "query,schema")
    monkeypatch.setenv("T2C_ABLATE", "grammar")
    settings = load_settings(write(tmp_path))
    assert settings.allowed_hosts == hosts
    assert settings.access.anonymous == ("query", "schema")
    assert settings.ablate == ("grammar",)
    assert load_access_settings(None).anonymous == ("query", "schema")


def test_every_earlier_name_is_accepted_and_says_the_present_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    values = {
        "limits.attempts": 3, "limits.samples": 4, "limits.waiting": 5, "limits.request_s": 6.0, "limits.body_s": 7.0,
        "limits.drain_s": 8.0, "limits.question_chars": 90, "limits.schema_chars": 900, "limits.body_bytes": 9000,
        "limits.diagnosis_queries": 2, "limits.diagnosis_s": 2.5, "access.per_minute": 11, "access.key": "k",
        "access.keys": "k.json", "access.audit": "a.jsonl", "access.redis": "redis://r:1/0", "watch_s": 12.0,
        "refresh_s": 13.0, "canary": "off",
    }  # fmt: skip
    assert set(values) == set(RENAMED)

    def read(settings: Settings, key: str) -> object:
        found = settings
        for part in key.split("."):
            found = getattr(found, part)
        return found.get_secret_value() if isinstance(found, SecretStr) else found

    content: dict[str, object] = {"limits": {}, "access": {}}
    for key, value in values.items():
        group, _, name = key.rpartition(".")
        (content[group] if group else content)[name] = value  # type: ignore[index]
    settings = load_settings(write(tmp_path, **content))
    for old, new in RENAMED.items():
        value = values[old]
        expected = tmp_path / str(value) if old in {"access.keys", "access.audit"} else value
        assert read(settings, new) == expected, old
        assert f"`{old}` is deprecated; use `{new}`" in caplog.text

    caplog.clear()
    for old, value in values.items():
        monkeypatch.setenv(variable_of(old), str(value))
    settings = load_settings(write(tmp_path))
    for old, new in RENAMED.items():
        value = values[old]
        assert read(settings, new) == (Path(str(value)) if old in {"access.keys", "access.audit"} else value)
        assert f"{variable_of(old)} is deprecated; use {variable_of(new)}" in caplog.text


def test_an_earlier_name_beside_the_present_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"`limits\.attempts` is the deprecated name"):
        load_settings(write(tmp_path, limits={"attempts": 1, "max_attempts": 2}))


def test_a_variable_under_an_earlier_name_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2C_LIMITS__ATTEMPTS", "4")
    assert load_settings(write(tmp_path, limits={"max_attempts": 2})).limits.max_attempts == 4


def test_credentials_of_the_environment_are_those_of_all_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_USERNAME", "ann")
    monkeypatch.setenv("NEO4J_PASSWORD", "abc")
    graph = load_settings(write(tmp_path, graph={"uri": "bolt://x:1"})).graph
    assert (graph.user, graph.password and graph.password.get_secret_value()) == ("ann", "abc")
    own = load_settings(write(tmp_path, graph={"uri": "bolt://x:1", "user": "bob", "password": "xyz"})).graph
    assert (own.user, own.password and own.password.get_secret_value()) == ("bob", "xyz")


def test_variable_of_a_group_is_its_address_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text("")
    with pytest.raises(SettingsError, match=r"`graph` is missing .*T2C_GRAPH__URI"):
        load_settings(file)
    monkeypatch.setenv("T2C_GRAPH", "bolt://x:1")
    monkeypatch.setenv("T2C_MODEL", str(tmp_path))
    monkeypatch.setenv("T2C_SNAPSHOT", str(tmp_path))
    settings = load_settings(file)
    assert (settings.graph.uri, settings.model.path) == ("bolt://x:1", tmp_path)
    monkeypatch.setenv("T2C_GRAPH", '{"uri": "bolt://y:2"}')
    assert load_settings(file).graph.uri == "bolt://y:2"


def test_lists_may_be_separated_by_commas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T2C_ALLOWED_HOSTS", "ask.example.org, b.example.org")
    monkeypatch.setenv("T2C_ACCESS__ANONYMOUS", "query")
    settings = load_settings(write(tmp_path))
    assert settings.allowed_hosts == ("ask.example.org", "b.example.org")
    assert settings.access.anonymous == ("query",)
