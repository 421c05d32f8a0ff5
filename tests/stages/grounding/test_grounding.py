import pytest

from apigen_ray.records import Call, Json, JsonObject, Tool
from apigen_ray.stages.grounding import ground, ungrounded, unsupported_calls


def tool(**properties: JsonObject) -> dict[str, Tool]:
    schema: JsonObject = {"type": "object", "properties": dict(properties)}
    return {"f": Tool("f", "Does something.", schema, "test")}


def stands(query: str, value: Json, system: str | None = None, **schema: Json) -> bool:
    return not ungrounded(query, [Call("f", {"x": value})], tool(x=schema), system)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("Add twenty-five and forty", 25),
        ("Add two hundred and fifty thousand", 250_000),
        ("Order a dozen eggs", 12),
        ("Order 3 dozen eggs", 36),
        ("Book for a couple", 2),
        ("Take three quarters of it", 0.75),
        ("Take 3/4 of it", 0.75),
        ("Take ½ of it", 0.5),
        ("At 4.5% interest", 0.045),
        ("At 20 percent", 0.2),
        ("It costs $2.5 million", 2_500_000),
        ("A budget of 5 lakh", 500_000),
        ("A salary of 90k", 90_000),
        ("It is -12 degrees", -12),
        ("Pay 1,234,567", 1234567),
        ("Zahle 1.234.567", 1234567),
        ("Payer 1 234 567", 1234567),
        ("Pay 12,34,567", 1234567),
        ("Zahle 3,75", 3.75),
        ("A charge of 1.6 x 10^-19 C", 1.6e-19),
        ("A charge of 1.6 \u00d7 10⁻¹⁹ C", 1.6e-19),
        ("A mass of 5e3", 5000),
        ("The twenty-first entry", 21),
        ("Two and a half years", 2.5),
        ("Songs from '19", 2019),
        ("Read verses 35 to 39", 37),
        ("Show D4 in binary", 2),
    ],
)
def test_a_number_in_any_form_stands(query: str, value: float) -> None:
    assert stands(query, value)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("An inductance of 50 mH", 0.05),
        ("A capacitance of 100µF", 0.0001),
        ("Drive 5 km", 5000),
        ("Wait 2 hours", 120),
        ("Wait half an hour", 30),
        ("Wait 1 hour 30 minutes", 90),
        ("He is 5 feet 10 inches tall", 70),
        ("It weighs 500 grams", 0.5),
        ("Going 36 km/h", 10),
        ("Run 10 miles", 16.09),
        ("It is 100 Celsius", 212),
        ("Charge $45", 4500),
        ("A volume of 50 cubic centimeters", 5e-05),
    ],
)
def test_a_quantity_stands_in_another_unit(query: str, value: float) -> None:
    assert stands(query, value)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("on March 5th, 2024", "2024-03-05"),
        ("on 5 March 2024", "03/05/2024"),
        ("on the 3/5/2024", "2024-03-05"),
        ("on 05.03.2024", "2024-03-05"),
        ("on 2024/3/5", "5th of March 2024"),
        ("from March 5", "2023-03-05"),
        ("2024年3月5日", "2024-03-05"),
        ("at 3:30 PM on March 5", "2023-03-05 15:30:00"),
        ("at half past 3", "15:30"),
        ("at noon", "12:00"),
        ("in June 2023", "2023-06-01"),
        ("in June 2023", "2023-06-30"),
        ("in 2023", "2023-12-31"),
        ("from 2 pm on May 3 for 2 hours", "2024-05-03T16:00:00"),
        ("on Christmas", "2024-12-25"),
    ],
)
def test_a_date_in_any_form_stands(query: str, value: str) -> None:
    assert stands(query, value)


def test_a_relative_date_counts_from_the_day_that_the_system_prompt_gives() -> None:
    today = "Today is 2024-03-06."
    assert stands("Wake me tomorrow", "2024-03-07", today)
    assert not stands("Wake me tomorrow", "2031-03-07", today)


def test_another_date_does_not_stand() -> None:
    assert not stands("on March 5th, 2024", "2024-03-06")
    assert not stands("on March 5th, 2024", "2025-03-05")


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("Weather in LA", "Los Angeles, CA"),
        ("Weather in NYC", "New York City"),
        ("Flights from San Francisco", "SF"),
        ("A bar in Philly", "Philadelphia"),
        ("Jobs in California", "CA"),
        ("Holidays in Germany", "DE"),
        ("Holidays in Germany", "DEU"),
        ("Convert euros", "EUR"),
        ("Convert to yen", "JPY"),
        ("Translate into French", "fr"),
        ("Cooking classes", "cooking class"),
        ("Café in Málaga", "Cafe Malaga"),
        ("A CARDIOLOGIST please", "cardiology"),
        ("Write to ann@example.org", "ann@example.org"),
        ("Open https://example.org/a?b=1", "https://example.org/a?b=1"),
        ("Call it 'Red Barn'", "Red Barn"),
        ("北京的天气", "北京"),
        ("order AB-123/x", "AB-123/x"),
    ],
)
def test_a_text_stands_as_a_name_or_code(query: str, value: str) -> None:
    assert stands(query, value)


def test_small_words_in_a_query_are_no_country_codes() -> None:
    assert not stands("Can I come in", "Indiana")


def test_the_country_alone_does_not_support_a_city() -> None:
    assert not stands("Hotels in Lyon, France", "Paris, France")


def test_one_letter_more_in_a_code_does_not_stand() -> None:
    assert not stands("order XJ77Q2", "XJ77Q3")


def test_lists_and_objects_are_walked_to_their_leaves() -> None:
    found = ungrounded(
        "Sort 31, 27 and 45", [Call("f", {"x": [31, {"y": 99}]})], tool(x={"type": "array"})
    )
    assert [(each.path, each.value) for each in found] == [("calls[0].arguments.x[1].y", 99)]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"enum": ["asc", "desc"]}, "desc"),
        ({"default": 77}, 77),
        ({"const": "v2"}, "v2"),
        ({"anyOf": [{"enum": ["zinc"]}, {"type": "null"}]}, "zinc"),
        ({"description": "One of: zinc, iron."}, "zinc"),
        ({"description": "The province, such as 1 for Bangkok."}, 1),
        ({"type": "boolean"}, True),
        ({}, None),
    ],
)
def test_what_the_schema_explains_needs_no_query(schema: JsonObject, value: Json) -> None:
    assert not ungrounded("Hello", [Call("f", {"x": value})], tool(x=schema))


def test_an_example_copied_from_the_documentation_is_found() -> None:
    schema: JsonObject = {"description": "The city, e.g. Reykjavik."}
    assert ungrounded("How is the weather?", [Call("f", {"x": "Reykjavik"})], tool(x=schema))


def test_an_api_key_from_the_system_prompt_needs_no_query() -> None:
    assert stands("Hello", "k3y-99887766", "Use the token k3y-99887766.")


def test_a_call_is_unsupported_if_none_of_its_values_stands() -> None:
    calls = [Call("f", {"x": "Oslo"}), Call("f", {"x": "Quito"})]
    assert unsupported_calls("The weather in Oslo", calls, tool(x={})) == (1,)


def test_a_small_number_alone_does_not_support_a_call_off_topic() -> None:
    tools = {"dose": Tool("dose", "Gives the dose of a medicine.", {"type": "object"}, "test")}
    assert unsupported_calls("Play 3 songs", [Call("dose", {"tablets": 3})], tools) == (0,)
    assert not unsupported_calls("A dose of 3", [Call("dose", {"tablets": 3})], tools)


def test_a_query_that_says_a_chosen_value_is_on_topic() -> None:
    schema: JsonObject = {
        "type": "object",
        "properties": {"amount": {}, "to": {"enum": ["gram", "GiB"]}},
    }
    tools = {"convert": Tool("convert", "Changes a unit.", schema, "test")}
    calls = [Call("convert", {"amount": 12, "to": "GiB"})]
    assert unsupported_calls("What is 12 for my phone?", calls, tools) == (0,)
    assert not unsupported_calls("12, but in GiB?", calls, tools)


def test_a_misspelled_topic_is_a_topic() -> None:
    calls = [Call("shift_image", {"by": 5})]
    for query in ("Plese sihft it by 5", "The iamge by 5", "Move my imagge by 5"):
        assert not unsupported_calls(query, calls, {}), query
    assert unsupported_calls("Play 5 songs", calls, {}) == (0,)


def test_a_letter_stands_where_it_stands_alone_in_the_same_case() -> None:
    assert stands("Could you add tonic D", "D")
    assert not unsupported_calls("Could you add tonic D", [Call("f", {"x": "D"})], tool())
    assert stands("Grades were B- and A in Spanish", "A")
    assert not stands("Could you lend me one", "D")


def test_a_digit_that_ends_a_name_is_no_part_of_the_number_behind_it() -> None:
    assert stands("longitude2 132.93", 132.93)


def test_an_english_value_beside_a_query_in_another_script_is_not_decided() -> None:
    assert not ungrounded("ช่วยหาแม่บ้าน", [Call("f", {"x": "cleaning"})], tool(x={}))


@pytest.mark.parametrize(
    "value", [10**400, float("inf"), float("nan"), "9" * 5000, "[" * 500, "1e999", "\x00", ""]
)
def test_no_value_raises(value: Json) -> None:
    ground("1e999 and 10^400", [Call("f", {"x": value})], tool(x={}))


def test_the_same_question_gets_the_same_answer() -> None:
    calls = [Call("f", {"x": "Oslo", "y": 41})]
    assert ground("Oslo 42", calls, tool(x={})) == ground("Oslo 42", calls, tool(x={}))


def test_a_row_of_bfcl_with_a_wrong_base_is_found() -> None:
    # BFCL v4 `simple_python_3`, Apache-2.0.
    query = "Find the roots of a quadratic equation with coefficients a=1, b=-3, c=2."
    assert not ungrounded(query, [Call("f", {"a": 1, "b": -3, "c": 2})], tool())
    assert ungrounded(query, [Call("f", {"a": 1, "b": -3, "c": 7})], tool())
