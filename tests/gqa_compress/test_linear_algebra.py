"""Grams, alignment, merging and refits against what they stand for."""

import itertools

import numpy as np
import pytest
import torch
from tests.gqa_compress.tiny_models import tiny_model

from gqa_compress.checkpoint.architectures import SUPPORTED, attention_dims
from gqa_compress.conversion.ridge import LAMBDAS, SKETCH, ResidualGram, ridge, ridge_update
from gqa_compress.heads.alignment import align_keys, align_values, phase, polar
from gqa_compress.heads.grams import InputGram, grouped_pairs, head_grams
from gqa_compress.heads.grouping import adjacent, head_similarity, search
from gqa_compress.heads.merging.aligned import align
from gqa_compress.heads.merging.weighted import principal_value_subspace, top_key_component
from gqa_compress.heads.projections import HeadProjections, read_heads, write_heads
from gqa_compress.heads.rope import as_complex, as_real, complex_gram, rotary_pairs

KEYS, RATIO, SIZE, WIDTH, TOKENS = 4, 2, 8, 12, 50


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def heads() -> HeadProjections:
    return HeadProjections(
        w_q=random(KEYS, RATIO, SIZE, WIDTH + 1, seed=1),
        w_k=random(KEYS, SIZE, WIDTH + 1, seed=2),
        w_v=random(KEYS, SIZE, WIDTH + 1, seed=3),
        w_o=random(KEYS, RATIO, SIZE, WIDTH, seed=4),
    )


@pytest.fixture
def moments() -> torch.Tensor:
    gram = InputGram(WIDTH)
    for part in random(TOKENS, WIDTH, seed=5).split([20, 30]):
        gram.add(part)
    assert gram.tokens == TOKENS
    return gram.moments


def augmented() -> torch.Tensor:
    return torch.cat([random(TOKENS, WIDTH, seed=5), torch.ones(TOKENS, 1, dtype=torch.float64)], dim=1)


def test_grams_of_heads_follow_from_the_gram_of_the_input(
    heads: HeadProjections, moments: torch.Tensor
) -> None:
    grams = head_grams(heads, moments)
    keys = torch.einsum("kdc,nc->nkd", heads.w_k, augmented())
    values = torch.einsum("kdc,nc->nkd", heads.w_v, augmented())
    queries = torch.einsum("krdc,nc->nkrd", heads.w_q, augmented())
    torch.testing.assert_close(grams.keys, torch.einsum("nid,nje->idje", keys, keys))
    torch.testing.assert_close(grams.values, torch.einsum("nid,nje->idje", values, values))
    torch.testing.assert_close(grams.queries, torch.einsum("nkrd,nkre->kde", queries, queries))


@pytest.mark.parametrize("model_type", ["llama", "cohere", "stablelm"])
def test_complex_grams_are_sums_over_tokens_and_ignore_rotation(model_type: str) -> None:
    config = tiny_model(
        model_type, **({"partial_rotary_factor": 0.5} if model_type == "stablelm" else {})
    ).config
    pairs = rotary_pairs(SUPPORTED[model_type], attention_dims(config))
    keys = random(3, SIZE, TOKENS)
    gram = torch.einsum("idn,jen->idje", keys, keys)
    z = as_complex(keys, pairs)  # (3, P, N)
    expected = torch.einsum("ipn,jpn->pij", z.conj(), z)
    torch.testing.assert_close(complex_gram(gram, pairs), expected)
    turned = z * torch.polar(torch.ones(TOKENS, dtype=torch.float64), random(TOKENS))
    torch.testing.assert_close(torch.einsum("ipn,jpn->pij", turned.conj(), turned), expected)
    torch.testing.assert_close(as_real(z, keys[:, pairs.unrotated], pairs), keys)


def test_grouped_pairs_takes_the_blocks_of_each_group() -> None:
    pairs = random(4, 3, 4, 3)
    blocks = grouped_pairs(pairs, torch.tensor([[2, 0], [1, 3]]))
    for group, members in enumerate([[2, 0], [1, 3]]):
        for (i, first), (j, second) in itertools.product(enumerate(members), repeat=2):
            torch.testing.assert_close(blocks[group, i, :, j], pairs[first, :, second])


def test_two_heads_reach_the_nuclear_norm() -> None:
    first, second = random(TOKENS, SIZE, seed=1), random(TOKENS, SIZE, seed=2)
    both = torch.stack([first, second], dim=1)  # (N, 2, D)
    turns = align_values(torch.einsum("nid,nje->idje", both, both)[None])[0]
    reached = ((first @ turns[0]) * (second @ turns[1])).sum()
    torch.testing.assert_close(reached, torch.linalg.matrix_norm(first.t() @ second, ord="nuc"))
    torch.testing.assert_close(turns @ turns.mT, torch.eye(SIZE, dtype=torch.float64).expand(2, -1, -1))


def test_group_alignment_is_a_fixed_point_and_beats_pairing_with_the_first() -> None:
    rows = random(TOKENS, 4, SIZE)
    blocks = torch.einsum("nid,nje->idje", rows, rows)[None]

    def spread(turns: torch.Tensor) -> float:
        return float(torch.einsum("nid,ide->ne", rows, turns).square().sum())

    turns = align_values(blocks)[0]
    cross = blocks[0].movedim(1, 2)
    again = polar(torch.einsum("ijde,jef->idf", cross, turns))
    assert spread(again) == pytest.approx(spread(turns), rel=1e-4)
    assert spread(turns) > spread(polar(cross[:, 0]))


def test_key_alignment_recovers_rotations() -> None:
    base = torch.complex(random(TOKENS, seed=1), random(TOKENS, seed=2))
    angles = phase(torch.complex(random(3, seed=3), random(3, seed=4)))
    z = angles[:, None] * base
    turns = align_keys(torch.einsum("in,jn->ij", z.conj(), z)[None, None])[0, 0]
    aligned = turns[:, None] * z
    torch.testing.assert_close(aligned, aligned[:1].expand_as(aligned))


def test_alignment_changes_no_score_and_no_output(heads: HeadProjections, moments: torch.Tensor) -> None:
    pairs = rotary_pairs(SUPPORTED["llama"], attention_dims(tiny_model("llama").config))
    groups = torch.tensor([[0, 2], [1, 3]])
    before, after = heads.group_by(groups), align(heads, head_grams(heads, moments), pairs, groups)
    scores = [
        torch.einsum("gmrpc,gmpe->gmrpce", as_complex(h.w_q, pairs).conj(), as_complex(h.w_k, pairs))
        for h in (before, after)
    ]
    torch.testing.assert_close(scores[1], scores[0])
    outputs = [torch.einsum("gmdc,gmrde->gmrce", h.w_v, h.w_o) for h in (before, after)]
    torch.testing.assert_close(outputs[1], outputs[0])


def test_best_plane_is_the_best_weighted_approximation() -> None:
    z = torch.complex(random(3, TOKENS, seed=1), random(3, TOKENS, seed=2))
    energy = random(3, seed=3).square()
    encode, decode = top_key_component(
        torch.einsum("in,jn->ij", z.conj(), z)[None, None], energy[None, :, None]
    )
    kappa = (encode[0, :, 0, None] * z).sum(0)
    error = (energy[:, None] * (z - decode[0, :, 0, None] * kappa).abs().square()).sum()
    singular = torch.linalg.svdvals(energy.sqrt()[:, None] * z)
    torch.testing.assert_close(error, singular[1:].square().sum())
    torch.testing.assert_close(kappa.abs().square().sum(), z.abs().square().sum(1).mean())


def test_best_subspace_is_the_best_weighted_approximation() -> None:
    values, outward = random(TOKENS, 3, SIZE, seed=1), random(3, SIZE, WIDTH, seed=2)
    metric = outward @ outward.mT
    blocks = torch.einsum("nid,nje->idje", values, values)
    encode, decode = principal_value_subspace(blocks[None], metric[None])
    shared = torch.einsum("nid,ide->ne", values, encode[0])
    missed = torch.einsum("nid,idc->nic", torch.einsum("ne,ied->nid", shared, decode[0]) - values, outward)
    root = torch.linalg.cholesky(metric)
    singular = torch.linalg.svdvals(torch.einsum("nid,ide->nie", values, root).flatten(1))
    torch.testing.assert_close(missed.square().sum(), singular[SIZE:].square().sum())


def test_heads_survive_the_way_to_the_checkpoint_and_back() -> None:
    model = tiny_model("qwen2", kv_heads=4)
    arch, dims = SUPPORTED["qwen2"], attention_dims(model.config)
    prefix = "model.layers.0."
    layer = {n.removeprefix(prefix): t for n, t in model.state_dict().items() if n.startswith(prefix)}
    written = write_heads(read_heads(layer, arch, dims), layer, arch)
    assert written.keys() == layer.keys()
    assert all(torch.equal(written[name], layer[name]) for name in layer)
    assert "self_attn.k_proj.bias" in layer


@pytest.mark.parametrize(("heads_count", "groups"), [(8, 4), (8, 2), (6, 2), (9, 3), (8, 8), (5, 1)])
def test_search_is_as_good_as_trying_everything(heads_count: int, groups: int) -> None:
    raw = random(heads_count, heads_count).square().numpy()
    scores = raw + raw.T
    np.fill_diagonal(scores, 0)
    members = heads_count // groups

    def best(left: frozenset[int]) -> float:
        if not left:
            return 0.0
        first = min(left)
        others = itertools.combinations(sorted(left - {first}), members - 1)
        return max(total((first, *rest)) + best(left - {first, *rest}) for rest in others)

    def total(group: tuple[int, ...]) -> float:
        return sum(scores[a, b] for a, b in itertools.combinations(group, 2))

    found = search(scores, groups)
    assert sorted(itertools.chain.from_iterable(found)) == list(range(heads_count))
    assert {len(group) for group in found} == {members}
    assert sum(total(tuple(group)) for group in found) == pytest.approx(best(frozenset(range(heads_count))))


def test_adjacent_groups_keep_the_order() -> None:
    assert adjacent(6, 2) == [[0, 1, 2], [3, 4, 5]]


def test_pair_scores_are_highest_for_copies(heads: HeadProjections, moments: torch.Tensor) -> None:
    twins = HeadProjections(heads.w_q, heads.w_k[[0, 1, 0, 1]], heads.w_v[[0, 1, 0, 1]], heads.w_o)
    pairs = rotary_pairs(SUPPORTED["llama"], attention_dims(tiny_model("llama").config))
    scores = head_similarity(head_grams(twins, moments), pairs)
    assert scores[0, 2] == pytest.approx(2)
    assert scores[1, 3] == pytest.approx(2)
    assert scores.max() <= 2 + 1e-9
    assert np.array_equal(scores, scores.T)


def test_ridge_solves_the_augmented_least_squares() -> None:
    z, r = random(TOKENS, 6, seed=1), random(TOKENS, 3, seed=2)
    weights = random(TOKENS, seed=3).exp()
    gram = ResidualGram(6, 3, bias=True)
    gram.add(z, r, weights)
    root = weights.sqrt()[:, None]
    ones, r = torch.cat([z, torch.ones(TOKENS, 1, dtype=torch.float64)], dim=1) * root, r * root
    penalty = 0.3 * (ones.t() @ ones).diagonal().mean()
    stacked = torch.cat([ones, penalty.sqrt() * torch.eye(7, dtype=torch.float64)])
    target = torch.cat([r, torch.zeros(7, 3, dtype=torch.float64)])
    change = ridge(gram, 0.3)
    torch.testing.assert_close(change, torch.linalg.lstsq(stacked, target).solution)
    error = (ones @ change - r).square().sum() - r.square().sum()
    assert gram.error_change(change) == pytest.approx(float(error))


def test_a_refit_that_does_not_help_held_out_tokens_is_not_made() -> None:
    seen, held_out = ResidualGram(6, 3, bias=False), ResidualGram(6, 3, bias=False)
    seen.add(random(5, 6, seed=1), random(5, 3, seed=2), torch.ones(5))
    held_out.add(random(5, 6, seed=3), torch.zeros(5, 3, dtype=torch.float64), torch.ones(5))
    change, strength = ridge_update(seen, held_out)
    assert strength is None
    assert not change.any()


def test_wide_refits_choose_lambda_as_if_by_all_outputs() -> None:
    outputs = 2 * SKETCH
    grams = []
    weight = random(40, outputs, seed=1) / 10
    for seed, tokens in ((2, 60), (3, 50)):
        z = random(tokens, 40, seed=seed)
        gram = ResidualGram(40, outputs, bias=False)
        gram.add(z, z @ weight + 0.1 * random(tokens, outputs, seed=seed + 2), torch.ones(tokens))
        grams.append(gram)
    errors = {each: grams[1].error_change(ridge(grams[0], each)) for each in LAMBDAS}
    change, chosen = ridge_update(*grams)
    assert chosen == min(errors, key=errors.__getitem__)
    torch.testing.assert_close(change, ridge(grams[0], chosen))


def test_dead_heads_merge_without_infinities() -> None:
    blocks = torch.zeros(1, 2, 4, 2, 4, dtype=torch.float64)
    encode, decode = principal_value_subspace(blocks, torch.zeros(1, 2, 4, 4, dtype=torch.float64))
    keys = top_key_component(
        torch.zeros(1, 2, 2, 2, dtype=torch.complex128), torch.zeros(1, 2, 2, dtype=torch.float64)
    )
    assert all(
        torch.isfinite(torch.view_as_real(t) if t.is_complex() else t).all() for t in (encode, decode, *keys)
    )
