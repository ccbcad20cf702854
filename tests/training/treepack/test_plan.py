"""A padded batch as layouts: unique sites, scores back in their places, budgets, batches that cannot be packed."""

from __future__ import annotations

import pytest
import torch

from agentbench.training.treepack.plan import IGNORED, Layout, Packed, pack

IDS = torch.tensor([[1, 2, 3, 4, 0], [1, 2, 5, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]])
LABELS = torch.tensor([[-100, -100, 3, 4, -100], [-100, -100, 5, -100, -100]])


def packed(layout: Layout = Layout(), labels: torch.Tensor = LABELS) -> Packed:  # noqa: B008
    return pack(IDS, MASK, labels, layout)


def test_a_fork_is_one_token_and_one_site_per_next_token() -> None:
    (plan,) = packed().plans
    assert plan.ids_N.tolist() == [1, 2, 3]  # 4 and 5 are predicted, and nothing is predicted from them
    assert list(zip(plan.site_S.tolist(), plan.target_S.tolist(), strict=True)) == [(1, 3), (1, 5), (2, 4)]


def test_scores_go_back_to_the_places_before_their_tokens() -> None:
    spread = packed().spread(torch.tensor([0.3, 0.5, 0.4]))
    assert spread.tolist() == [[0.0, pytest.approx(0.3), pytest.approx(0.4), 0.0], [0.0, 0.5, 0.0, 0.0]]


def test_a_place_that_rows_share_is_scored_once_and_its_gradients_add_up() -> None:
    labels = torch.tensor([[-100, 2, -100, -100, -100], [-100, 2, -100, -100, -100]])
    batch = packed(labels=labels)
    score_S = torch.tensor([0.5], requires_grad=True)
    batch.spread(score_S).sum().backward()
    assert score_S.grad is not None
    assert score_S.grad.tolist() == [2.0]


def test_counts_are_of_tokens_without_padding() -> None:
    assert (packed().raw_tokens, packed().tokens) == (7, 3)
    assert packed(Layout(whole_rows=True)).tokens == 5  # 1 2 3 4 and 5


def test_every_token_knows_in_how_many_rows_it_stands() -> None:
    (plan,) = packed(Layout(whole_rows=True)).plans
    assert dict(zip(plan.ids_N.tolist(), plan.rows_N.tolist(), strict=True)) == {1: 2, 2: 2, 3: 1, 4: 1, 5: 1}


def test_a_budget_makes_several_layouts_and_the_same_scores() -> None:
    several = packed(Layout(max_packed_tokens=3, whole_rows=True))
    assert [plan.ids_N.tolist() for plan in several.plans] == [[1, 2, 3, 4], [1, 2, 5]]
    assert several.spread(torch.tensor([0.3, 0.4, 0.5])).flatten().tolist() == pytest.approx(
        [0, 0.3, 0.4, 0, 0, 0.5, 0, 0]
    )


def test_padding_on_the_left_is_left_out() -> None:
    labels = torch.tensor([[-100, -100, 3, 2, 1], [-100, -100, -100, 2, 1]])
    batch = pack(IDS.flip(1), MASK.flip(1), labels, Layout())
    assert batch.plans[0].ids_N.tolist() == [4, 3, 2, 5, 2]  # rows 4 3 2 1 and 5 2 1 without their last token
    assert batch.spread(torch.ones(len(batch.plans[0].site_S))).tolist() == [[0, 1, 1, 1], [0, 0, 1, 1]]


@pytest.mark.parametrize(
    ("mask", "labels", "reason"),
    [
        ([[1, 0, 1, 1, 0]] * 2, LABELS, "gap"),
        ([[0, 1, 1, 1, 0]] * 2, IDS, "predecessor is masked"),
        (MASK.tolist(), torch.full_like(LABELS, IGNORED), "no token of the batch is scored"),
    ],
)
def test_batches_that_cannot_be_packed_say_why(mask: list[list[int]], labels: torch.Tensor, reason: str) -> None:
    with pytest.raises(NotImplementedError, match=reason):
        pack(IDS, torch.tensor(mask), labels, Layout())
