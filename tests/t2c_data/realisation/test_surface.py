from random import Random

import pytest

from t2c_data.planning.query_tree import ValueMention
from t2c_data.realisation.surface import realise


def question(text: str, value: object, kind: str = "string", seed: int = 0) -> str:
    return realise(text, "", {0: ValueMention(0, value, kind)}, Random(seed)).question


@pytest.mark.parametrize("value", ["e. coli", "E  coli", " x", "a\tb", "a , b", "no. five . six"])
@pytest.mark.parametrize("seed", range(8))
def test_a_value_is_written_as_it_is(value: str, seed: int) -> None:
    assert value in question("find cases  of \ue0000\ue001. return their names", value, seed=seed)
    assert value in question("\ue0000\ue001: age", value, seed=seed)


@pytest.mark.parametrize(
    ("value", "written"), [(10.40237, "10.40237"), (0.1, "0.1"), (2.0, "2"), (123456789.25, "123456789.25")]
)
def test_a_number_keeps_its_digits(value: float, written: str) -> None:
    assert question("over \ue0000\ue001 in all", value, "number").lower().startswith(f"over {written} in all")


@pytest.mark.parametrize(
    ("value", "shown"), [("oral", "an"), ("rare", "a"), ("hourly", "an"), ("unusual", "an"), ("used", "a")]
)
def test_the_article_before_a_value_agrees_with_it(value: str, shown: str) -> None:
    for seed in range(6):
        text = question("list cases with a \ue0000\ue001 drug", value, seed=seed)
        assert (
            text.lower().replace("'", "").replace('"', "").startswith(f"list cases with {shown} {value} drug")
        )
