"""What people say when they want money moved: patterns, purposes, names, amounts. Plain data.

Patterns of a split are not those of another, so that a model is asked in words it was not trained on. In a pattern
stand {who}, {how_much} and {why}; {why} is "for …" or nothing, so it stands where a sentence lives without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from agentbench.config.tasks import Split


class Act(StrEnum):
    """What is wanted, by the name of the function that does it."""

    SEND = "send_money"
    REQUEST = "request_payment"
    ADD = "add_balance"


Patterns = Mapping[Split, tuple[str, ...]]

_SEND: Patterns = {
    Split.TRAIN: (
        "send {who} {how_much}{why}",
        "can you send {how_much} to {who}{why}?",
        "pay {who} {how_much}{why}",
        "please transfer {how_much} to {who}{why}",
        "I owe {who} {how_much}{why}, take care of it",
        "shoot {who} {how_much}{why} real quick",
        "pay {who} back the {how_much}{why}",
        "{who} needs to get {how_much} from me{why}",
        "let's get {how_much} over to {who}{why}",
        "settle up with {who}: {how_much}{why}",
        "drop {how_much} in {who}'s account{why}",
        "I promised {who} {how_much}{why}, send it over",
    ),
    Split.VALIDATION: (
        "could {who} have {how_much} from me{why}? just send it",
        "give {who} {how_much}{why}, will you",
        "move {how_much} from me to {who}{why}",
    ),
    Split.TEST: (
        "make sure {who} gets {how_much}{why} from me",
        "time to pay up: {how_much} to {who}{why}",
        "wire {who} {how_much}{why}",
        "I still have to give {who} {how_much}{why}, do that for me",
    ),
}

_REQUEST: Patterns = {
    Split.TRAIN: (
        "request {how_much} from {who}{why}",
        "ask {who} for {how_much}{why}",
        "{who} owes me {how_much}{why}, send a request",
        "can you ask {who} to pay me {how_much}{why}?",
        "get {how_much} back from {who}{why}",
        "charge {who} {how_much}{why}",
        "remind {who} to pay me: request {how_much}{why}",
        "put in a request to {who} for {how_much}{why}",
        "I covered {who}, so ask for {how_much}{why}",
        "have {who} send me {how_much}{why}",
    ),
    Split.VALIDATION: (
        "I'd like {how_much} from {who}{why}, please request it",
        "collect {how_much} from {who}{why}",
        "bill {who} {how_much}{why}",
    ),
    Split.TEST: (
        "{who} still has to pay me {how_much}{why}, ask for it",
        "I'm waiting for {how_much} from {who}{why}, send them a request",
        "let {who} know I want {how_much} back{why}: put in a request",
    ),
}

_ADD: Patterns = {
    Split.TRAIN: (
        "add {how_much} to my balance",
        "top up my balance with {how_much}",
        "put {how_much} on my account from my card",
        "load {how_much} onto my balance",
        "my balance is low, add {how_much}",
        "can you add {how_much} from my card to my balance?",
        "take {how_much} off my card and add it to my balance",
        "I need {how_much} more in my balance, top it up",
    ),
    Split.VALIDATION: ("increase my balance by {how_much}", "charge my card {how_much} and put it in my balance"),
    Split.TEST: ("get another {how_much} into my balance", "move {how_much} from my card into my balance"),
}

PATTERNS: Mapping[Act, Patterns] = MappingProxyType({Act.SEND: _SEND, Act.REQUEST: _REQUEST, Act.ADD: _ADD})

OPENINGS = (
    *("", "", "", "hey, ", "hi! ", "ok so ", "quick one: ", "when you get a sec, ", "yo, ", "oh and "),
    *("one more thing: ", "hello, ", "sorry to bother, ", "real quick, "),
)
CLOSINGS = ("", "", "", "", " thanks!", " pls", " thx", " please", " ASAP", " today if you can", " cheers", " ty")

PURPOSES = (
    *("pizza", "the pizza on Friday", "dinner last night", "lunch", "coffee", "the concert tickets", "the movie"),
    *("gas", "the ride to the airport", "the cab home", "groceries", "rent", "the electricity bill", "internet"),
    *("the birthday present", "her present", "the cake", "drinks", "brunch on Sunday", "the camping trip", "the hotel"),
    *("the train tickets", "parking", "the books", "the gym pass", "piano lessons", "the babysitter", "dog food"),
    *("the vet", "the haircut", "the new lamp", "paint for the kitchen", "the football tickets", "the picnic"),
    *("the broken window", "stamps", "the museum", "sushi", "the barbecue", "ice cream", "the game night"),
)

PEOPLE = (
    *("Mina Berg", "Otto Lund", "Ida Falk", "Noor Haddad", "Tomas Reyes", "Priya Nair", "Jonas Weiss", "Aiko Mori"),
    *("Lena Fischer", "Kwame Boateng", "Sofia Rossi", "Dmitri Volkov", "Amara Okafor", "Felix Brandt", "Yara Silva"),
    *("Hugo Laurent", "Mei Tanaka", "Pablo Ortega", "Greta Holm", "Rashid Khan", "Elif Demir", "Bruno Costa"),
    *("Nadia Petrova", "Samuel Adler"),
)
"""First and last names; no first name twice."""


def amounts(cents: int) -> tuple[str, ...]:
    """The ways of saying an amount."""
    whole, rest = divmod(cents, 100)
    if rest:
        return (f"${whole}.{rest:02d}", f"{whole}.{rest:02d} dollars", f"{whole} dollars and {rest} cents")
    return (f"${whole}", f"{whole} bucks", f"{whole} dollars", f"${whole}.00")
