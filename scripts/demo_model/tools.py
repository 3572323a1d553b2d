"""The tools that the corpus declares, and exchanges with them: question, call, result, answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from .wordings import invented_word


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CITIES = _words(
    """
    Paris London Berlin Rome Madrid Vienna Oslo Tokyo Boston Sydney Cairo Lisbon Dublin Prague Athens
    Helsinki Hamburg Milan Zurich Geneva Brussels Warsaw Toronto Chicago Seattle Denver Delhi Mumbai
    Bangkok Seoul Lima Nairobi Lagos Munich Krakow Porto Valencia Naples Leeds Bristol
    """
)
NAMES = _words(
    """
    Anna Ben Clara David Emma Felix Greta Hugo Ida Jonas Karl Lena Max Nina Oscar Paula Robin Sara Tom
    Vera Alice Bob Carol Daniel Eva Frank Grace Henry Iris Jack Kate Leo Maria Noah Olga Peter Rosa Sam
    Tina Victor Ahmed Yuki Priya Chen Fatima Ivan Lucia Mateo Aisha Kofi Ingrid Pierre Sofia Jan Erik
    Elif Raj Hannah Tim Laura Mia Paul
    """
)
SKIES = ("sunny", "rainy", "cloudy", "windy", "foggy", "clear")


def proper_name(random: Random, known: tuple[str, ...]) -> str:
    """A known name or, mostly, an invented one: only what is copied from the context can be right."""
    return random.choice(known) if random.random() < 0.3 else invented_word(random).capitalize()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One use of a tool. `arguments` and `result` are the texts that stand in the conversation."""

    tool: str
    question: str
    arguments: str
    result: str
    answer: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of one corpus conversation: its declaration and a maker of exchanges that fit it."""

    name: str
    declaration: str
    exchange: Callable[[Random], Exchange]


def _declaration(name: str, description: str, *fields: str) -> str:
    body = "".join(f"{field}\n" for field in fields)
    kind = f"(_: {{\n{body}}}) => any;" if fields else "() => any;"
    return f"// {description}\ntype {name} = {kind}"


def _verbatim(text: str) -> str:
    return f"The tool answered: `{text}`"


def weather(random: Random) -> Tool:
    parameter = random.choice(("location", "location", "city"))
    comment = random.choice(((), (), ("// The city",), ("// The city and state, e.g. San Francisco, CA",)))
    unit = random.choice(((), (), ('unit?: "celsius" | "fahrenheit",',), ('format?: "celsius" | "fahrenheit",',)))
    description = random.choice(
        (
            "Gets the weather of a city.",
            "Gets the current weather in the provided location.",
            "Get the weather",
            "The weather",
        )
    )
    name = random.choice(("get_weather", "get_weather", "get_current_weather"))

    def exchange(random: Random) -> Exchange:
        city = proper_name(random, CITIES)
        question = random.choice(
            (
                "What is the weather in {}?",
                "What is the weather like in {}?",
                "How is the weather in {}?",
                "Is it sunny in {}?",
                "Weather in {} please",
                "Tell me the weather in {}",
                "What's the weather in {} today?",
                "Is it cold in {}?",
                "How warm is it in {}?",
            )
        ).format(city)
        degrees, sky = random.randint(-9, 35), random.choice(SKIES)
        fields = [("temperature", degrees), (random.choice(("sky", "condition")), sky)]
        if random.random() < 0.5:
            fields.reverse()
        answer = f"In {city} it is {sky} at {degrees} degrees."
        if random.random() < 0.3:
            fields = [field for field in fields if field[0] == "temperature"]
            answer = f"In {city} it is {degrees} degrees."
        text = json.dumps(dict(fields))
        if random.random() < 0.15:
            text = random.choice((f"{degrees} degrees", f"{sky}, {degrees}", json.dumps({"error": sky})))
            answer = _verbatim(text)
        return Exchange(name, question, json.dumps({parameter: city}), text, answer)

    return Tool(name, _declaration(name, description, *comment, f"{parameter}: string,", *unit), exchange)


def clock(random: Random) -> Tool:
    name = random.choice(("get_current_time", "get_time"))
    description = random.choice(("Gets the current time.", "Get the time", "Returns the current time of day."))

    def exchange(random: Random) -> Exchange:
        question = random.choice(
            (
                "What time is it?",
                "Tell me the time",
                "Which time is it now?",
                "What is the current time?",
                "How late is it?",
            )
        )
        time = f"{random.randint(0, 23):02d}:{random.randint(0, 59):02d}"
        text, answer = json.dumps({"time": time}), f"It is {time}."
        if random.random() < 0.15:
            text, answer = time, _verbatim(time)
        return Exchange(name, question, "{}", text, answer)

    return Tool(name, _declaration(name, description), exchange)


def population(random: Random) -> Tool:
    def exchange(random: Random) -> Exchange:
        city, people = proper_name(random, CITIES), random.randint(1000, 9_999_999)
        question = random.choice(
            ("How many people live in {}?", "What is the population of {}?", "How many inhabitants does {} have?")
        ).format(city)
        answer = f"{city} has {people} inhabitants."
        return Exchange("get_population", question, json.dumps({"city": city}), json.dumps({"people": people}), answer)

    return Tool(
        "get_population", _declaration("get_population", "Gets the population of a city.", "city: string,"), exchange
    )


def phone_book(random: Random) -> Tool:
    def exchange(random: Random) -> Exchange:
        person, number = proper_name(random, NAMES), "".join(random.choices("0123456789", k=random.randint(4, 7)))
        question = random.choice(
            ("What is the phone number of {}?", "Find the number of {}", "How can I call {}?", "Look up {}")
        ).format(person)
        answer = f"The number of {person} is {number}."
        return Exchange("find_number", question, json.dumps({"name": person}), json.dumps({"number": number}), answer)

    return Tool("find_number", _declaration("find_number", "Finds a phone number.", "name: string,"), exchange)


def dice(random: Random) -> Tool:
    def exchange(random: Random) -> Exchange:
        question = random.choice(("Roll a dice", "Roll the dice please", "Throw a dice", "Can you roll a dice?"))
        rolled = random.randint(1, 6)
        return Exchange("roll_dice", question, "{}", json.dumps({"rolled": rolled}), f"You rolled a {rolled}.")

    return Tool("roll_dice", _declaration("roll_dice", "Rolls a dice."), exchange)


MAKERS = (weather, clock, population, phone_book, dice)


def some_tools(random: Random) -> tuple[Tool, ...]:
    """One to three tools, in any order; the weather is the most frequent."""
    makers = random.sample(MAKERS, random.choice((1, 1, 2, 3)))
    if weather not in makers and random.random() < 0.4:
        makers[0] = weather
    return tuple(make(random) for make in makers)
