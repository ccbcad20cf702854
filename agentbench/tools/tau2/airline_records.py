"""What an airline's records allow: flights on dates, fares, and what users pay with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentbench.errors import ToolError
from agentbench.tools.tau2.records import Record
from agentbench.tools.tau2.world import World, existing

AVAILABLE = "available"
CABINS = ("basic_economy", "economy", "business")
BAG_FEE = 50
"""Dollars for each checked bag that is not free."""
INSURANCE_FEE = 30
"""Dollars per passenger."""


def flight_on(world: World, flight_number: str, date: str) -> Record:
    """What a flight's day holds, for reading: status, and seats and fares where it can be booked.

    Raises:
        ToolError: there is no such flight, or not on that date.
    """
    flight = existing(world.company, "flights", flight_number)
    if date not in flight["dates"]:
        raise ToolError(f"flight {flight_number} does not fly on {date!r}")
    return flight["dates"][date]


def bookable(world: World, flight: Mapping[str, str], cabin: str, seats: int) -> int:
    """The fare of one seat in dollars.

    Raises:
        ToolError: the flight cannot be booked on its date, or has too few seats in the cabin.
    """
    number, date = flight["flight_number"], flight["date"]
    day = flight_on(world, number, date)
    if day["status"] != AVAILABLE:
        raise ToolError(f"flight {number} on {date} is {day['status']!r} and cannot be booked")
    if day["available_seats"][cabin] < seats:
        raise ToolError(f"flight {number} on {date} has {day['available_seats'][cabin]} seats in {cabin}, not {seats}")
    return day["prices"][cabin]


def leg(world: World, flight: Mapping[str, str], price: int) -> Record:
    """A flight as reservations have it."""
    route = existing(world.company, "flights", flight["flight_number"])
    return {
        "origin": route["origin"],
        "destination": route["destination"],
        "flight_number": flight["flight_number"],
        "date": flight["date"],
        "price": price,
    }


def method_of(world: World, user_id: str, payment_id: str) -> Record:
    """One of the user's payment methods, for reading.

    Raises:
        ToolError: the user has no such method.
    """
    methods = existing(world.company, "users", user_id)["payment_methods"]
    if payment_id not in methods:
        raise ToolError(f"user {user_id} has no payment method {payment_id!r}")
    return methods[payment_id]


def refuse_unpaid(world: World, user_id: str, payments: Sequence[Mapping[str, Any]], total: int) -> None:
    """Lets payments pass that the user's methods can make and that come to the total.

    Raises:
        ToolError: a method is not the user's or holds too little, or the sum is another one.
    """
    for payment in payments:
        method = method_of(world, user_id, payment["payment_id"])
        if method["source"] != "credit_card" and method["amount"] < payment["amount"]:
            raise ToolError(f"{payment['payment_id']} holds {method['amount']}, less than {payment['amount']}")
    paid = sum(payment["amount"] for payment in payments)
    if paid != total:
        raise ToolError(f"the payments come to {paid}, the total is {total}")


def pay(world: World, user_id: str, payment_id: str, amount: int) -> None:
    """Takes an amount off a gift card and uses a certificate up; credit cards settle outside the records."""
    methods = world.company.edit("users", user_id)["payment_methods"]
    match methods[payment_id]["source"]:
        case "gift_card":
            methods[payment_id]["amount"] -= amount
        case "certificate":
            del methods[payment_id]
        case _:
            pass


def settle_change(world: World, reservation: Record, payment_id: str, amount: int) -> None:
    """Pays for a change of a reservation, or refunds a negative amount, and notes it; nothing where it is 0.

    Raises:
        ToolError: the method is not the user's, is a certificate, or holds too little.
    """
    user_id = reservation["user_id"]
    method = method_of(world, user_id, payment_id)
    if method["source"] == "certificate":
        raise ToolError("a change cannot be paid with a certificate")
    if method["source"] == "gift_card" and method["amount"] < amount:
        raise ToolError(f"gift card {payment_id} holds {method['amount']}, less than {amount}")
    if amount:
        pay(world, user_id, payment_id, amount)
        history = world.company.edit("reservations", reservation["reservation_id"])["payment_history"]
        history.append({"payment_id": payment_id, "amount": amount})
