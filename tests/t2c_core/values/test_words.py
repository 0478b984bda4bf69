"""Folding and short forms."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2c_core.values.normalization import aliases, fold, words


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Crohn's disease", "crohns disease"),
        ("Crohn’s  Disease", "crohns disease"),
        ("ENALAPRIL\\HYDROCHLOROTHIAZIDE", "enalapril hydrochlorothiazide"),
        ("Stevens-Johnson syndrome", "stevens johnson syndrome"),
        ("Björk Guðmundsdóttir", "bjork gudmundsdottir"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("C++", "c++"),
        ("10 %", "10 %"),
        ("10%", "10 %"),
        ("糖尿病", "糖 尿 病"),
        ("—", "—"),
        ("", ""),
    ],
)
def test_case_accents_punctuation_and_blanks_make_no_difference(text: str, folded: str) -> None:
    assert fold(text) == folded


@settings(deadline=None)
@given(st.text(alphabet="abzéüñçøß09 -,;'/", max_size=30))
def test_any_text_of_words_folds_alike_in_every_case_and_only_once(text: str) -> None:
    assert fold(text.upper()) == fold(text.lower()) == fold(text) == fold(fold(text))


@settings(deadline=None)
@given(st.text(max_size=30))
def test_words_point_into_their_text_and_join_to_its_folded_form(text: str) -> None:
    cut = words(text)
    assert all(0 <= each.start < each.end <= len(text) for each in cut)
    if cut:
        assert " ".join(each.folded for each in cut) == fold(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hospitalization - Initial or Prolonged", ["hospitalization"]),
        ("Other Serious (Important Medical Event)", ["other serious", "important medical event"]),
        ("Intravenous (nos)", ["intravenous"]),
        ("Star Wars: A New Hope", ["star wars"]),
        ("Hanks, Tom", ["tom hanks"]),
        ("The Matrix", ["matrix"]),
        ("A", []),
        ("Life-Threatening", []),
        ("Oil, gas and coal industry workers", []),
        ("F (x)", []),
        ("2021 - 2022", []),
        ("shop.billing.tax.VatManager", ["vatmanager"]),
        ("std::vector::push_back", ["push back"]),
        ("ASPIRIN\\CAFFEINE\\CODEINE", []),
        ("189.203.191.43", []),
        ("www.example.com", []),
    ],
)
def test_short_forms_are_what_people_call_a_value(text: str, expected: list[str]) -> None:
    assert aliases(text) == expected
