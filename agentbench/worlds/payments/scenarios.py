"""What is asked in each world, of whom, how it is done, and what AppWorld's engine is to find afterwards.

As in AppWorld, three tasks make a scenario: the same words about other people, amounts and purposes. A scenario counts
as solved where all three are.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from agentbench.config.tasks import Split
from agentbench.tasks.appworld import STEPS
from agentbench.tasks.payments.requests import PaymentRequest, drawn
from agentbench.tasks.payments.wording import PATTERNS, PEOPLE, Act

TASKS_PER_SCENARIO = 3
_EVALUATION = Path(__file__).parent / "evaluation.py.txt"
_KINDS = {Act.SEND: "Transaction", Act.REQUEST: "PaymentRequest", Act.ADD: "BankTransfer"}

_LOG_IN = """\
passwords = {each["account_name"]: each["password"] for each in apis.supervisor.show_account_passwords()}
email = apis.supervisor.show_profile()["email"]
token = apis.venmo.login(username=email, password=passwords["venmo"])["access_token"]"""
_FIND = 'print(apis.venmo.search_users(access_token=token, query="{name}", page_limit=1))'
_CARDS = "print(apis.venmo.show_payment_cards(access_token=token))"
_SEND = 'print(apis.venmo.create_transaction(access_token=token, receiver_email="{email}", amount={amount}{note}))'
_REQUEST = 'print(apis.venmo.create_payment_request(access_token=token, user_email="{email}", amount={amount}{note}))'
_ADD = "print(apis.venmo.add_to_venmo_balance(access_token=token, amount={amount}, payment_card_id={card}))"
_DONE = "apis.supervisor.complete_task()"


class Person(NamedTuple):
    """Somebody with accounts; ids count from 1 in the order of `PEOPLE`."""

    id: int
    name: str

    @property
    def email(self) -> str:
        """Made of the name."""
        return f"{self.name.lower().replace(' ', '.')}@example.com"

    def told(self) -> dict[str, Any]:
        """What the databases hold."""
        first, last = self.name.split(" ")
        card = {"owner_name": self.name, "card_name": "Visa", "card_number": 4_000_000_000_000_000 + self.id}
        return {
            "id": self.id,
            "first_name": first,
            "last_name": last,
            "email": self.email,
            "phone_number": f"555{self.id:07d}",
            "birthday": f"19{70 + self.id % 30}-0{1 + self.id % 9}-1{self.id % 9}",
            "password": f"{first.lower()}-{self.id * 7919}",
            "card": {**card, "expiry_year": 2031, "expiry_month": 1 + self.id % 12, "cvv_number": 100 + self.id},
        }


EVERYBODY = tuple(Person(number, name) for number, name in enumerate(PEOPLE, 1))


def scenario_tasks(split: Split, scenarios: int, seed: int) -> Iterator[dict[str, Any]]:
    """The tasks of so many scenarios, as the builder wants them; patterns of the split take turns."""
    rng = random.Random(f"{seed}/worlds/{split.value}")
    patterns = [(act, pattern) for act, found in PATTERNS.items() for pattern in found[split]]
    rng.shuffle(patterns)
    for number in range(scenarios):
        act, pattern = patterns[number % len(patterns)]
        for place in range(1, TASKS_PER_SCENARIO + 1):
            user = rng.choice(EVERYBODY)
            others = [person.name for person in EVERYBODY if person is not user]
            request = drawn(rng, act, pattern, others)
            yield _task(f"{split.value}{number:04d}_{place}", user, request)


def _task(name: str, user: Person, request: PaymentRequest) -> dict[str, Any]:
    other = next((person for person in EVERYBODY if person.name == request.person), None)
    wanted = {
        "kind": _KINDS[request.act],
        "user": user.email,
        "person": other.email if other else "",
        "amount": request.amount,
        "purpose": request.purpose,
    }
    truth = {
        "metadata.json": _METADATA,
        "public_data.json": wanted,
        "private_data.json": {},
        "answer.json": None,
        "test_data.json": _requirements(request),
        STEPS: {"steps": _steps(user, other, request)},
    }
    files = {file: json.dumps(content) for file, content in truth.items()}
    files["evaluation.py"] = _EVALUATION.read_text(encoding="utf-8")
    return {"id": name, "instruction": request.text, "user": user.told(), "truth": files}


_METADATA = {
    "difficulty": 1,
    "mode": "minimal",
    **{"num_apps": 1, "num_apis": 3, "num_api_calls": 6, "num_solution_code_lines": 6},
}


def _requirements(request: PaymentRequest) -> list[dict[str, str]]:
    """As `evaluation.py` names them; the last one is met by doing nothing."""
    wanted = ["the right amount goes the right way, once"]
    wanted += ["its note says what it is for"] if request.purpose else []
    asked = [{"requirement": each, "label": "no_op_fail"} for each in wanted]
    return [*asked, {"requirement": "no other money is sent, asked for or added", "label": "no_op_pass"}]


def _steps(user: Person, other: Person | None, request: PaymentRequest) -> list[dict[str, str]]:
    """How it is done, in steps that each look at what the one before has brought."""
    note = f', description="{request.purpose}"' if request.purpose else ""
    log_in = {"thought": "I log in with the account's own password.", "code": _LOG_IN}
    done = {"thought": "That was all.", "code": _DONE}
    if other is None:
        add = _ADD.format(amount=request.amount, card=user.id)
        cards = {"thought": "Which cards are there?", "code": _CARDS}
        return [log_in, cards, {"thought": "I add the money from the card.", "code": add}, done]
    find = {"thought": "Whose account is it?", "code": _FIND.format(name=request.person.split(" ")[0])}
    template, thought = (_SEND, "I send the money.") if request.act is Act.SEND else (_REQUEST, "I ask for the money.")
    move = template.format(email=other.email, amount=request.amount, note=note)
    return [log_in, find, {"thought": thought, "code": move}, done]
