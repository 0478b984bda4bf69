"""Results that differ in their columns only."""

import pytest

from t2c_core.metrics import equal_on_common_columns

NODE = {"element_id": "4:1", "labels": ["Drug"], "properties": {"name": "Warfarin", "year": 1954}}


@pytest.mark.parametrize(
    ("gold", "predicted", "is_equal"),
    [
        ([["a", 1], ["b", 2]], [["b"], ["a"]], True),
        ([["a"], ["b"]], [["a", 1], ["b", 1]], True),
        ([[1, "a"], [2, "b"]], [["a", 1], ["b", 2]], True),
        ([[1, "a"], [2, "b"]], [["a", 2], ["b", 1]], False),
        ([["a"], ["a"], ["b"]], [["a"], ["b"]], True),
        ([["a"], ["b"]], [["a"]], False),
        ([["a"]], [], False),
        ([], [], True),
        ([[NODE]], [["Warfarin"]], True),
        ([[NODE]], [["Aspirin"]], False),
        ([["Warfarin", 1954]], [[NODE]], True),
        ([[1, 2, 3], [2, 3, 1]], [[2, 1], [3, 2]], True),
        ([[1, 2, 3], [2, 3, 1]], [[1, 1], [2, 2]], False),
    ],
)
def test_columns_that_one_has_alone_do_not_count(
    gold: list[list[object]], predicted: list[list[object]], is_equal: bool
) -> None:
    assert equal_on_common_columns(gold, predicted) is is_equal
