"""A small town in the benchmark's format: a shop, an airline, a carrier and a to-do list, all made up here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HOME = {"address1": "1 Mill Lane", "address2": "", "city": "Stroud", "state": "GL", "country": "UK", "zip": "G1"}
LAMP = {
    "name": "Lamp",
    "product_id": "lamp",
    "variants": {
        "lamp-red": {"item_id": "lamp-red", "options": {"colour": "red"}, "available": True, "price": 10.0},
        "lamp-blue": {"item_id": "lamp-blue", "options": {"colour": "blue"}, "available": True, "price": 15.5},
        "lamp-gold": {"item_id": "lamp-gold", "options": {"colour": "gold"}, "available": False, "price": 90.0},
    },
}
MUG = {
    "name": "Mug",
    "product_id": "mug",
    "variants": {
        "mug-small": {"item_id": "mug-small", "options": {"size": "small"}, "available": True, "price": 5.0},
        "mug-large": {"item_id": "mug-large", "options": {"size": "large"}, "available": True, "price": 7.0},
    },
}
ANN = {
    "user_id": "ann",
    "name": {"first_name": "Ann", "last_name": "Lee"},
    "email": "Ann@example.com",
    "address": HOME,
    "payment_methods": {
        "card": {"source": "credit_card", "id": "card", "brand": "visa", "last_four": "1111"},
        "gift": {"source": "gift_card", "id": "gift", "balance": 6.0},
    },
    "orders": ["#1", "#2"],
}


def item(product: dict[str, Any], item_id: str) -> dict[str, Any]:
    variant = product["variants"][item_id]
    same = {"item_id": item_id, "price": variant["price"], "options": variant["options"]}
    return {"name": product["name"], "product_id": product["product_id"], **same}


def order(order_id: str, status: str, paid_by: str) -> dict[str, Any]:
    """A red lamp and a small mug, 15 dollars."""
    return {
        "order_id": order_id,
        "user_id": "ann",
        "address": HOME,
        "items": [item(LAMP, "lamp-red"), item(MUG, "mug-small")],
        "status": status,
        "fulfillments": [],
        "payment_history": [{"transaction_type": "payment", "amount": 15.0, "payment_method_id": paid_by}],
    }


SHOP = {
    "products": {"lamp": LAMP, "mug": MUG},
    "users": {"ann": ANN},
    "orders": {"#1": order("#1", "pending", "gift"), "#2": order("#2", "delivered", "card")},
}
MODIFIED = {
    "order_id": "#1",
    "item_ids": ["mug-small", "lamp-red"],
    "new_item_ids": ["mug-large", "lamp-blue"],
    "payment_method_id": "card",
}


def act(name: str, requestor: str = "assistant", **arguments: Any) -> dict[str, Any]:
    return {"action_id": name, "requestor": requestor, "name": name, "arguments": arguments}


def task(task_id: str, reason: str, criteria: dict[str, Any], begins: dict[str, Any] | None = None) -> dict[str, Any]:
    told = {"domain": "town", "reason_for_call": reason, "known_info": "You are Ann Lee.", "task_instructions": "Wait."}
    scenario = {"persona": None, "instructions": told}
    return {"id": task_id, "user_scenario": scenario, "evaluation_criteria": criteria, "initial_state": begins}


SHOP_TASKS = [
    task(
        "modify",
        "You want other variants of what is in order #1.",
        {
            "actions": [act("get_order_details", order_id="#1"), act("modify_pending_order_items", **MODIFIED)],
            "communicate_info": ["7.5"],
            "reward_basis": ["DB", "COMMUNICATE"],
        },
    ),
    task(
        "misspelt",
        "You want order #1 cancelled.",
        {
            "actions": [
                act("get_order_details", order_id="#l"),
                act("cancel_pending_order", order_id="#1", reason="no longer needed"),
            ],
            "reward_basis": ["DB"],
        },
    ),
    task(
        "count",
        "You want to know how many lamps there are.",
        {
            "actions": [],
            "nl_assertions": ["The agent says that there are 2 lamps."],
            "reward_basis": ["DB", "NL_ASSERTION"],
        },
    ),
]

SEATS = {"basic_economy": 5, "economy": 3, "business": 1}
FARES = {"basic_economy": 40, "economy": 100, "business": 300}
OPEN_DAY = {"status": "available", "available_seats": SEATS, "prices": FARES}


def flight(number: str, origin: str, destination: str, leaves: str, arrives: str) -> dict[str, Any]:
    times = {"scheduled_departure_time_est": leaves, "scheduled_arrival_time_est": arrives}
    dates = {"2024-05-20": OPEN_DAY, "2024-05-21": OPEN_DAY, "2024-05-10": {"status": "landed"}}
    return {"flight_number": number, "origin": origin, "destination": destination, **times, "dates": dates}


BEN = {
    "user_id": "ben",
    "payment_methods": {
        "visa": {"source": "credit_card", "id": "visa", "brand": "visa", "last_four": "2222"},
        "gift": {"source": "gift_card", "id": "gift", "amount": 120},
        "voucher": {"source": "certificate", "id": "voucher", "amount": 50},
    },
    "reservations": ["RES001"],
}
BOB = {"first_name": "Bob", "last_name": "Lee", "dob": "1990-01-31"}
RESERVATION = {
    "reservation_id": "RES001",
    "user_id": "ben",
    "origin": "AAA",
    "destination": "BBB",
    "flight_type": "one_way",
    "cabin": "economy",
    "flights": [
        {"origin": "AAA", "destination": "BBB", "flight_number": "F1", "date": "2024-05-20", "price": 90},
    ],
    "passengers": [BOB],
    "payment_history": [{"payment_id": "visa", "amount": 90}],
    "created_at": "2024-05-01T10:00:00",
    "total_baggages": 1,
    "nonfree_baggages": 0,
    "insurance": "no",
}
FLIGHTS = {
    "F1": flight("F1", "AAA", "BBB", "08:00:00", "10:00:00"),
    "F2": flight("F2", "BBB", "CCC", "12:00:00", "01:00:00+1"),
    "F3": flight("F3", "BBB", "CCC", "09:00:00", "11:00:00"),
    "F4": flight("F4", "CCC", "DDD", "02:00:00", "03:00:00"),
}
AIRLINE = {"flights": FLIGHTS, "users": {"ben": BEN}, "reservations": {"RES001": RESERVATION}}
AIRLINE_TASKS = [
    task(
        "bag", "You want one more bag.", {"actions": [], "communicate_info": [], "reward_basis": ["DB", "COMMUNICATE"]}
    )
]

CARRIER = """
[[plans]]
plan_id = "P1"
name = "Small"
data_limit_gb = 5.0
price_per_month = 20.0
data_refueling_price_per_gb = 3.0
[[lines]]
line_id = "L1"
phone_number = "555"
status = "Active"
plan_id = "P1"
data_used_gb = 1.0
data_refueling_gb = 0.0
roaming_enabled = false
contract_end_date = "2026-12-31"
[[customers]]
customer_id = "C1"
full_name = "Ann Lee"
date_of_birth = "1985-06-15"
phone_number = "777"
line_ids = ["L1"]
bill_ids = ["B1"]
[[bills]]
bill_id = "B1"
customer_id = "C1"
issue_date = "2025-01-05"
total_due = 20.0
status = "Issued"
line_items = []
"""
PHONE = """
[device]
sim_card_status = "active"
sim_card_missing = false
airplane_mode = false
network_signal_strength = "good"
network_technology_connected = "5G"
network_connection_status = "connected"
battery_level = 80
data_enabled = true
roaming_enabled = false
network_mode_preference = "4g_5g_preferred"
wifi_enabled = false
wifi_connected = false
wifi_signal_strength = "none"
wifi_calling_enabled = false
wifi_calling_mms_over_wifi = false
data_saver_mode = false
vpn_enabled_setting = false
vpn_connected = false
[device.active_apn_settings]
apn_name = "internet"
mms_apn = "mms"
mmsc_url = "http://mms.example.com"
[device.app_statuses.messaging]
app_name = "messaging"
[device.app_statuses.messaging.permissions]
sms = true
storage = true
"""
ABROAD = [
    {"env_type": "user", "func_name": "set_user_info", "arguments": {"name": "Ann Lee", "phone_number": "555"}},
    {"env_type": "user", "func_name": "set_user_location", "arguments": {"abroad": True}},
]
CARRIER_TASKS = [
    task(
        "roaming",
        "Your mobile data does not work.",
        {
            "actions": [
                act("toggle_roaming", "user"),
                act("enable_roaming", customer_id="C1", line_id="L1"),
                act("reboot_device", "user"),
            ],
            "env_assertions": [
                {
                    "env_type": "user",
                    "func_name": "assert_mobile_data_status",
                    "arguments": {"expected_status": True},
                    "assert_value": True,
                }
            ],
            "reward_basis": ["ENV_ASSERTION"],
        },
        {"initialization_actions": ABROAD},
    )
]

LIST = {
    "tasks": {"task_1": {"task_id": "task_1", "title": "Water plants", "description": "", "status": "pending"}},
    "users": {"user_1": {"user_id": "user_1", "name": "Ann", "tasks": ["task_1"]}},
}
EARLIER = [
    {"role": "user", "content": "Add a task: buy milk."},
    {
        "role": "assistant",
        "tool_calls": [{"name": "create_task", "arguments": {"user_id": "user_1", "title": "Buy milk"}}],
    },
    {"role": "tool", "content": "{}"},
    {"role": "assistant", "content": "Added as task_2."},
]
LIST_TASKS = [
    {
        "id": "goes_on",
        "user_scenario": {"instructions": "You have bought the milk."},
        "initial_state": {"message_history": EARLIER},
        "evaluation_criteria": {"actions": [act("update_task_status", task_id="task_2", status="completed")]},
    },
    {"id": "talk", "user_scenario": {"instructions": "You want a compliment."}, "evaluation_criteria": {}},
]


def write_town(root: Path) -> Path:
    """Writes all domains' folders below `root`."""
    shop = _folder(root / "retail", SHOP_TASKS, {"train": ["modify"], "test": ["misspelt", "count"]})
    _json(shop / "db.json", SHOP)
    airline = _folder(root / "airline", AIRLINE_TASKS, {"train": [], "test": ["bag"]})
    _json(airline / "db.json", AIRLINE)
    carrier = _folder(root / "telecom", CARRIER_TASKS, {"train": [], "test": ["roaming"]})
    (carrier / "db.toml").write_text(CARRIER, encoding="utf-8")
    (carrier / "user_db.toml").write_text(PHONE, encoding="utf-8")
    for name in ("main_policy.md", "tech_support_manual.md"):
        (carrier / name).write_text(f"Words of {name}.", encoding="utf-8")
    mock = _folder(root / "mock", LIST_TASKS, {})
    _json(mock / "db.json", LIST)
    _json(mock / "user_db.json", {"notifications": {}})
    return root


def _folder(folder: Path, tasks: list[dict[str, Any]], splits: dict[str, list[str]]) -> Path:
    folder.mkdir(parents=True)
    _json(folder / "tasks.json", tasks)
    _json(folder / "split_tasks.json", {**splits, "base": [each["id"] for each in tasks]})
    (folder / "policy.md").write_text("Be kind.", encoding="utf-8")
    return folder


def _json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
