"""Telecom: a carrier's customers, lines, plans and bills, as its agents see and change them."""

from __future__ import annotations

from datetime import date, timedelta

from agentbench.errors import ToolError
from agentbench.tools.tau2.records import Record
from agentbench.tools.tau2.world import World, existing

TODAY = date(2025, 2, 25)
"""When all conversations take place, by the policy."""
CYCLE_END = date(2025, 2, 28)
"""End of the period that data usage is counted in."""
ACTIVE, SUSPENDED, STARTING = "Active", "Suspended", "Pending Activation"
OVERDUE, AWAITING, PAID, DRAFT = "Overdue", "Awaiting Payment", "Paid", "Draft"

_TABLES = {"C": "customers", "L": "lines", "D": "devices", "B": "bills", "P": "plans"}
"""Which table an id belongs to, by its first letter."""


def get_customer_by_phone(world: World, phone_number: str) -> Record:
    """The customer with this number, as contact or on one of their lines."""
    for _, customer in world.company.each("customers"):
        lines = (existing(world.company, "lines", line_id) for line_id in customer["line_ids"])
        if phone_number in (customer["phone_number"], *(line["phone_number"] for line in lines)):
            return customer
    raise ToolError(f"no customer has the number {phone_number!r}")


def get_customer_by_id(world: World, customer_id: str) -> Record:
    """A customer's profile."""
    return existing(world.company, "customers", customer_id)


def get_customer_by_name(world: World, full_name: str, dob: str) -> list[Record]:
    """All customers of this name, whatever its case, who were born on this day."""
    wanted = (full_name.lower(), dob)
    customers = (customer for _, customer in world.company.each("customers"))
    return [each for each in customers if (each["full_name"].lower(), each["date_of_birth"]) == wanted]


def get_details_by_id(world: World, id: str) -> Record:
    """Whatever has this id: a customer, line, device, bill or plan."""
    table = _TABLES.get(id[:1])
    if table is None:
        raise ToolError(f"ids begin with one of {', '.join(_TABLES)}; {id!r} does not")
    return existing(world.company, table, id)


def get_bills_for_customer(world: World, customer_id: str, limit: int = 12) -> list[Record]:
    """The customer's latest bills, the newest first."""
    customer = existing(world.company, "customers", customer_id)
    bills = [existing(world.company, "bills", bill_id) for bill_id in customer["bill_ids"]]
    return sorted(bills, key=lambda bill: bill["issue_date"], reverse=True)[:limit]


def get_data_usage(world: World, customer_id: str, line_id: str) -> Record:
    """How much data a line has used in this period, and how much it may."""
    line = _line_of(world, customer_id, line_id)
    return {
        "line_id": line_id,
        "data_used_gb": line["data_used_gb"],
        "data_limit_gb": existing(world.company, "plans", line["plan_id"])["data_limit_gb"],
        "data_refueling_gb": line["data_refueling_gb"],
        "cycle_end_date": CYCLE_END.isoformat(),
    }


def send_payment_request(world: World, customer_id: str, bill_id: str) -> Record:
    """The bill, its payment asked of the customer; one bill at a time."""
    customer = existing(world.company, "customers", customer_id)
    if bill_id not in customer["bill_ids"]:
        raise ToolError(f"customer {customer_id} has no bill {bill_id!r}")
    waiting = [each for each in customer["bill_ids"] if _bill(world, each)["status"] == AWAITING]
    if waiting:
        raise ToolError(f"bill {waiting[0]} is awaiting payment already")
    bill = world.company.edit("bills", bill_id)
    bill["status"] = AWAITING
    return bill


def suspend_line(world: World, customer_id: str, line_id: str, reason: str) -> Record:
    """The line, suspended."""
    _refuse_other_status(_line_of(world, customer_id, line_id), (ACTIVE,))
    line = world.company.edit("lines", line_id)
    line.update(status=SUSPENDED, suspension_start_date=TODAY.isoformat())
    return {"line": line, "reason": reason}


def resume_line(world: World, customer_id: str, line_id: str) -> Record:
    """The line, active again."""
    _refuse_other_status(_line_of(world, customer_id, line_id), (SUSPENDED, STARTING))
    line = world.company.edit("lines", line_id)
    line["status"] = ACTIVE
    line.pop("suspension_start_date", None)
    return line


def refuel_data(world: World, customer_id: str, line_id: str, gb_amount: float) -> Record:
    """The line with more data for this period, charged to the customer's next bill."""
    line = _line_of(world, customer_id, line_id)
    if gb_amount <= 0:
        raise ToolError(f"the amount has to be positive, not {gb_amount}")
    price = existing(world.company, "plans", line["plan_id"])["data_refueling_price_per_gb"]
    line = world.company.edit("lines", line_id)
    line["data_refueling_gb"] += gb_amount
    _charge(world, customer_id, gb_amount * price, f"{gb_amount} GB of data for line {line_id}")
    return {"line_id": line_id, "data_refueling_gb": line["data_refueling_gb"], "charge": gb_amount * price}


def enable_roaming(world: World, customer_id: str, line_id: str) -> Record:
    """The line, free to roam."""
    return _with_roaming(world, customer_id, line_id, True)


def disable_roaming(world: World, customer_id: str, line_id: str) -> Record:
    """The line, kept to its home network."""
    return _with_roaming(world, customer_id, line_id, False)


def set_data_usage(world: World, customer_id: str, line_id: str, data_used_gb: float) -> None:
    """A task's beginning: how much data a line has used."""
    _line_of(world, customer_id, line_id)
    world.company.edit("lines", line_id)["data_used_gb"] = data_used_gb


def suspend_line_for_overdue_bill(
    world: World, customer_id: str, line_id: str, new_bill_id: str, contract_ended: bool
) -> None:
    """A task's beginning: a bill of last month for the line's plan is overdue, the line suspended for it."""
    line = _line_of(world, customer_id, line_id)
    price = existing(world.company, "plans", line["plan_id"])["price_per_month"]
    month_end = TODAY.replace(day=1) - timedelta(days=1)
    first = month_end.replace(day=1)
    item = {"description": f"Charge for line {line_id}", "amount": price, "date": TODAY.isoformat()}
    bill = {
        "bill_id": new_bill_id,
        "customer_id": customer_id,
        "period_start": first.isoformat(),
        "period_end": month_end.isoformat(),
        "issue_date": first.isoformat(),
        "total_due": price,
        "due_date": (first + timedelta(days=14)).isoformat(),
        "status": OVERDUE,
        "line_items": [{**item, "item_type": "Charge"}],
    }
    world.company.put("bills", new_bill_id, bill)
    world.company.edit("customers", customer_id)["bill_ids"].append(new_bill_id)
    line = world.company.edit("lines", line_id)
    line.update(status=SUSPENDED, suspension_start_date=TODAY.isoformat())
    if contract_ended:
        line["contract_end_date"] = month_end.isoformat()


def assert_data_refueling_amount(world: World, customer_id: str, line_id: str, expected_amount: float) -> bool:
    """Whether this much data was added to a line, to a thousandth."""
    return abs(_line_of(world, customer_id, line_id)["data_refueling_gb"] - expected_amount) < 1e-3


def assert_line_status(world: World, customer_id: str, line_id: str, expected_status: str) -> bool:
    """Whether a line has a status."""
    return _line_of(world, customer_id, line_id)["status"] == expected_status


def assert_overdue_bill_exists(world: World, customer_id: str, overdue_bill_id: str) -> bool:
    """Whether a bill of the customer is overdue."""
    customer = existing(world.company, "customers", customer_id)
    return overdue_bill_id in customer["bill_ids"] and _bill(world, overdue_bill_id)["status"] == OVERDUE


def assert_no_overdue_bill(world: World, overdue_bill_id: str) -> bool:
    """Whether a bill was paid, or does not exist."""
    bill = world.company.find("bills", overdue_bill_id)
    return bill is None or bill["status"] == PAID


def _bill(world: World, bill_id: str) -> Record:
    return existing(world.company, "bills", bill_id)


def _line_of(world: World, customer_id: str, line_id: str) -> Record:
    if line_id not in existing(world.company, "customers", customer_id)["line_ids"]:
        raise ToolError(f"customer {customer_id} has no line {line_id!r}")
    return existing(world.company, "lines", line_id)


def _refuse_other_status(line: Record, allowed: tuple[str, ...]) -> None:
    if line["status"] not in allowed:
        raise ToolError(f"line {line['line_id']} is {line['status']!r}, not {' or '.join(map(repr, allowed))}")


def _with_roaming(world: World, customer_id: str, line_id: str, enabled: bool) -> Record:
    _line_of(world, customer_id, line_id)
    line = world.company.edit("lines", line_id)
    line["roaming_enabled"] = enabled
    return line


def _charge(world: World, customer_id: str, amount: float, description: str) -> None:
    """Adds to the bill that is being drafted; a new one, for the month after, where there is none."""
    customer = existing(world.company, "customers", customer_id)
    drafts = [each for each in customer["bill_ids"] if _bill(world, each)["status"] == DRAFT]
    bill_id = drafts[0] if drafts else _new_draft(world, customer_id)
    bill = world.company.edit("bills", bill_id)
    entry = {"description": description, "amount": amount, "date": TODAY.isoformat(), "item_type": "Charge"}
    bill["line_items"].append(entry)
    bill["total_due"] += amount


def _new_draft(world: World, customer_id: str) -> str:
    bill_id = f"B{1001 + sum(1 for _ in world.company.each('bills'))}"
    first = (TODAY.replace(day=1) + timedelta(days=31)).replace(day=1)
    bill = {
        "bill_id": bill_id,
        "customer_id": customer_id,
        "period_start": first.isoformat(),
        "period_end": ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).isoformat(),
        "issue_date": first.isoformat(),
        "total_due": 0.0,
        "due_date": (first + timedelta(days=14)).isoformat(),
        "status": DRAFT,
        "line_items": [],
    }
    world.company.put("bills", bill_id, bill)
    world.company.edit("customers", customer_id)["bill_ids"].append(bill_id)
    return bill_id
