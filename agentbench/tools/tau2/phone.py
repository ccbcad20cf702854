"""Telecom: how a phone's settings, its SIM card and the network around it come to service, data and picture messages.

The model is the one that the technical support manual describes. Speeds are what the benchmark's assertions speak of:
the middle of a range per network technology, less by signal strength, data saver and a slow VPN.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from agentbench.tools.tau2.records import Record
from agentbench.tools.tau2.telecom import ACTIVE, AWAITING, PAID
from agentbench.tools.tau2.world import World

PHONE, DEVICE, AROUND = "phone", "device", "surroundings"
"""Where the user's records hold the phone: table, and records for the phone itself and for what is around it."""

MODES = ("4g_5g_preferred", "4g_only", "3g_only", "2g_only")
_TRIED = {"4g_5g_preferred": ("5G", "4G"), "4g_only": ("4G",), "3g_only": ("3G",), "2g_only": ("2G",)}
"""Technologies that a preference allows, the best first."""

_MBPS = {"2G": (0.1, 0.4), "3G": (1.0, 5.0), "4G": (10.0, 100.0), "5G": (50.0, 500.0)}
_OF_SIGNAL = {"poor": 0.2, "fair": 0.5, "good": 0.8, "excellent": 1.0}
_DATA_SAVER, _SLOW_VPN = 0.2, 0.1
_NAMED = ((1.0, "very poor"), (5.0, "poor"), (25.0, "fair"), (100.0, "good"))
"""What speeds below so many Mbit/s are called; others are excellent."""
BROKEN_APN = "broken"
NO_SERVICE, CONNECTED, NONE = "no_service", "connected", "none"

AROUND_AT_FIRST: Record = {
    "name": None,
    "phone_number": None,
    "is_abroad": False,
    "roaming_allowed": False,
    "signal_strength": {"2G": "poor", "3G": "fair", "4G": "good", "5G": "excellent"},
    "mobile_data_usage_exceeded": False,
    "line_active": True,
    "payment_request": None,
}


class Speed(NamedTuple):
    """What a speed test shows; `None` and "no connection" where there is none."""

    mbps: float | None
    name: str


def device(world: World) -> Record:
    """The phone, for reading."""
    found = world.user.find(PHONE, DEVICE)
    assert found is not None
    return found


def around(world: World) -> Record:
    """What is around the phone, for reading."""
    found = world.user.find(PHONE, AROUND)
    assert found is not None
    return found


def change(world: World, **values: Any) -> None:
    """Sets values of the phone."""
    world.user.edit(PHONE, DEVICE).update(values)


def change_around(world: World, **values: Any) -> None:
    """Sets what is around the phone."""
    world.user.edit(PHONE, AROUND).update(values)


def search_network(world: World) -> None:
    """What the phone connects to, by its settings and what is around it."""
    phone, outside = device(world), around(world)
    reachable = phone["sim_card_status"] == "active" and not phone["sim_card_missing"]
    working = phone["active_apn_settings"]["apn_name"] != BROKEN_APN
    if not (reachable and working and outside["line_active"]) or phone["airplane_mode"]:
        change(
            world,
            network_connection_status=NO_SERVICE,
            network_technology_connected=NONE,
            network_signal_strength=NONE,
        )
        return
    tried = _TRIED[phone["network_mode_preference"]]
    technology = next((each for each in tried if outside["signal_strength"].get(each, NONE) != NONE), NONE)
    change(
        world,
        network_connection_status=NO_SERVICE if technology == NONE else CONNECTED,
        network_technology_connected=technology,
        network_signal_strength=outside["signal_strength"].get(technology, NONE),
    )


def data_works(world: World) -> bool:
    """Whether mobile data gets through."""
    phone, outside = device(world), around(world)
    roams = phone["roaming_enabled"] and outside["roaming_allowed"]
    return (
        not phone["airplane_mode"]
        and phone["network_signal_strength"] != NONE
        and phone["network_connection_status"] != NO_SERVICE
        and (roams or not outside["is_abroad"])
        and phone["data_enabled"]
        and not outside["mobile_data_usage_exceeded"]
    )


def speed(world: World) -> Speed:
    """How fast mobile data is."""
    phone = device(world)
    if not data_works(world):
        return Speed(None, "no connection")
    low, high = _MBPS[phone["network_technology_connected"]]
    mbps = (low + high) / 2 * _OF_SIGNAL[phone["network_signal_strength"]]
    if phone["data_saver_mode"]:
        mbps *= _DATA_SAVER
    if phone["vpn_connected"] and (phone["vpn_details"] or {}).get("server_performance") == "poor":
        mbps *= _SLOW_VPN
    mbps = round(mbps, 2)
    return Speed(mbps, next((name for limit, name in _NAMED if mbps < limit), "excellent"))


def mms_works(world: World) -> bool:
    """Whether picture messages can be sent."""
    phone = device(world)
    allowed = phone["app_statuses"].get("messaging", {}).get("permissions", {})
    return (
        data_works(world)
        and phone["network_technology_connected"] != "2G"
        and not (phone["wifi_calling_enabled"] and phone["wifi_calling_mms_over_wifi"])
        and bool(phone["active_apn_settings"].get("mmsc_url"))
        and allowed.get("storage", False)
        and allowed.get("sms", False)
    )


def settle(world: World) -> None:
    """What the phone's surroundings take over from the carrier's records, and a payment from the user's."""
    number = around(world)["phone_number"]
    if number is None:
        return
    lines = (line for _, line in world.company.each("lines"))
    line = next((each for each in lines if each["phone_number"] == number), None)
    if line is None:
        return
    plan = world.company.find("plans", line["plan_id"]) or {}
    limit = plan["data_limit_gb"] + line["data_refueling_gb"]
    now = {
        "line_active": line["status"] == ACTIVE,
        "roaming_allowed": line["roaming_enabled"],
        "mobile_data_usage_exceeded": line["data_used_gb"] >= limit,
    }
    if any(around(world)[key] != value for key, value in now.items()):
        change_around(world, **now)
    _settle_payment(world, line["line_id"])


def _settle_payment(world: World, line_id: str) -> None:
    request = around(world)["payment_request"]
    if request is not None and request["paid"]:
        world.company.edit("bills", request["bill_id"])["status"] = PAID
        change_around(world, payment_request=None)
    customers = (customer for _, customer in world.company.each("customers"))
    mine = next(each for each in customers if line_id in each["line_ids"])
    bills = (world.company.find("bills", bill_id) or {} for bill_id in mine["bill_ids"])
    waiting = next((bill for bill in bills if bill["status"] == AWAITING), None)
    if waiting is not None and around(world)["payment_request"] is None:
        asked = {"bill_id": waiting["bill_id"], "amount_due": waiting["total_due"], "paid": False}
        change_around(world, payment_request=asked)
