"""What becomes of an airline's records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentbench.errors import ToolError
from agentbench.tools.tau2 import airline
from agentbench.tools.tau2.world import World

from .town import BOB

DAY = "2024-05-20"
BOOKING: dict[str, Any] = {
    "user_id": "ben",
    "origin": "AAA",
    "destination": "BBB",
    "flight_type": "one_way",
    "cabin": "economy",
    "flights": [{"flight_number": "F1", "date": DAY}],
    "passengers": [BOB, BOB],
    "payment_methods": [{"payment_id": "voucher", "amount": 50}, {"payment_id": "gift", "amount": 110}],
    "total_baggages": 1,
    "nonfree_baggages": 0,
    "insurance": "no",
}


@pytest.fixture
def agency(world: Callable[[str], World]) -> World:
    return world("airline")


def methods(agency: World) -> dict[str, Any]:
    return airline.get_user_details(agency, "ben")["payment_methods"]


def test_a_booking_takes_seats_uses_certificates_up_and_charges_gift_cards(agency: World) -> None:
    payments = [{"payment_id": "voucher", "amount": 50}, {"payment_id": "visa", "amount": 150}]
    made = airline.book_reservation(agency, **{**BOOKING, "payment_methods": payments})  # 2 x 100
    assert (made["reservation_id"], made["flights"][0]["price"]) == ("HATHAT", 100)
    assert "voucher" not in methods(agency)
    (day,) = (found for found in airline.search_direct_flight(agency, "AAA", "BBB", DAY))
    assert day["available_seats"]["economy"] == 1  # 3 - 2


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, "come to 160, the total is 200"),
        ({"payment_methods": [{"payment_id": "gift", "amount": 200}]}, "gift holds 120, less than 200"),
        ({"passengers": [BOB] * 4}, "3 seats in economy, not 4"),
        ({"flights": [{"flight_number": "F1", "date": "2024-05-10"}]}, "'landed' and cannot be booked"),
        ({"flights": [{"flight_number": "F1", "date": "2024-06-01"}]}, "does not fly on '2024-06-01'"),
        ({"nonfree_baggages": 1, "insurance": "yes"}, "the total is 310"),  # 2 x 100 + 50 + 2 x 30
    ],
)
def test_a_booking_that_is_refused_changes_nothing(agency: World, change: dict, problem: str) -> None:
    with pytest.raises(ToolError, match=problem):
        airline.book_reservation(agency, **{**BOOKING, **change})
    assert agency.company.changes() == {}


def test_a_kept_flight_keeps_its_price_in_the_same_cabin_only(agency: World) -> None:
    flights = [{"flight_number": "F1", "date": DAY}]
    kept = airline.update_reservation_flights(agency, "RES001", "economy", flights, "gift")
    assert (kept["flights"][0]["price"], methods(agency)["gift"]["amount"]) == (90, 120)
    airline.update_reservation_flights(agency, "RES001", "basic_economy", flights, "gift")
    assert methods(agency)["gift"]["amount"] == 170  # 120 + 90 - 40


def test_bags_cost_what_is_added_to_those_that_are_not_free(agency: World) -> None:
    airline.update_reservation_baggages(agency, "RES001", 3, 2, "gift")
    assert methods(agency)["gift"]["amount"] == 20  # 120 - 2 x 50
    with pytest.raises(ToolError, match="cannot be paid with a certificate"):
        airline.update_reservation_baggages(agency, "RES001", 4, 3, "voucher")


def test_a_cancelled_reservation_is_refunded_line_by_line(agency: World) -> None:
    cancelled = airline.cancel_reservation(agency, "RES001")
    assert [entry["amount"] for entry in cancelled["payment_history"]] == [90, -90]


def test_passengers_change_but_not_their_number(agency: World) -> None:
    airline.update_reservation_passengers(agency, "RES001", [{**BOB, "first_name": "Bea"}])
    with pytest.raises(ToolError, match="for 1 passengers, not 2"):
        airline.update_reservation_passengers(agency, "RES001", [BOB, BOB])


def test_one_stop_searches_wait_for_the_first_flight_and_go_on_the_next_day(agency: World) -> None:
    (pair,) = airline.search_onestop_flight(agency, "AAA", "CCC", DAY)
    assert [each["flight_number"] for each in pair] == ["F1", "F2"]  # F3 leaves before F1 arrives
    (pair,) = airline.search_onestop_flight(agency, "BBB", "DDD", DAY)
    assert [each["date"] for each in pair] == [DAY, "2024-05-21"]


def test_certificates_are_numbered_and_run_out(agency: World) -> None:
    for _ in range(3):
        airline.send_certificate(agency, "ben", 100)
    assert methods(agency)["certificate_3221324"]["amount"] == 100
    with pytest.raises(ToolError, match="no more certificates"):
        airline.send_certificate(agency, "ben", 100)
