"""What becomes of a shop's records."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentbench.errors import ToolError
from agentbench.tools.tau2 import retail
from agentbench.tools.tau2.world import World

from .town import HOME, MODIFIED


@pytest.fixture
def shop(world: Callable[[str], World]) -> World:
    return world("retail")


def balance(shop: World) -> float:
    return retail.get_user_details(shop, "ann")["payment_methods"]["gift"]["balance"]


def test_a_user_is_found_by_email_and_by_name_whatever_the_case(shop: World) -> None:
    assert retail.find_user_id_by_email(shop, "ANN@example.COM") == "ann"
    assert retail.find_user_id_by_name_zip(shop, "ann", "LEE", "G1") == "ann"
    with pytest.raises(ToolError, match="lives in G2"):
        retail.find_user_id_by_name_zip(shop, "Ann", "Lee", "G2")


def test_a_cancelled_order_pays_its_gift_card_back_at_once(shop: World) -> None:
    order = retail.cancel_pending_order(shop, "#1", "ordered by mistake")
    assert order["status"] == "cancelled" and order["cancel_reason"] == "ordered by mistake"
    assert [entry["transaction_type"] for entry in order["payment_history"]] == ["payment", "refund"]
    assert balance(shop) == 21.0  # 6 + 15


def test_modified_items_cost_the_difference_and_close_the_order_for_cancelling(shop: World) -> None:
    order = retail.modify_pending_order_items(shop, **{**MODIFIED, "payment_method_id": "card"})
    assert [(item["item_id"], item["price"]) for item in order["items"]] == [("lamp-blue", 15.5), ("mug-large", 7.0)]
    assert order["payment_history"][-1]["amount"] == 7.5  # 15.5 - 10 + 7 - 5
    with pytest.raises(ToolError, match=r"'pending \(item modified\)', not 'pending'"):
        retail.cancel_pending_order(shop, "#1", "no longer needed")


def test_in_parity_all_modified_items_get_the_last_one_s_price_and_options(shop: World) -> None:
    order = retail.modify_pending_order_items(shop._replace(parity=True), **MODIFIED)
    assert [(item["item_id"], item["price"]) for item in order["items"]] == [("lamp-blue", 15.5), ("mug-large", 15.5)]
    assert order["payment_history"][-1]["amount"] == 7.5


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"new_item_ids": ["mug-large", "lamp-gold"]}, "'lamp-gold' is not available"),
        ({"new_item_ids": ["lamp-blue", "lamp-blue"]}, "'lamp-blue' is no variant of product mug"),
        ({"new_item_ids": ["mug-small", "lamp-blue"]}, "'mug-small' would be replaced by itself"),
        ({"new_item_ids": ["mug-large"]}, "2 items cannot be replaced by 1"),
        ({"item_ids": ["mug-small", "mug-small"], "new_item_ids": ["mug-large"] * 2}, "'mug-small' 1 times, not 2"),
        ({"payment_method_id": "gift"}, "holds 6.0, less than 7.5"),
        ({"payment_method_id": "cheque"}, "no payment method 'cheque'"),
    ],
)
def test_a_modification_that_is_refused_changes_nothing(shop: World, change: dict, problem: str) -> None:
    with pytest.raises(ToolError, match=problem):
        retail.modify_pending_order_items(shop, **{**MODIFIED, **change})
    assert shop.company.changes() == {}


def test_another_payment_takes_and_gives_back_the_whole_amount(shop: World) -> None:
    order = retail.modify_pending_order_payment(shop, "#1", "card")
    amounts = [(entry["transaction_type"], entry["payment_method_id"]) for entry in order["payment_history"]]
    assert amounts == [("payment", "gift"), ("payment", "card"), ("refund", "gift")]
    assert balance(shop) == 21.0  # 6 + 15
    with pytest.raises(ToolError, match="exactly one payment"):
        retail.modify_pending_order_payment(shop, "#1", "gift")


def test_returns_go_to_the_original_method_or_a_gift_card(shop: World) -> None:
    order = retail.return_delivered_order_items(shop, "#2", ["mug-small"], "gift")
    assert (order["status"], order["return_items"]) == ("return requested", ["mug-small"])
    with pytest.raises(ToolError, match="'pending', not 'delivered'"):
        retail.return_delivered_order_items(shop, "#1", ["mug-small"], "gift")


def test_an_exchange_notes_what_is_to_be_paid_later(shop: World) -> None:
    order = retail.exchange_delivered_order_items(shop, "#2", ["lamp-red"], ["lamp-blue"], "gift")
    assert (order["exchange_price_difference"], balance(shop)) == (5.5, 6.0)


def test_addresses_change_on_orders_and_users(shop: World) -> None:
    moved = {**HOME, "address1": "2 Mill Lane"}
    retail.modify_pending_order_address(shop, "#1", **moved)
    retail.modify_user_address(shop, "ann", **HOME)
    assert shop.company.changes().keys() == {"orders"}  # the user's address is what it was
