"""Retail: an online shop's orders, cancelled, changed, returned and exchanged."""

from __future__ import annotations

from typing import Any

from agentbench.errors import ToolError
from agentbench.tools.tau2.arithmetic import CALCULATE
from agentbench.tools.tau2.desk import TRANSFER
from agentbench.tools.tau2.records import Record
from agentbench.tools.tau2.retail_records import (
    DELIVERED,
    MODIFIED,
    PENDING,
    address,
    charge,
    order_with,
    owned_items,
    payment_method,
    refuse_same,
    refuse_unaffordable,
    swap,
    transaction,
)
from agentbench.tools.tau2.world import Domain, World, existing, offered, text, texts

CANCEL_REASONS = ("no longer needed", "ordered by mistake")


def find_user_id_by_email(world: World, email: str) -> str:
    """The user with this address, whatever its case."""
    for user_id, user in world.company.each("users"):
        if user["email"].lower() == email.lower():
            return user_id
    raise ToolError(f"no user has the email {email!r}")


def find_user_id_by_name_zip(world: World, first_name: str, last_name: str, zip: str) -> str:
    """The user with this name, whatever its case, and this zip code."""
    wanted = (first_name.lower(), last_name.lower(), zip)
    for user_id, user in world.company.each("users"):
        name = user["name"]
        if (name["first_name"].lower(), name["last_name"].lower(), user["address"]["zip"]) == wanted:
            return user_id
    raise ToolError(f"no user is called {first_name} {last_name} and lives in {zip}")


def get_user_details(world: World, user_id: str) -> Record:
    """A user's profile."""
    return existing(world.company, "users", user_id)


def get_order_details(world: World, order_id: str) -> Record:
    """An order as it stands."""
    return existing(world.company, "orders", order_id)


def get_product_details(world: World, product_id: str) -> Record:
    """A product with all its variants."""
    return existing(world.company, "products", product_id)


def get_item_details(world: World, item_id: str) -> Record:
    """One variant, whichever product it belongs to."""
    for _, product in world.company.each("products"):
        if item_id in product["variants"]:
            return product["variants"][item_id]
    raise ToolError(f"there is no item {item_id!r}")


def list_all_product_types(world: World) -> dict[str, str]:
    """Product ids by name, in alphabetical order."""
    return dict(sorted((product["name"], product_id) for product_id, product in world.company.each("products")))


def cancel_pending_order(world: World, order_id: str, reason: str) -> Record:
    """The order, cancelled; what was paid goes back, to gift cards at once."""
    order_with(world, order_id, (PENDING,))
    if reason not in CANCEL_REASONS:
        raise ToolError(f"the reason has to be one of {list(CANCEL_REASONS)}, not {reason!r}")
    order = world.company.edit("orders", order_id)
    paid = [(entry["amount"], entry["payment_method_id"]) for entry in order["payment_history"]]
    for amount, method_id in paid:
        charge(world, order["user_id"], method_id, -amount)
        order["payment_history"].append(transaction("refund", amount, method_id))
    order.update(status="cancelled", cancel_reason=reason)
    return order


def modify_pending_order_address(
    world: World, order_id: str, address1: str, address2: str, city: str, state: str, country: str, zip: str
) -> Record:
    """The order with another shipping address."""
    order_with(world, order_id, (PENDING, MODIFIED))
    order = world.company.edit("orders", order_id)
    order["address"] = address(address1, address2, city, state, country, zip)
    return order


def modify_pending_order_payment(world: World, order_id: str, payment_method_id: str) -> Record:
    """The order paid by another method; what was paid goes back to the first one."""
    order = order_with(world, order_id, (PENDING, MODIFIED))
    method = payment_method(world, order["user_id"], payment_method_id)
    match order["payment_history"]:
        case [{"transaction_type": "payment", "amount": amount, "payment_method_id": str(first)}]:
            pass
        case _:
            raise ToolError(f"order {order_id} was not paid by exactly one payment")
    if first == payment_method_id:
        raise ToolError(f"order {order_id} is paid by {payment_method_id!r} already")
    refuse_unaffordable(method, amount)
    order = world.company.edit("orders", order_id)
    order["payment_history"] += [
        transaction("payment", amount, payment_method_id),
        transaction("refund", amount, first),
    ]
    charge(world, order["user_id"], payment_method_id, amount)
    charge(world, order["user_id"], first, -amount)
    return order


def modify_pending_order_items(
    world: World, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
) -> Record:
    """The order with other variants of its items; the difference in price is paid or refunded at once.

    In parity all replaced items get price and options of the last one, as the published tool has it: there an agent
    that names the items in another order than the reference has changed the order in another way.
    """
    order = order_with(world, order_id, (PENDING,))
    change = swap(world, order, item_ids, new_item_ids)
    refuse_same(item_ids, new_item_ids)
    refuse_unaffordable(payment_method(world, order["user_id"], payment_method_id), change.difference)
    kind = "payment" if change.difference > 0 else "refund"
    order = world.company.edit("orders", order_id)
    order["payment_history"].append(transaction(kind, abs(change.difference), payment_method_id))
    charge(world, order["user_id"], payment_method_id, change.difference)
    for old_id, new in zip(item_ids, change.new, strict=True):
        shown = change.new[-1] if world.parity else new
        item = next(each for each in order["items"] if each["item_id"] == old_id)
        item.update(item_id=new["item_id"], price=shown["price"], options=dict(shown["options"]))
    order["status"] = MODIFIED
    return order


def exchange_delivered_order_items(
    world: World, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
) -> Record:
    """The order with an exchange asked for; money changes hands when the items do."""
    order = order_with(world, order_id, (DELIVERED,))
    change = swap(world, order, item_ids, new_item_ids)
    refuse_unaffordable(payment_method(world, order["user_id"], payment_method_id), change.difference)
    order = world.company.edit("orders", order_id)
    order.update(
        status="exchange requested",
        exchange_items=sorted(item_ids),
        exchange_new_items=sorted(new_item_ids),
        exchange_payment_method_id=payment_method_id,
        exchange_price_difference=change.difference,
    )
    return order


def return_delivered_order_items(world: World, order_id: str, item_ids: list[str], payment_method_id: str) -> Record:
    """The order with a return asked for, refunded to how it was paid or to a gift card."""
    order = order_with(world, order_id, (DELIVERED,))
    method = payment_method(world, order["user_id"], payment_method_id)
    if method["source"] != "gift_card" and payment_method_id != order["payment_history"][0]["payment_method_id"]:
        raise ToolError("the refund has to go to the original payment method or to a gift card")
    owned_items(order, item_ids)
    order = world.company.edit("orders", order_id)
    order.update(status="return requested", return_items=sorted(item_ids), return_payment_method_id=payment_method_id)
    return order


def modify_user_address(
    world: World, user_id: str, address1: str, address2: str, city: str, state: str, country: str, zip: str
) -> Record:
    """The user's profile with another default address."""
    existing(world.company, "users", user_id)
    user = world.company.edit("users", user_id)
    user["address"] = address(address1, address2, city, state, country, zip)
    return user


_ORDER = text("Id of the order, '#' included, such as '#W0000000'.")
_USER = text("Id of the user, such as 'first_last_0000'.")
_PRODUCT = text("Id of the product; items have ids of their own.")
_ITEMS = texts("Ids of items of the order; one that stands in it twice may be named twice.")
_NEW_ITEMS = texts("Ids of the variants that replace them, in the same order, each of the same product.")
_METHOD = text("Id of one of the user's payment methods, such as 'gift_card_0000000'.")
_ADDRESS: dict[str, dict[str, Any]] = {
    "address1": text("First line, such as '123 Main Street'."),
    "address2": text("Second line, such as 'Suite 100'; may be empty."),
    "city": text("City."),
    "state": text("State, such as 'CA'."),
    "country": text("Country, such as 'USA'."),
    "zip": text("Zip code."),
}

RETAIL = Domain(
    tools=(
        CALCULATE,
        offered(
            cancel_pending_order,
            "Cancel a pending order. Money goes back to gift cards at once, elsewhere in 5 to 7 business days. "
            "Only after the user has confirmed it explicitly.",
            {"order_id": _ORDER, "reason": text("Why.", CANCEL_REASONS)},
        ),
        offered(
            exchange_delivered_order_items,
            "Ask for items of a delivered order to be exchanged for other variants of the same products. Once per "
            "order, and only after the user has confirmed all of it explicitly.",
            {"order_id": _ORDER, "item_ids": _ITEMS, "new_item_ids": _NEW_ITEMS, "payment_method_id": _METHOD},
        ),
        offered(
            find_user_id_by_email,
            "Find a user by email.",
            {"email": text("Email address, such as 'someone@example.com'.")},
        ),
        offered(
            find_user_id_by_name_zip,
            "Find a user by name and zip code, where the email is not known or not found.",
            {
                "first_name": text("First name."),
                "last_name": text("Last name."),
                "zip": text("Zip code."),
            },
        ),
        offered(get_item_details, "Look up one variant of a product.", {"item_id": text("Id of the item.")}),
        offered(get_order_details, "Look up an order: items, status, payments, shipping.", {"order_id": _ORDER}),
        offered(
            get_product_details,
            "Look up a product with all its variants: options, prices, availability.",
            {"product_id": _PRODUCT},
        ),
        offered(get_user_details, "Look up a user: address, payment methods, orders.", {"user_id": _USER}),
        offered(list_all_product_types, "Names of all products with their ids."),
        offered(
            modify_pending_order_address,
            "Change where a pending order is sent. Only after the user has confirmed it explicitly.",
            {"order_id": _ORDER, **_ADDRESS},
        ),
        offered(
            modify_pending_order_items,
            "Replace items of a pending order by other variants of the same products. Once per order, which can be "
            "neither changed so nor cancelled afterwards; only after the user has confirmed all of it explicitly.",
            {"order_id": _ORDER, "item_ids": _ITEMS, "new_item_ids": _NEW_ITEMS, "payment_method_id": _METHOD},
        ),
        offered(
            modify_pending_order_payment,
            "Have a pending order paid by another method. Only after the user has confirmed it explicitly.",
            {"order_id": _ORDER, "payment_method_id": _METHOD},
        ),
        offered(
            modify_user_address,
            "Change a user's default address. Only after the user has confirmed it explicitly.",
            {"user_id": _USER, **_ADDRESS},
        ),
        offered(
            return_delivered_order_items,
            "Ask for items of a delivered order to be returned, refunded to the original payment method or a gift "
            "card. Only after the user has confirmed it explicitly.",
            {"order_id": _ORDER, "item_ids": _ITEMS, "payment_method_id": _METHOD},
        ),
        TRANSFER,
    )
)
