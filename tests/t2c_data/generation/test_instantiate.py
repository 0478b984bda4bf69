import asyncio
import re
from random import Random

import neo4j
import pytest

from t2c_core.graph.client import GraphClient
from t2c_core.graph.credentials import GraphConnection
from t2c_core.prompt.compact_cypher import decode, encode
from t2c_core.prompt.variable_names import VariableNames
from t2c_core.schema.model import GraphSchema
from t2c_core.schema.snapshot import write_snapshot
from t2c_data.errors import TemplateError, UnfitError
from t2c_data.generation.instantiate import InstantiatedTemplate, TemplateInstantiator
from t2c_data.generation.pipeline import SAMPLE_LIMITS, TemplatePipelineConfig, build
from t2c_data.graph.context import GraphContext
from t2c_data.graph.sample import read_sample
from t2c_data.lexicon.draft import draft_lexicon
from t2c_data.lexicon.model import from_content
from t2c_data.pairs import read_pairs
from t2c_data.realisation.surface import realise
from t2c_data.templates.model import count_variants, expand_alternatives, load_templates

PATTERNS = load_templates()
TRIES = 400
NEEDS_TWO_DATES = ("compare.dates", "compare.dates.count")


def fill(world: GraphContext, pattern_id: str, count: int) -> list[InstantiatedTemplate]:
    pattern = next(each for each in PATTERNS if each.id == pattern_id)
    instantiator = TemplateInstantiator(world, VariableNames(world.schema))
    found: list[InstantiatedTemplate] = []
    for number in range(TRIES):
        try:
            found.append(instantiator.instantiate(pattern, Random(number)))
        except UnfitError:
            continue
        if len(found) == count:
            break
    return found


def test_there_are_a_hundred_patterns_in_many_categories() -> None:
    assert len(PATTERNS) >= 100
    assert len({pattern.category for pattern in PATTERNS}) >= 12
    assert sum(count_variants(say) for template in PATTERNS for say in template.questions) > 10_000


def test_every_pattern_is_filled_from_the_demo_graph_and_runs(world: GraphContext, run_all) -> None:
    queries, owners = [], []
    for pattern in PATTERNS:
        if pattern.id in NEEDS_TWO_DATES:
            continue
        drafts = fill(world, pattern.id, 2)
        assert drafts, f"{pattern.id} cannot be filled"
        for filled in drafts:
            for text in filled.texts:
                written = realise(text, filled.cypher, filled.mentions, Random(1))
                assert not re.search("[\ue000-\ue0ff{}$]", written.question), written.question
                assert set(written.parameters) == set(re.findall(r"\$(v\d+)", written.cypher))
                assert decode(encode(written.cypher)) == written.cypher
            queries.append((written.cypher, written.parameters))
            owners.append(pattern)
    answers = run_all(queries)
    empty = [owner.id for owner, rows in zip(owners, answers, strict=True) if not rows]
    assert len(empty) <= len(answers) * 0.05, empty


def test_parameters_are_numbered_in_the_order_of_their_mentions(world: GraphContext) -> None:
    for filled in fill(world, "lookup.key", 30):
        for text in filled.texts:
            written = realise(text, filled.cypher, filled.mentions, Random(1))
            places = [
                written.question.find(str(value))
                for value in written.parameters.values()
                if isinstance(value, str) and "-" not in value
            ]
            assert places == sorted(places)
            assert list(written.parameters) == [
                f"v{number}" for number in range(1, len(written.parameters) + 1)
            ]


def test_wordings_of_one_query_differ(world: GraphContext) -> None:
    drafts = fill(world, "agg.avg", 20)
    assert all(len(set(draft.texts)) == len(draft.texts) for draft in drafts)
    assert sum(len(draft.texts) for draft in drafts) > 40


def test_choices_nest_and_an_empty_choice_is_one() -> None:
    assert {expand_alternatives("a(b|c(d|e)|)", Random(seed)) for seed in range(60)} == {
        "ab",
        "acd",
        "ace",
        "a",
    }


def test_a_broken_file_of_patterns_is_named(tmp_path) -> None:
    (tmp_path / "bad.yaml").write_text("templates:\n- {id: x, category: y}\n")
    with pytest.raises(TemplateError, match=r"bad\.yaml"):
        load_templates(tmp_path)
    (tmp_path / "bad.yaml").write_text(
        "patterns:\n- {id: x, category: y, difficulty: 1, cypher: z, say: [a], known: [b]}\n"
    )
    with pytest.warns(FutureWarning, match="use '(templates|questions|not_null)'"):
        (template,) = load_templates(tmp_path)
    assert (template.questions, template.not_null) == (("a",), ("b",))
    (tmp_path / "bad.yaml").unlink()
    with pytest.raises(TemplateError, match="no templates"):
        load_templates(tmp_path)


def test_patterns_that_compare_two_dates_run_on_a_graph_that_has_them(empty_graph, tmp_path) -> None:
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
        driver.execute_query(
            "UNWIND range(1, 30) AS i CREATE (:Order {name: 'order ' + i, placed: date('2024-01-01') + duration({days: i}), "
            "shipped: date('2024-01-16')})-[:SHIPPED_TO]->(:Town {name: 'town ' + i})"
        )
    write_snapshot(tmp_path / "snapshot", uri=empty_graph.uri)
    schema = GraphSchema.load(tmp_path / "snapshot")
    lexicon = from_content(draft_lexicon(schema), schema)
    config = TemplatePipelineConfig(pairs=400, seed=1)
    asyncio.run(
        build(
            tmp_path / "pairs",
            graph=GraphConnection(uri=empty_graph.uri),
            schema=schema,
            lexicon=lexicon,
            config=config,
        )
    )
    found = {pair.template for pair in read_pairs(tmp_path / "pairs" / "pairs.jsonl")}
    assert len(found) > 30
    world = GraphContext(schema, lexicon, asyncio.run(_sample(empty_graph.uri, schema)))
    for pattern_id in NEEDS_TWO_DATES:
        draft_ = fill(world, pattern_id, 1)[0]
        assert (
            "order_.placed > order_.shipped" in draft_.cypher
            or "order_.shipped > order_.placed" in draft_.cypher
        )


async def _sample(uri: str, schema: GraphSchema):
    async with GraphClient(uri) as client:

        async def read(cypher, parameters):
            return [list(row) for row in (await client.execute_read(cypher, parameters, SAMPLE_LIMITS)).rows]

        return await read_sample(read, schema)


def test_what_two_have_in_common_is_joined_to_both(world: GraphContext) -> None:
    for filled in fill(world, "lookup.common", 20):
        assert filled.cypher.count("-[") >= 2
        assert (
            len({mention.value for mention in filled.mentions.values() if mention.parameter in filled.cypher})
            >= 2
        )


def test_a_condition_of_a_relationship_is_said_as_an_adjective_of_its_own_end(world: GraphContext) -> None:
    said = [(text, each) for each in fill(world, "lookup.key", 250) for text in each.texts]
    flags = [text for text, each in said if re.search(r"treats\.firstLine = true", each.cypher)]
    assert any(re.search(r"(first-line|first-choice|preferred) \w+", text) for text in flags)
