"""The functions of the embedded function-calling set, and what people say who want them called.

Types are written as Python programmers write them, as xLAM's data has them. A slot `{city}` is filled from the pool of
its parameter; what an ask fixes is said by its words instead.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from agentbench.types import record


@record
class Parameter:
    """One argument of a function."""

    name: str
    type: str
    description: str
    pool: str
    """Where its values come from (`function_values.POOLS`)."""
    default: Any = None
    """Of optional ones."""


@record
class Ask:
    """One way to say what is wanted."""

    text: str
    fixed: dict[str, Any] = field(default_factory=dict)
    """Arguments that the words stand for."""


@record
class Function:
    """A function that is offered, with ways to ask for it."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    asks: tuple[Ask, ...]


def _parameter(name: str, kind: str, description: str, pool: str, default: Any = None) -> Parameter:
    return Parameter(name, kind, description, pool, default)


_P, _A, _F = _parameter, Ask, Function

LIBRARY: tuple[Function, ...] = (
    _F(
        "get_weather",
        "The forecast for a place.",
        (
            _P("city", "str", "Name of the place.", "city"),
            _P("days", "int, optional", "How many days ahead.", "few", 1),
            _P("units", "str, optional", "`metric` or `imperial`.", "units", "metric"),
        ),
        (
            _A("What will the weather be like in {city}?"),
            _A("Give me the forecast for {city} for the next {days} days."),
            _A("How warm will it get in {city}, in Fahrenheit?", {"units": "imperial"}),
        ),
    ),
    _F(
        "convert_currency",
        "Changes an amount of money into another currency.",
        (
            _P("amount", "float", "How much.", "money"),
            _P("source", "str", "Code of the currency it is in.", "currency"),
            _P("target", "str", "Code of the wanted currency.", "currency"),
        ),
        (
            _A("How much is {amount} {source} in {target}?"),
            _A("Convert {amount} {source} to {target}."),
            _A("I have {amount} {source}; what do I get for it in {target}?"),
        ),
    ),
    _F(
        "book_table",
        "Reserves a table in a restaurant.",
        (
            _P("restaurant", "str", "Its name.", "restaurant"),
            _P("guests", "int", "How many people come.", "few"),
            _P("time", "str", "When, as HH:MM.", "time"),
            _P("outdoors", "bool, optional", "Whether to sit outside.", "yes", False),
        ),
        (
            _A("Book a table for {guests} at {restaurant} at {time}."),
            _A("We are {guests} people and want to eat at {restaurant} at {time}, outside please.", {"outdoors": True}),
            _A("Reserve at {restaurant} for {guests} guests at {time}."),
        ),
    ),
    _F(
        "send_message",
        "Sends a short text to a person.",
        (
            _P("recipient", "str", "Whom it is for.", "person"),
            _P("text", "str", "What to say.", "errand"),
            _P("urgent", "bool, optional", "Mark it as urgent.", "yes", False),
        ),
        (
            _A('Tell {recipient} "{text}".'),
            _A('Send {recipient} the message "{text}".'),
            _A('Let {recipient} know at once: "{text}".', {"urgent": True}),
        ),
    ),
    _F(
        "create_reminder",
        "Reminds the user of something.",
        (
            _P("text", "str", "Of what.", "errand"),
            _P("date", "str", "On which day, as YYYY-MM-DD.", "date"),
            _P("time", "str, optional", "When, as HH:MM.", "time", "09:00"),
        ),
        (
            _A('Remind me on {date} to "{text}".'),
            _A('On {date} at {time} I have to "{text}"; remind me.'),
            _A('Set a reminder "{text}" for {date}.'),
        ),
    ),
    _F(
        "find_trains",
        "Connections between two stations.",
        (
            _P("origin", "str", "Where the journey begins.", "city"),
            _P("destination", "str", "Where it ends.", "city"),
            _P("date", "str", "Day of the journey, as YYYY-MM-DD.", "date"),
            _P("direct", "bool, optional", "Only trains that one does not have to change.", "yes", False),
        ),
        (
            _A("Which trains go from {origin} to {destination} on {date}?"),
            _A("I want to travel from {origin} to {destination} on {date} without changing.", {"direct": True}),
            _A("Trains to {destination} from {origin} on {date}, please."),
        ),
    ),
    _F(
        "search_flights",
        "Flights between two cities.",
        (
            _P("origin", "str", "Where it starts.", "city"),
            _P("destination", "str", "Where it lands.", "city"),
            _P("date", "str", "Day of departure, as YYYY-MM-DD.", "date"),
            _P("cabin", "str, optional", "`economy` or `business`.", "cabin", "economy"),
        ),
        (
            _A("Find flights from {origin} to {destination} on {date}."),
            _A("I need to fly from {origin} to {destination} on {date} in business class.", {"cabin": "business"}),
            _A("What flies to {destination} from {origin} on {date}?"),
        ),
    ),
    _F(
        "find_hotels",
        "Free rooms in a city.",
        (
            _P("city", "str", "Where.", "city"),
            _P("check_in", "str", "First night, as YYYY-MM-DD.", "date"),
            _P("nights", "int", "How many nights.", "few"),
            _P("max_price", "float, optional", "Most a night may cost.", "money"),
        ),
        (
            _A("I need a hotel in {city} from {check_in} for {nights} nights."),
            _A("Find rooms in {city} for {nights} nights from {check_in} for at most {max_price} a night."),
            _A("Where can I sleep in {city} for {nights} nights, arriving {check_in}?"),
        ),
    ),
    _F(
        "mean",
        "The mean of numbers.",
        (_P("numbers", "List[float]", "The numbers.", "numbers"),),
        (_A("What is the mean of {numbers}?"), _A("Average the numbers {numbers}.")),
    ),
    _F(
        "largest",
        "The largest of whole numbers.",
        (_P("numbers", "List[int]", "The numbers.", "wholes"),),
        (_A("Which is the largest of {numbers}?"), _A("Find the maximum of {numbers}.")),
    ),
    _F(
        "power",
        "A number to some power.",
        (_P("base", "float", "The number.", "whole"), _P("exponent", "int", "The power.", "few")),
        (_A("What is {base} to the power of {exponent}?"), _A("Raise {base} to the {exponent}th power.")),
    ),
    _F(
        "greatest_common_divisor",
        "The largest number that divides two others.",
        (_P("a", "int", "The first.", "whole"), _P("b", "int", "The second.", "whole")),
        (_A("What is the greatest common divisor of {a} and {b}?"), _A("Which is the largest divisor of {a} and {b}?")),
    ),
    _F(
        "monthly_payment",
        "What a loan costs a month.",
        (
            _P("principal", "int", "The sum that is lent.", "large"),
            _P("rate", "float", "Interest a year, in per cent.", "rate"),
            _P("years", "int", "How long it runs.", "few"),
        ),
        (
            _A("I borrow {principal} at {rate} per cent for {years} years; what do I pay a month?"),
            _A("Monthly payment of a loan of {principal} over {years} years at {rate} per cent?"),
        ),
    ),
    _F(
        "define_word",
        "What a word means.",
        (
            _P("word", "str", "The word.", "word"),
            _P("language", "str, optional", "Language of the word.", "language", "English"),
        ),
        (
            _A('What does "{word}" mean?'),
            _A('What is the meaning of the {language} word "{word}"?'),
            _A('Define "{word}".'),
        ),
    ),
    _F(
        "translate",
        "A text in another language.",
        (
            _P("text", "str", "The text.", "errand"),
            _P("language", "str", "The language that is wanted.", "language"),
            _P("formal", "bool, optional", "Whether to be polite.", "yes", False),
        ),
        (
            _A('Translate "{text}" into {language}.'),
            _A('How do I say "{text}" in {language}?'),
            _A('Put "{text}" into polite {language}.', {"formal": True}),
        ),
    ),
    _F(
        "spell_check",
        "Mistakes in texts.",
        (_P("words", "List[str]", "What to look at.", "words"),),
        (_A("Are these spelt right: {words}?"), _A("Check the spelling of {words}.")),
    ),
    _F(
        "play_music",
        "Plays songs of a musician.",
        (
            _P("artist", "str", "Who plays.", "person"),
            _P("shuffle", "bool, optional", "In any order.", "yes", False),
            _P("volume", "int, optional", "From 0 to 100.", "whole", 50),
        ),
        (
            _A("Play something by {artist}."),
            _A("Put on {artist} at volume {volume}."),
            _A("Play songs of {artist} in random order.", {"shuffle": True}),
        ),
    ),
    _F(
        "set_temperature",
        "Sets the heating of a room.",
        (
            _P("room", "str", "Which room.", "room"),
            _P("degrees", "float", "Wanted temperature in Celsius.", "degrees"),
        ),
        (_A("Set the {room} to {degrees} degrees."), _A("Make it {degrees} degrees in the {room}.")),
    ),
    _F(
        "switch_light",
        "Switches a room's light.",
        (_P("room", "str", "Which room.", "room"), _P("on", "bool", "Whether it is to burn.", "yes")),
        (
            _A("Switch on the light in the {room}.", {"on": True}),
            _A("Turn off the light in the {room}.", {"on": False}),
            _A("Light in the {room}, please.", {"on": True}),
        ),
    ),
    _F(
        "start_timer",
        "Counts down.",
        (
            _P("minutes", "int", "How long.", "whole"),
            _P("label", "str, optional", "What it is for.", "dish", ""),
        ),
        (_A("Start a timer for {minutes} minutes."), _A("Wake me in {minutes} minutes for the {label}.")),
    ),
    _F(
        "add_to_shopping_list",
        "Puts things on the shopping list.",
        (_P("items", "List[str]", "What to buy.", "dishes"),),
        (_A("Put {items} on the shopping list."), _A("We need {items}; add that to the list.")),
    ),
    _F(
        "find_recipe",
        "How to cook a dish.",
        (
            _P("dish", "str", "Its name.", "dish"),
            _P("servings", "int, optional", "For how many.", "few", 2),
            _P("vegetarian", "bool, optional", "Without meat and fish.", "yes", False),
        ),
        (
            _A("How do I cook {dish}?"),
            _A("Give me a recipe of {dish} for {servings}."),
            _A("Is there a vegetarian recipe of {dish}?", {"vegetarian": True}),
        ),
    ),
    _F(
        "count_calories",
        "The energy of a portion.",
        (
            _P("dish", "str", "What is eaten.", "dish"),
            _P("grams", "int", "How much.", "whole"),
        ),
        (_A("How many calories do {grams} grams of {dish} have?"), _A("Calories of {grams} grams of {dish}?")),
    ),
    _F(
        "stock_price",
        "What a share costs.",
        (
            _P("symbol", "str", "The company's symbol.", "symbol"),
            _P("date", "str, optional", "Of which day, as YYYY-MM-DD.", "date", ""),
        ),
        (_A("What is {symbol} trading at?"), _A("What did {symbol} cost on {date}?"), _A("Price of {symbol}, please.")),
    ),
    _F(
        "track_parcel",
        "Where a parcel is.",
        (_P("number", "str", "Its tracking number.", "code"),),
        (_A("Where is my parcel {number}?"), _A("Track {number} for me.")),
    ),
    _F(
        "cancel_order",
        "Takes an order back.",
        (
            _P("order", "str", "Its number.", "code"),
            _P("reason", "str, optional", "Why.", "reason", ""),
        ),
        (_A("Cancel my order {order}."), _A("I want to cancel {order} because it is {reason}.")),
    ),
    _F(
        "find_contact",
        "A person's telephone number.",
        (_P("name", "str", "Who.", "person"),),
        (_A("What is {name}'s number?"), _A("Look {name} up in my contacts.")),
    ),
    _F(
        "schedule_meeting",
        "Puts a meeting into the calendar.",
        (
            _P("people", "List[str]", "Who comes.", "people"),
            _P("date", "str", "On which day, as YYYY-MM-DD.", "date"),
            _P("minutes", "int, optional", "How long.", "whole", 30),
        ),
        (
            _A("Arrange a meeting with {people} on {date}."),
            _A("I have to meet {people} on {date} for {minutes} minutes."),
        ),
    ),
    _F(
        "distance",
        "How far two cities are apart.",
        (
            _P("origin", "str", "The one.", "city"),
            _P("destination", "str", "The other.", "city"),
            _P("units", "str, optional", "`metric` or `imperial`.", "units", "metric"),
        ),
        (
            _A("How far is it from {origin} to {destination}?"),
            _A("How many miles are there between {origin} and {destination}?", {"units": "imperial"}),
        ),
    ),
    _F(
        "local_time",
        "What time it is somewhere.",
        (_P("city", "str", "Where.", "city"),),
        (_A("What time is it in {city}?"), _A("How late is it in {city} now?")),
    ),
)
