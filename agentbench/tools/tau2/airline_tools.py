"""The airline agent's tools, as they are described."""

from __future__ import annotations

from typing import Any

from agentbench.tools.tau2.airline import (
    book_reservation,
    cancel_reservation,
    get_flight_status,
    get_reservation_details,
    get_user_details,
    list_all_airports,
    search_direct_flight,
    search_onestop_flight,
    send_certificate,
    update_reservation_baggages,
    update_reservation_flights,
    update_reservation_passengers,
)
from agentbench.tools.tau2.airline_records import CABINS
from agentbench.tools.tau2.arithmetic import CALCULATE
from agentbench.tools.tau2.desk import TRANSFER
from agentbench.tools.tau2.world import Domain, offered, text


def _objects(description: str, **properties: dict[str, Any]) -> dict[str, Any]:
    item = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"type": "array", "items": item, "description": description}


def _number(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": description}


_RESERVATION = text("Id of the reservation, six characters, such as 'ABC123'.")
_USER = text("Id of the user, such as 'first_last_0000'.")
_ORIGIN = text("Code of the airport it leaves from, such as 'JFK'.")
_DESTINATION = text("Code of the airport it goes to, such as 'LAX'.")
_DATE = text("Date, such as '2024-05-01'.")
_FLIGHT = text("Flight number, such as 'HAT001'.")
_CABIN = text("Cabin, the same on all flights.", CABINS)
_FLIGHTS = _objects("All flights of the reservation, those that are kept included.", flight_number=_FLIGHT, date=_DATE)
_PASSENGERS = _objects(
    "All passengers.",
    first_name=text("First name."),
    last_name=text("Last name."),
    dob=text("Date of birth, such as '1990-01-31'."),
)
_PAYMENT = text("Id of one of the user's payment methods: a gift card or credit card.")
_TOTAL_BAGS = _number("All checked bags of the reservation.")
_PAID_BAGS = _number("Those of them that are not free.")

AIRLINE = Domain(
    tools=(
        offered(
            book_reservation,
            "Book flights. Only after the user has confirmed all of it explicitly.",
            {
                "user_id": _USER,
                "origin": _ORIGIN,
                "destination": _DESTINATION,
                "flight_type": text("Kind of trip.", ("one_way", "round_trip")),
                "cabin": _CABIN,
                "flights": _FLIGHTS,
                "passengers": _PASSENGERS,
                "payment_methods": _objects(
                    "How the whole price is paid.",
                    payment_id=text("Id of one of the user's payment methods."),
                    amount={"type": "integer", "description": "Dollars paid with it."},
                ),
                "total_baggages": _TOTAL_BAGS,
                "nonfree_baggages": _PAID_BAGS,
                "insurance": text("Whether travel insurance is taken.", ("yes", "no")),
            },
        ),
        CALCULATE,
        offered(
            cancel_reservation,
            "Cancel a whole reservation and refund it. Whether it may be cancelled is not checked.",
            {"reservation_id": _RESERVATION},
        ),
        offered(get_flight_status, "Status of a flight on a date.", {"flight_number": _FLIGHT, "date": _DATE}),
        offered(get_reservation_details, "Look up a reservation.", {"reservation_id": _RESERVATION}),
        offered(get_user_details, "Look up a user: profile, payment methods, reservations.", {"user_id": _USER}),
        offered(list_all_airports, "Codes of all airports."),
        offered(
            search_direct_flight,
            "Flights between two airports that can be booked on a date, with seats and fares.",
            {"origin": _ORIGIN, "destination": _DESTINATION, "date": _DATE},
        ),
        offered(
            search_onestop_flight,
            "Pairs of flights with one stop that can be booked, the first on this date, with seats and fares.",
            {"origin": _ORIGIN, "destination": _DESTINATION, "date": _DATE},
        ),
        offered(
            send_certificate,
            "Give a user a certificate. Whether one is due is not checked.",
            {"user_id": _USER, "amount": _number("Its worth in dollars.")},
        ),
        TRANSFER,
        offered(
            update_reservation_baggages,
            "Set the checked bags of a reservation; further ones that are not free are paid for.",
            {
                "reservation_id": _RESERVATION,
                "total_baggages": _TOTAL_BAGS,
                "nonfree_baggages": _PAID_BAGS,
                "payment_id": _PAYMENT,
            },
        ),
        offered(
            update_reservation_flights,
            "Set the flights and the cabin of a reservation; the difference in price is paid or refunded. Whether the "
            "change is allowed is not checked.",
            {"reservation_id": _RESERVATION, "cabin": _CABIN, "flights": _FLIGHTS, "payment_id": _PAYMENT},
        ),
        offered(
            update_reservation_passengers,
            "Set who flies on a reservation; their number stays.",
            {"reservation_id": _RESERVATION, "passengers": _PASSENGERS},
        ),
    )
)
