"""What a shop's records allow: orders, their items, payments and gift cards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from agentbench.errors import ToolError
from agentbench.tools.tau2.records import Record
from agentbench.tools.tau2.world import World, existing

PENDING = "pending"
MODIFIED = "pending (item modified)"
DELIVERED = "delivered"


class Swap(NamedTuple):
    """Items of an order with what is to come in their place."""

    old: tuple[Record, ...]
    new: tuple[Record, ...]
    """Variants, in the order of the items they replace."""

    @property
    def difference(self) -> float:
        """What the user has to pay for it, in dollars; negative: gets back."""
        return round(sum(new["price"] - old["price"] for old, new in zip(self.old, self.new, strict=True)), 2)


def order_with(world: World, order_id: str, statuses: Sequence[str]) -> Record:
    """An order for reading that has one of these statuses.

    Raises:
        ToolError: there is no such order, or it has another status.
    """
    order = existing(world.company, "orders", order_id)
    if order["status"] not in statuses:
        raise ToolError(f"order {order_id} is {order['status']!r}, not {' or '.join(map(repr, statuses))}")
    return order


def payment_method(world: World, user_id: str, method_id: str) -> Record:
    """One of the user's payment methods, for reading.

    Raises:
        ToolError: the user has no such method.
    """
    methods = existing(world.company, "users", user_id)["payment_methods"]
    if method_id not in methods:
        raise ToolError(f"user {user_id} has no payment method {method_id!r}")
    return methods[method_id]


def owned_items(order: Record, item_ids: Sequence[str]) -> tuple[Record, ...]:
    """The order's items with these ids, each as often as it is named.

    Raises:
        ToolError: the order does not have them all.
    """
    has = Counter(item["item_id"] for item in order["items"])
    for item_id, count in Counter(item_ids).items():
        if count > has[item_id]:
            raise ToolError(f"order {order['order_id']} has item {item_id!r} {has[item_id]} times, not {count}")
    return tuple(next(item for item in order["items"] if item["item_id"] == each) for each in item_ids)


def swap(world: World, order: Record, item_ids: Sequence[str], new_item_ids: Sequence[str]) -> Swap:
    """Items of an order and the variants of the same products that are to replace them.

    Raises:
        ToolError: an item is not in the order, a variant is not of its product or not available, or they do not pair.
    """
    old = owned_items(order, item_ids)
    if len(item_ids) != len(new_item_ids):
        raise ToolError(f"{len(item_ids)} items cannot be replaced by {len(new_item_ids)}")
    new = tuple(_variant(world, item, each) for item, each in zip(old, new_item_ids, strict=True))
    return Swap(old, new)


def _variant(world: World, item: Record, new_item_id: str) -> Record:
    variants = existing(world.company, "products", item["product_id"])["variants"]
    variant = variants.get(new_item_id)
    if variant is None:
        raise ToolError(f"{new_item_id!r} is no variant of product {item['product_id']}, which {item['item_id']} is")
    if not variant["available"]:
        raise ToolError(f"item {new_item_id!r} is not available")
    return variant


def refuse_same(item_ids: Sequence[str], new_item_ids: Sequence[str]) -> None:
    """Lets replacements pass that change something.

    Raises:
        ToolError: an item would be replaced by itself.
    """
    for old, new in zip(item_ids, new_item_ids, strict=True):
        if old == new:
            raise ToolError(f"item {old!r} would be replaced by itself")


def refuse_unaffordable(method: Record, amount: float) -> None:
    """Lets an amount pass that the method can pay: only gift cards are limited.

    Raises:
        ToolError: a gift card holds less.
    """
    if method["source"] == "gift_card" and method["balance"] < amount:
        raise ToolError(f"gift card {method['id']} holds {method['balance']}, less than {amount}")


def charge(world: World, user_id: str, method_id: str, amount: float) -> None:
    """Takes an amount off a gift card, or puts a negative one back; other methods settle outside the records."""
    if payment_method(world, user_id, method_id)["source"] != "gift_card":
        return
    card = world.company.edit("users", user_id)["payment_methods"][method_id]
    card["balance"] = round(card["balance"] - amount, 2)


def transaction(kind: str, amount: float, method_id: str) -> dict[str, Any]:
    """An entry of an order's payment history; `kind` is `payment` or `refund`."""
    return {"transaction_type": kind, "amount": amount, "payment_method_id": method_id}


def address(address1: str, address2: str, city: str, state: str, country: str, zip_code: str) -> dict[str, str]:
    """An address as orders and users have it."""
    lines = {"address1": address1, "address2": address2}
    return {**lines, "city": city, "country": country, "state": state, "zip": zip_code}
