"""What follows from a query without standing in it, each beside the nearest thing that doesn't."""

import pytest

from apigen_ray.records import Call, Json, JsonObject, Tool
from apigen_ray.stages.grounding import ground, ungrounded, unsupported_calls


def stands(query: str, value: Json, about: str = "", system: str | None = None) -> bool:
    schema: JsonObject = {"type": "object", "properties": {"x": {"description": about}}}
    tools = {"f": Tool("f", "Does something.", schema, "test")}
    return not ungrounded(query, [Call("f", {"x": value})], tools, system)


@pytest.mark.parametrize(
    ("query", "value", "other"),
    [
        ("Two mice and a knife", "mouse", "goose"),
        ("I bought it", "buy", "sell"),
        ("I feel dizzy", "dizziness", "deafness"),
        ("Send me an e-mail", "email", "parcel"),
        ("A movie for tonight, several movies", "film", "song"),
        ("Apartments in Rome", "flat", "villa"),
        ("It is for my father", "male", "female"),
        ("On the weekend", "Saturday", "Monday"),
        ("On Sat", "Saturday", "Sunday"),
        ("How far is it?", "distance", "duration"),
        ("The newest first", "desc", "asc"),
    ],
)
def test_another_form_of_a_word_follows(query: str, value: str, other: str) -> None:
    assert stands(query, value)
    assert not stands(query, other)


@pytest.mark.parametrize(
    ("query", "value", "other"),
    [
        ("Danish citizens", "DK", "SE"),
        ("Egyptian cotton", "EG", "SY"),
        ("Speaks Mandarin", "zh", "ja"),
        ("Paid in Swedish kronor", "SEK", "NOK"),
        ("Paid in shekels", "ILS", "AED"),
        ("Pay £20", "GBP", "USD"),
        ("Prices in the United States", "USD", "EUR"),
        ("traducir al inglés", "en", "fr"),
        ("把这句法语翻译成英语", "fr", "de"),
        ("日元换英镑", "GBP", "EUR"),
        ("9 am Eastern Time", "America/New_York", "Europe/London"),
        ("News of L.A.", "Los Angeles", "San Diego"),
        ("BTC in USD", "BTCUSD", "ETHUSD"),
        ("The games of the Lakers", "Los Angeles Lakers", "Los Angeles Clippers"),
        ("A house in Orange County", "OC", "LA"),
        ("A white background", "#FFFFFF", "#000000"),
        ("World War II", "WW2", "WW1"),
    ],
)
def test_another_name_or_code_follows(query: str, value: str, other: str) -> None:
    assert stands(query, value)
    assert not stands(query, other)


@pytest.mark.parametrize(
    ("query", "value", "other"),
    [
        ("In 1h30", 90, 95),
        ("In 2h15m", 135, 140),
        ("In one and a half hours", 90, 80),
        ("In an hour and a half", 90, 80),
        ("In three quarters of an hour", 45, 40),
        ("He is 5'10\"", 70, 71),
        ("A fever of 98.6F", 37, 38),
        ("3 1/2 cups", 3.5, 3.7),
        ("A 4GB file", 4096, 4196),
        ("Nineteen eighty-four", 1984, 1985),
        ("Twenty twenty-three", 2023, 2033),
        ("Two-thirds of it", 0.67, 0.68),
        ("A 1 in 6 chance", 0.1667, 0.2),
        ("Three out of four", 0.75, 0.7),
        ("Chapter IV", 4, 6),
        ("Songs of the 90s", 1990, 1980),
        ("Songs of the nineties", 1995, 1985),
        ("The 18th century", 1700, 1600),
        ("I come with 3 friends", 4, 5),
        ("My wife and I", 2, 3),
        ("2 adults and 3 kids", 5, 6),
        ("5 red, 3 green and 2 blue marbles", 10, 11),
        ("2 packs of 6", 12, 13),
        ("She is 18 and her brother 3 years older than her", 21, 22),
        ("Twice as many as 14", 28, 42),
        ("Raise it from 20 to 150", 130, 140),
        ("Between 2010 and 2018", 8, 9),
        ("From May 1, 2024 to May 5, 2024", 4, 9),
        ("A hand of poker", 5, 6),
        ("期限30年", 360, 300),
        ("三十五公里", 35000, 53000),
    ],
)
def test_another_number_follows(query: str, value: float, other: float) -> None:
    assert stands(query, value)
    assert not stands(query, other)


@pytest.mark.parametrize(
    ("query", "value", "other"),
    [
        ("For 30 minutes", "00:30", "00:45"),
        ("For 2 hours and 5 minutes", "02:05:00", "02:15:00"),
        ("For two hours", "PT2H", "PT3H"),
        ("For 90 minutes", "1h30m", "1h40m"),
        ("For two weeks", "14 days", "15 days"),
        ("For a week", "7d", "8d"),
        ("At ten past four", "04:10", "04:20"),
        ("At 20 to 7", "06:40", "07:20"),
        ("From 9 to 5", "17:00", "16:00"),
        ("From 5-6pm", "17:00", "19:00"),
        ("At 1530 hours", "15:30", "15:20"),
        ("At dawn", "06:00", "10:00"),
        ("On Thanksgiving", "2024-11-28", "2024-11-04"),
        ("On the 15th", "2024-05-15", "2024-05-16"),
        ("On 2023-03-05", 1678017600, 1678517600),
        ("On 2022-05-15", "2022年5月15日", "2022年5月16日"),
        ("The fourth quarter", "Q4", "Q3"),
        ("The third one", "3rd", "4th"),
    ],
)
def test_another_way_to_write_a_time_follows(query: str, value: Json, other: Json) -> None:
    assert stands(query, value)
    assert not stands(query, other)


@pytest.mark.parametrize(
    ("query", "value", "other"),
    [
        ("Between 10 and 20", "10-20", "10-25"),
        ("Under $50", "0-50", "0-60"),
        ("18 or older", "18+", "21+"),
        ("Call 555-123-4567", "+15551234567", "+15551234568"),
        ("The Apple website", "https://www.apple.com", "https://www.google.com"),
        ("Write to ann at example.org", "ann@example.org", "bob@example.org"),
        ("A sales report in csv", "sales_report.csv", "invoices.csv"),
        ("A paragraph 'Hi there you'", "<p>Hi there you</p>", "<p>Bye for now</p>"),
        ("f(x) = x^2 + 3x", "x**2 + 3*x", "x**3 + 4*x"),
        ("Users of an age over 30", "age > 30", "age > 40"),
        ("The iPhone 12", "iPhone 12 Pro", "iPhone 13"),
    ],
)
def test_a_text_made_of_what_is_said_follows(query: str, value: str, other: str) -> None:
    assert stands(query, value)
    assert not stands(query, other)


@pytest.mark.parametrize(
    ("about", "value", "other"),
    [
        ("Where, e.g. couch (sofa), stool (bar)", "couch", "stool"),
        ("Such as 'bf' for a sofa, 'bs' for a stool", "bf", "bs"),
        ("For example a sofa (SF) or a stool (ST)", "SF", "ST"),
    ],
)
def test_a_value_follows_from_what_its_description_says_it_stands_for(
    about: str, value: str, other: str
) -> None:
    assert stands("I want a sofa", value, about)
    assert not stands("I want a sofa", other, about)


def test_the_system_prompt_may_state_a_number() -> None:
    assert stands("Show my orders", 4711, system="The user has the number 4711.")
    assert not stands("Show my orders", 4712, system="The user has the number 4711.")


def test_a_documented_value_whose_meaning_is_said_supports_its_call() -> None:
    about: JsonObject = {"area": {"description": "1 for Bangkok, 2 for Krabi"}, "rating": {}}
    tools = {"f": Tool("f", "", {"type": "object", "properties": about}, "test")}
    calls = [Call("f", {"area": 1, "rating": 4.5})]
    assert not unsupported_calls("Somebody good in Bangkok", calls, tools)
    assert unsupported_calls("Somebody good in Krabi", calls, tools) == (0,)
    assert ground("Somebody good in Bangkok", calls, tools).ungrounded


def test_a_small_number_beside_what_it_is_supports_a_call() -> None:
    about: JsonObject = {"id": {"description": "The identifier of the person."}}
    tools = {"get": Tool("get", "", {"type": "object", "properties": about}, "test")}
    calls = [Call("get", {"id": 4})]
    assert not unsupported_calls("The individual with the identifier number 4", calls, tools)
    assert unsupported_calls("Play 4 songs", calls, tools) == (0,)


def test_a_language_that_a_foreign_query_does_not_speak_of_is_found() -> None:
    assert stands("แปลเป็นภาษาไทย", "Thai")
    assert not stands("把它翻译成法语", "es")
