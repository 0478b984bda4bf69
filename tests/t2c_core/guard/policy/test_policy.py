"""Policy files: names, defaults, deprecated keys, errors."""

import pytest

from t2c_core.errors import PolicyError
from t2c_core.guard.policy.policy import Policy


def _load(tmp_path, text):
    file = tmp_path / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    return Policy.load(file)


def test_policy_hides_labels_types_and_properties(tmp_path):
    policy = _load(tmp_path, "hidden: [Note, Patient.name, SEES, 'Odd Label.odd.name']\n")
    assert policy.hides("Note")
    assert policy.hides("Note", "text")
    assert policy.hides("SEES")
    assert policy.hides("Patient", "name")
    assert policy.hides("Odd Label", "odd.name")
    assert not policy.hides("Patient")
    assert not policy.hides("Patient", "age")


def test_all_settings_are_read_and_functions_compared_in_lower_case(tmp_path):
    policy = _load(
        tmp_path,
        "allowed_functions: [Apoc.Text.Join]\nallowed_procedures: [DB.labels]\nmax_rows: 7\nallow_missing: true\n",
    )
    assert policy == Policy(
        allowed_functions=frozenset({"apoc.text.join"}),
        allowed_procedures=frozenset({"db.labels"}),
        max_rows=7,
        allow_missing=True,
    )


def test_empty_file_hides_nothing(tmp_path):
    assert _load(tmp_path, "") == Policy()


def test_deprecated_keys_are_accepted_with_a_warning(tmp_path):
    with pytest.warns(DeprecationWarning, match="allowed_functions"):
        policy = _load(tmp_path, "functions: [a.b]\nallowed_functions: [c]\n")
    assert policy.allowed_functions == {"a.b", "c"}


@pytest.mark.parametrize(
    "text",
    [
        "hidden: Note", "hide: [Note]", "- Note", "hidden: [1]", "hidden: [Note", "hidden: {Note: name}", "max_rows: 0",
        "max_rows: true", "max_rows: many", "allow_missing: 1",
    ],
)  # fmt: skip
def test_invalid_policy_is_refused(tmp_path, text):
    with pytest.raises(PolicyError, match="policy"):
        _load(tmp_path, text)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(PolicyError, match=r"nowhere\.yaml"):
        Policy.load(tmp_path / "nowhere.yaml")
