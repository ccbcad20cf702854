"""Airline: flights searched, reservations made, changed and cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentbench.errors import ToolError
from agentbench.tools.tau2.airline_records import (
    AVAILABLE,
    BAG_FEE,
    INSURANCE_FEE,
    bookable,
    flight_on,
    leg,
    pay,
    refuse_unpaid,
    settle_change,
)
from agentbench.tools.tau2.records import Record
from agentbench.tools.tau2.world import World, existing

NOW = "2024-05-15T15:00:00"
"""When all conversations take place, by the policy."""
RESERVATION_IDS = ("HATHAT", "HATHAU", "HATHAV")
"""Ids of the reservations that are made in an episode, in order; the benchmark gives these out."""
CERTIFICATE_IDS = ("3221322", "3221323", "3221324")
"""The same for certificates."""


def get_user_details(world: World, user_id: str) -> Record:
    """A user's profile."""
    return existing(world.company, "users", user_id)


def get_reservation_details(world: World, reservation_id: str) -> Record:
    """A reservation as it stands."""
    return existing(world.company, "reservations", reservation_id)


def get_flight_status(world: World, flight_number: str, date: str) -> str:
    """A flight's status on a date."""
    return flight_on(world, flight_number, date)["status"]


def list_all_airports(world: World) -> list[str]:
    """Codes of all airports that are flown to, in alphabetical order."""
    flights = [flight for _, flight in world.company.each("flights")]
    return sorted({flight[end] for flight in flights for end in ("origin", "destination")})


def search_direct_flight(world: World, origin: str, destination: str, date: str) -> list[Record]:
    """Flights between two airports that can be booked on a date."""
    return [flight for flight in _bookable_from(world, origin, date) if flight["destination"] == destination]


def search_onestop_flight(world: World, origin: str, destination: str, date: str) -> list[list[Record]]:
    """Pairs of flights by way of a third airport that can be booked; the second may be on the next day."""
    pairs: list[list[Record]] = []
    for first in _bookable_from(world, origin, date):
        if first["destination"] == destination:
            continue
        late = first["scheduled_arrival_time_est"].endswith("+1")
        next_date = _day_after(date) if late else date
        arrival = first["scheduled_arrival_time_est"].removesuffix("+1")
        for second in _bookable_from(world, first["destination"], next_date):
            if second["destination"] == destination and second["scheduled_departure_time_est"] >= arrival:
                pairs.append([{**first, "date": date}, {**second, "date": next_date}])
    return pairs


def book_reservation(
    world: World,
    user_id: str,
    origin: str,
    destination: str,
    flight_type: str,
    cabin: str,
    flights: list[dict[str, str]],
    passengers: list[dict[str, str]],
    payment_methods: list[dict[str, Any]],
    total_baggages: int,
    nonfree_baggages: int,
    insurance: str,
) -> Record:
    """The new reservation, paid for."""
    existing(world.company, "users", user_id)
    fares = [bookable(world, flight, cabin, len(passengers)) for flight in flights]
    extras = BAG_FEE * nonfree_baggages + (INSURANCE_FEE * len(passengers) if insurance == "yes" else 0)
    refuse_unpaid(world, user_id, payment_methods, sum(fares) * len(passengers) + extras)
    reservation_id = _unused(world, RESERVATION_IDS)
    reservation: Record = {
        "reservation_id": reservation_id,
        "user_id": user_id,
        "origin": origin,
        "destination": destination,
        "flight_type": flight_type,
        "cabin": cabin,
        "flights": [leg(world, flight, fare) for flight, fare in zip(flights, fares, strict=True)],
        "passengers": [dict(each) for each in passengers],
        "payment_history": [dict(each) for each in payment_methods],
        "created_at": NOW,
        "total_baggages": total_baggages,
        "nonfree_baggages": nonfree_baggages,
        "insurance": insurance,
    }
    for payment in payment_methods:
        pay(world, user_id, payment["payment_id"], payment["amount"])
    for flight in flights:
        day = world.company.edit("flights", flight["flight_number"])["dates"][flight["date"]]
        day["available_seats"][cabin] -= len(passengers)
    world.company.put("reservations", reservation_id, reservation)
    world.company.edit("users", user_id)["reservations"].append(reservation_id)
    return reservation


def cancel_reservation(world: World, reservation_id: str) -> Record:
    """The reservation, cancelled and refunded to how it was paid; its seats are not given free."""
    existing(world.company, "reservations", reservation_id)
    reservation = world.company.edit("reservations", reservation_id)
    paid = reservation["payment_history"]
    reservation["payment_history"] = [*paid, *({**entry, "amount": -entry["amount"]} for entry in paid)]
    reservation["status"] = "cancelled"
    return reservation


def update_reservation_flights(
    world: World, reservation_id: str, cabin: str, flights: list[dict[str, str]], payment_id: str
) -> Record:
    """The reservation with these flights in this cabin; kept flights keep their price, the difference is settled."""
    reservation = existing(world.company, "reservations", reservation_id)
    seats = len(reservation["passengers"])
    legs = [leg(world, flight, _fare(world, reservation, flight, cabin, seats=seats)) for flight in flights]
    difference = sum(each["price"] for each in legs) - sum(each["price"] for each in reservation["flights"])
    settle_change(world, reservation, payment_id, difference * seats)
    reservation = world.company.edit("reservations", reservation_id)
    reservation.update(flights=legs, cabin=cabin)
    return reservation


def update_reservation_baggages(
    world: World, reservation_id: str, total_baggages: int, nonfree_baggages: int, payment_id: str
) -> Record:
    """The reservation with these bags; further ones that are not free are paid for."""
    reservation = existing(world.company, "reservations", reservation_id)
    further = max(0, nonfree_baggages - reservation["nonfree_baggages"])
    settle_change(world, reservation, payment_id, BAG_FEE * further)
    reservation = world.company.edit("reservations", reservation_id)
    reservation.update(total_baggages=total_baggages, nonfree_baggages=nonfree_baggages)
    return reservation


def update_reservation_passengers(world: World, reservation_id: str, passengers: list[dict[str, str]]) -> Record:
    """The reservation for other people, as many as before."""
    reservation = existing(world.company, "reservations", reservation_id)
    if len(passengers) != len(reservation["passengers"]):
        raise ToolError(f"the reservation is for {len(reservation['passengers'])} passengers, not {len(passengers)}")
    reservation = world.company.edit("reservations", reservation_id)
    reservation["passengers"] = [dict(each) for each in passengers]
    return reservation


def send_certificate(world: World, user_id: str, amount: int) -> str:
    """A certificate in the user's profile."""
    existing(world.company, "users", user_id)
    methods = world.company.edit("users", user_id)["payment_methods"]
    payment_id = next((f"certificate_{each}" for each in CERTIFICATE_IDS if f"certificate_{each}" not in methods), "")
    if not payment_id:
        raise ToolError("no more certificates can be given in this conversation")
    methods[payment_id] = {"source": "certificate", "id": payment_id, "amount": amount}
    return f"Certificate {payment_id} of {amount} dollars was added to the profile of {user_id}."


def _bookable_from(world: World, origin: str, date: str) -> Iterator[Record]:
    """Flights that leave an airport on a date and can be booked, without their other days."""
    for _, flight in world.company.each("flights"):
        day = flight["dates"].get(date)
        if flight["origin"] == origin and day is not None and day["status"] == AVAILABLE:
            yield {**{key: value for key, value in flight.items() if key != "dates"}, **day}


def _day_after(date: str) -> str:
    from datetime import date as calendar
    from datetime import timedelta

    return (calendar.fromisoformat(date) + timedelta(days=1)).isoformat()


def _fare(world: World, reservation: Record, flight: dict[str, str], cabin: str, *, seats: int) -> int:
    """What a flight of a changed reservation costs: as before where it is kept in the same cabin."""
    same = (flight["flight_number"], flight["date"])
    for each in reservation["flights"]:
        if cabin == reservation["cabin"] and (each["flight_number"], each["date"]) == same:
            return each["price"]
    return bookable(world, flight, cabin, seats)


def _unused(world: World, ids: tuple[str, ...]) -> str:
    for each in ids:
        if world.company.find("reservations", each) is None:
            return each
    raise ToolError("no more reservations can be made in this conversation")
