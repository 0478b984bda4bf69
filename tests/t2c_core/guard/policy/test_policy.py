"""Policy files: names, defaults, errors."""

import pytest

from t2c_core.errors import PolicyError
from t2c_core.guard.policy.policy import Policy


def test_policy_hides_labels_types_and_properties(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("hidden: [Note, Patient.name, SEES, 'Odd Label.odd.name']\n", encoding="utf-8")
    policy = Policy.load(file)
    assert policy.hides("Note")
    assert policy.hides("Note", "text")
    assert policy.hides("SEES")
    assert policy.hides("Patient", "name")
    assert policy.hides("Odd Label", "odd.name")
    assert not policy.hides("Patient")
    assert not policy.hides("Patient", "age")


@pytest.mark.parametrize(
    "text", ["hidden: Note", "hide: [Note]", "- Note", "hidden: [1]", "hidden: [Note", "hidden: {Note: name}"]
)
def test_invalid_policy_is_refused(tmp_path, text):
    file = tmp_path / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError, match="policy"):
        Policy.load(file)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(PolicyError, match=r"nowhere\.yaml"):
        Policy.load(tmp_path / "nowhere.yaml")
