"""The trusted seeds are right, and seeds in the forms that are in use are read."""

import calendar
import json
import re
from collections import Counter
from copy import deepcopy
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apigen_ray.errors import BadInput
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.records import Style
from apigen_ray.tools.library import load_library

ROOT = Path(__file__).parents[2]
SANDBOX = ROOT / "sandbox"
SEEDS = ROOT / "configs" / "seeds.jsonl"
ROWS = [json.loads(line) for line in SEEDS.read_text(encoding="utf-8").splitlines()]
MAIN_STYLES = ("simple", "multiple", "parallel", "parallel_multiple")
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])


# --- the trusted seeds


def test_all_seeds_pass_our_own_format_check(tools):
    seeds, notices = load_seeds([str(SEEDS)], tools)
    assert notices == []
    assert [seed.id for seed in seeds] == [row["id"] for row in ROWS]


@each_row
def test_tools_and_calls_fit_the_style(row):
    shown, called = row["tools"], [answer["name"] for answer in row["answers"]]
    assert len(set(shown)) == len(shown)
    assert set(called) <= set(shown)
    match row["style"]:
        case "simple":
            assert (len(shown), len(called)) == (1, 1)
        case "multiple":
            assert 2 <= len(shown) <= 4
            assert len(called) == 1
        case "parallel":
            assert len(shown) == 1
            assert 2 <= len(called) <= 4
        case "parallel_multiple":
            assert 2 <= len(shown) <= 4
            assert len(set(called)) >= 2
        case "irrelevance":
            assert 1 <= len(shown) <= 3
            assert called == []
        case other:
            pytest.fail(f"unknown style {other!r}")


@each_row
def test_calls_return_something(row, functions):
    for answer in row["answers"]:
        result = functions[answer["name"]](**deepcopy(answer["arguments"]))
        assert result not in (None, "", [], {})
        assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_ids_and_queries_are_unique():
    for key in ("id", "query"):
        counts = Counter(" ".join(row[key].lower().split()) for row in ROWS)
        assert [value for value, count in counts.items() if count > 1] == []
    assert all(re.fullmatch(rf"{row['style']}-\d{{3}}", row["id"]) for row in ROWS)


def test_each_style_has_enough_seeds():
    counts = Counter(row["style"] for row in ROWS)
    assert set(counts) == {*MAIN_STYLES, "irrelevance"}
    assert all(counts[style] >= 26 for style in MAIN_STYLES)
    assert counts["irrelevance"] >= 10


@pytest.mark.parametrize("style", MAIN_STYLES)
def test_each_category_is_called_in_each_style(style, library, tools):
    rows = [row for row in ROWS if row["style"] == style]
    called = {tools[answer["name"]].category for row in rows for answer in row["answers"]}
    assert {tool.category for tool in library.tools} - called == set()


def test_most_tools_are_called(tools):
    called = {answer["name"] for row in ROWS for answer in row["answers"]}
    assert len(called) >= 0.9 * len(tools), sorted(set(tools) - called)


def test_the_right_tool_is_not_always_at_the_same_place():
    rows = [row for row in ROWS if row["style"] == "multiple"]
    places = Counter(row["tools"].index(row["answers"][0]["name"]) for row in rows)
    assert max(places.values()) <= 0.6 * len(rows), places


# --- arguments come from the query

MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name}
ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
ONES += "fifteen sixteen seventeen eighteen nineteen"
WORDS = dict(zip(ONES.split(), range(20), strict=True))
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
WORDS |= dict(zip(TENS.split(), range(20, 100, 10), strict=True))
WORDS |= {"once": 1, "twice": 2, "quarterly": 4}
NUMBER = re.compile(
    r"(?P<minus>(?<![\w.-])-|\bminus )?"
    r"(?<![\w.])(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d|,\d)|\d+(?:\.\d+)?)"
    r"(?P<after>\s?%|\s?percent\b|(?:th|st|nd|rd)\b|\s?[SW]\b)?"
)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
MONTH = "|".join(MONTHS)
DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({MONTH})\b", re.IGNORECASE)
MONTH_FIRST = re.compile(rf"\b({MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?\b", re.IGNORECASE)

UNWRITTEN = {
    "simple-019": ([-8000, -3000], "what is paid in is negative"),
    "multiple-018": ([-4200], "what is paid in is negative"),
    "multiple-029": ([0, -6], "the powers that a polynomial leaves out; a minus with a space"),
    "parallel-028": ([16, 2], "hex and binary"),
    "parallel_multiple-017": ([-9600], "what is paid in is negative"),
    "parallel_multiple-030": ([1, -7], "a 1 that goes unwritten; a minus with a space"),
}


def _numbers(query):
    """The numbers a query states: in digits (also as a share, if a percentage) and in words."""
    found = set()
    for match in NUMBER.finditer(query):
        value = float(match["digits"].replace(",", ""))
        after = (match["after"] or "").strip()
        found.add(-value if match["minus"] or after in ("S", "W") else value)
        if after in ("%", "percent"):
            found.add(value / 100)
    words = re.findall(r"[a-z]+", query.lower())
    found |= {float(number) for word, number in (WORDS | MONTHS).items() if word in words}
    for tens, ones in re.findall(r"\b([a-z]+)[- ]([a-z]+)\b", query.lower()):
        if WORDS.get(tens, 0) >= 20 and 0 < WORDS.get(ones, 0) < 10:
            found.add(float(WORDS[tens] + WORDS[ones]))
    return found


def _dates(query):
    """The dates a query states, as ISO text; a day and month count for each year it names."""
    days = [(int(day), MONTHS[month.lower()]) for day, month in DAY_FIRST.findall(query)]
    days += [(int(day), MONTHS[month.lower()]) for month, day in MONTH_FIRST.findall(query)]
    years = re.findall(r"\b\d{4}\b", query)
    written = {f"{year}-{month:02}-{day:02}" for day, month in days for year in years}
    return set(DATE.findall(query)) | written


def _leaves(value):
    """The scalars inside a value; names that a caller chose, the keys of objects, are some."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _from_schema(tool, name):
    """Names that the schema gives to the parts of an argument, so that no query needs them."""
    definitions = tool.parameters.get("$defs", {})
    wanted = re.findall(r"#/\$defs/(\w+)", json.dumps(tool.parameters["properties"][name]))
    return {key for definition in wanted for key in definitions[definition]["properties"]}


def _unstated(row, tools):
    """The scalar values in the calls of a row that its query doesn't state."""
    numbers, dates = _numbers(row["query"]), _dates(row["query"])
    missing = []
    for answer in row["answers"]:
        tool = tools[answer["name"]]
        for name, argument in answer["arguments"].items():
            if "enum" in tool.parameters["properties"][name]:
                continue  # a choice, which a query paraphrases
            known = _from_schema(tool, name)
            for leaf in _leaves(argument):
                if isinstance(leaf, bool) or leaf in known:
                    continue
                if isinstance(leaf, str):
                    stated = leaf in (dates if DATE.fullmatch(leaf) else row["query"])
                else:
                    stated = float(leaf) in numbers
                if not stated:
                    missing.append(leaf)
    return missing


@each_row
def test_every_value_stands_in_the_query(row, tools):
    unwritten, _reason = UNWRITTEN.get(row["id"], ([], ""))
    assert set(_unstated(row, tools)) == set(unwritten)


ASKED_FOR = {
    "basis=price": r"on the selling price",
    "method=pearson": r"Pearson",
    "church=western": r"western",
    "occurrence=first": r"\bfirst Monday\b",
    "pollutant=pm25": r"PM2\.5",
    "unit=km": r"how many km\b",
    "to_unit=celsius": r"degrees Celsius",
    "to_unit=kilogram": r"kilograms",
    "include_end=False": r"the last day is not counted",
    "periods_per_year=12": r"monthly returns",
}


@each_row
def test_a_default_is_written_only_where_the_query_asks_for_it(row, tools):
    for answer in row["answers"]:
        properties = tools[answer["name"]].parameters["properties"]
        for name, argument in answer["arguments"].items():
            if "default" in properties[name] and argument == properties[name]["default"]:
                assert re.search(ASKED_FOR[f"{name}={argument}"], row["query"], re.IGNORECASE)


@pytest.mark.parametrize(
    ("query", "stated"),
    [
        ("5,200 bags at 1.80", {5200, 1.8}),
        ("bins: 25, 17,15", {25, 17, 15}),
        ("a 35 % share, 8.25% tax", {35, 0.35, 8.25, 0.0825}),
        ("minus 8 and -41.5, then 10-12", {-8, -41.5, 10}),
        ("44.05 N, 103.2 W", {44.05, -103.2}),
        ("x^3 of B2B in 1:30", {1}),
        ("forty-two of Twelve", {2, 40, 42, 12}),
        ("in March", {3}),
        ("anyone, often, tend", set()),
    ],
)
def test_the_check_reads_numbers_as_people_write_them(query, stated):
    assert stated <= _numbers(query)
    assert not {17000, 1715, 41.5, 103.2, 7, 10000} & _numbers(query)


def test_the_check_reads_dates_as_people_write_them():
    query = "from 3 March to April 21st, 2025, or on the 5th of May, not 2026-01-31"
    assert {"2025-03-03", "2025-04-21", "2025-05-05", "2026-01-31"} <= _dates(query)
    assert not {"2025-01-31", "2025-04-02", "2025-03-21"} & _dates(query)


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ({"subtotal": 86.4}, 86.4),
        ({"people": 40}, 40),
        ({"tip_percent": -20}, -20),
        ({"tax_percent": 0}, 0),
    ],
)
def test_the_check_notices_a_value_from_nowhere(changed, value, tools):
    query = "The four of us had dinner for 186.40, with 8.25% tax and a 20% tip."
    arguments = {"subtotal": 186.4, "people": 4, "tip_percent": 20, "tax_percent": 8.25}
    row = {"query": query, "answers": [{"name": "split_bill", "arguments": arguments}]}
    assert _unstated(row, tools) == []
    arguments.update(changed)
    assert _unstated(row, tools) == [value]


@pytest.mark.parametrize(
    ("name", "arguments", "missing"),
    [
        ("slugify_title", {"title": "Small boats"}, ["Small boats"]),
        ("iso_week_date", {"day": "2025-03-04"}, ["2025-03-04"]),
        ("sort_records", {"records": [{"cost": 3}], "keys": ["cost"]}, ["cost", "cost"]),
        ("route_length", {"stops": [{"latitude": 3, "longitude": 9}]}, [9]),
    ],
)
def test_the_check_notices_text_from_nowhere(name, arguments, missing, tools):
    row = {
        "query": 'On 3 March 2025: "Small Boats"',
        "answers": [{"name": name, "arguments": arguments}],
    }
    assert _unstated(row, tools) == missing


# --- reading seeds

WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city.",
    "parameters": {
        "city": {"type": "str", "description": "The city."},
        "days": {"type": "int, optional", "description": "Days ahead.", "default": 1},
    },
}
RADIO = {
    "name": "find_radio",
    "description": "Radio stations.",
    "parameters": {"genre": {"type": "str", "description": "The genre."}},
}
OSLO = {"name": "get_weather", "arguments": {"city": "Oslo"}}
ROME = {"name": "get_weather", "arguments": {"city": "Rome", "days": 3}}
JAZZ = {"name": "find_radio", "arguments": {"genre": "jazz"}}
RELEASED = {
    Style.SIMPLE: ([WEATHER], [OSLO]),
    Style.MULTIPLE: ([RADIO, WEATHER], [OSLO]),
    Style.PARALLEL: ([WEATHER], [OSLO, ROME]),
    Style.PARALLEL_MULTIPLE: ([WEATHER, RADIO], [ROME, JAZZ]),
    Style.IRRELEVANCE: ([RADIO], []),
}


def _released_rows(first=0):
    return [
        {
            "id": first + number,
            "query": f"Question {number}?",
            "answers": json.dumps(answers),
            "tools": json.dumps(tools),
        }
        for number, (tools, answers) in enumerate(RELEASED.values())
    ]


def _write(path, rows):
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def _own(**changed):
    row = {"query": "Weather in Oslo?", "answers": [OSLO], "tools": ["get_weather"]}
    return row | changed


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """The tools of the rows here, as a library that hand-written seeds can name them from."""
    path = tmp_path_factory.mktemp("library") / "tools.jsonl"
    return load_library([_write(path, [WEATHER, RADIO])]).by_name()


@pytest.mark.parametrize("name", ["seeds.jsonl", "seeds.parquet"])
def test_rows_in_the_released_form_are_read(name, tmp_path):
    source = _write(tmp_path / name, _released_rows(first=7))
    seeds, notices = load_seeds([source], {})
    assert notices == []
    assert [seed.style for seed in seeds] == list(RELEASED)
    assert [seed.id for seed in seeds] == ["7", "8", "9", "10", "11"]
    for seed, (shown, answers) in zip(seeds, RELEASED.values(), strict=True):
        assert [tool.name for tool in seed.tools] == [tool["name"] for tool in shown]
        calls = [{"name": call.name, "arguments": call.arguments} for call in seed.pair.calls]
        assert calls == answers
    weather = seeds[0].tools[0].parameters
    assert weather["required"] == ["city"]
    assert weather["properties"]["days"]["type"] == "integer"


def test_both_formats_give_the_same_seeds(tmp_path):
    rows = _released_rows()
    sources = [_write(tmp_path / name, rows) for name in ("a.jsonl", "b.parquet")]
    seeds, _ = load_seeds(sources, {})
    assert len(seeds) == 2 * len(rows)
    assert seeds[: len(rows)] == seeds[len(rows) :]


def test_real_rows_are_read_as_text_and_as_json(tmp_path):
    real = ROOT / "tests" / "data" / "toolalpaca_xlam.jsonl"
    rows = [json.loads(line) for line in real.read_text(encoding="utf-8").splitlines()]
    as_text = [
        {"id": number, "query": row["query"]}
        | {key: json.dumps(row[key]) for key in ("answers", "tools")}
        for number, row in enumerate(rows, 1)
    ]
    plain, plain_notices = load_seeds([str(real)], {})
    text, text_notices = load_seeds([_write(tmp_path / "text.parquet", as_text)], {})
    assert [seed.id for seed in plain] == [f"{real}:{seed.id}" for seed in text]
    assert [(s.style, s.pair, s.tools) for s in plain] == [(s.style, s.pair, s.tools) for s in text]
    assert len(plain) == 52
    assert "15 fail the format check" in plain_notices[0]
    assert "15 fail the format check" in text_notices[0]
    counts = Counter(seed.style for seed in plain)
    assert counts == {Style.MULTIPLE: 42, Style.PARALLEL: 7, Style.PARALLEL_MULTIPLE: 3}


def test_tools_are_named_and_a_given_style_wins(known, tmp_path):
    rows = [_own(id="w-1"), _own(style="multiple", tools=["find_radio", "get_weather"])]
    source = _write(tmp_path / "seeds.jsonl", rows)
    seeds, notices = load_seeds([source], known)
    assert notices == []
    assert [seed.style for seed in seeds] == [Style.SIMPLE, Style.MULTIPLE]
    assert [seed.id for seed in seeds] == ["w-1", f"{source}:2"]
    assert seeds[1].tools == (known["find_radio"], known["get_weather"])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (_own(tools=[{"name": "f", "parameters": 5}]), "parameters: must be"),
        (_own(tools="get_weather, find_radio"), "expected value"),
        (_own(tools=[]), "must name the tools that were shown"),
        (_own(style="serial"), "'serial' is not a valid Style"),
        (_own(answers='[{"name": "get_weather"'), "EOF while parsing an object"),
        ('{"query": "Weather', "not JSON"),
        ("[1, 2]", "not a JSON object"),
    ],
)
def test_what_cannot_be_read_is_named_by_file_and_line(bad, message, known, tmp_path):
    source = _write(tmp_path / "seeds.jsonl", [_own(), "", bad, _own()])
    with pytest.raises(BadInput) as caught:
        load_seeds([source], known)
    assert str(caught.value).startswith(f"{source}:3: ")
    assert message in str(caught.value)


def test_parquet_rows_are_named_by_file_and_row(known, tmp_path):
    rows = [*_released_rows(), {"id": 9, "query": "?", "answers": "[]", "tools": "[5]"}]
    source = _write(tmp_path / "seeds.parquet", rows)
    with pytest.raises(BadInput, match="must be a JSON object") as caught:
        load_seeds([source], known)
    assert str(caught.value).startswith(f"{source}[5]: ")


def test_seeds_over_other_tools_are_left_out_with_one_notice(known, tmp_path):
    other, bad = _own(tools=["get_weather", "split_bill"]), _own(query="  ")
    source = _write(tmp_path / "seeds.jsonl", [other, _own(id="good"), other, bad])
    seeds, notices = load_seeds([source], known)
    assert [seed.id for seed in seeds] == ["good"]
    assert notices == [
        f"seeds: 2 name other tools than there are and were left out: {source}:1: "
        "no tool is named 'split_bill'",
        f"seeds: 1 fail the format check and were left out: {source}:4: query: is empty",
    ]


@pytest.mark.parametrize("name", ["missing.jsonl", "missing.parquet"])
def test_a_missing_file_is_named(name, tmp_path):
    with pytest.raises(BadInput, match=f"{name}: no such file"):
        load_seeds([str(tmp_path / name)], {})


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    source = tmp_path / "seeds.parquet"
    source.write_text("query,answers")
    with pytest.raises(BadInput, match=r"seeds\.parquet: not a readable Parquet file"):
        load_seeds([str(source)], {})


@pytest.mark.parametrize(
    ("bad", "detail"),
    [
        (_own(answers=[{"name": "get_weather", "arguments": {}}]), "'city' is a required"),
        (_own(answers=[{"name": "get_weather", "arguments": {"city": 7}}]), "is not of type"),
        (_own(answers=[JAZZ]), "'find_radio' was not shown"),
        (_own(answers=[OSLO, OSLO]), "repeats calls[0]"),
        (_own(style="parallel"), "parallel needs at least two calls"),
        (_own(query="  "), "query: is empty"),
        (_own(query=None), "query"),
    ],
)
def test_a_seed_that_fails_the_format_check_is_left_out(bad, detail, known, tmp_path):
    good = _own(id="good")
    source = _write(tmp_path / "seeds.jsonl", [good, bad, bad, good | {"id": "also good"}])
    seeds, notices = load_seeds([source], known)
    assert [seed.id for seed in seeds] == ["good", "also good"]
    assert len(notices) == 1
    assert notices[0].startswith("seeds: 2 fail the format check and were left out: ")
    assert f"{source}:2: " in notices[0]
    assert detail in notices[0]


def test_each_source_has_its_own_notice(known, tmp_path):
    bad = _own(answers=[JAZZ])
    sources = [_write(tmp_path / f"{n}.jsonl", [_own(), *[bad] * n]) for n in (1, 0, 3)]
    seeds, notices = load_seeds(sources, known)
    assert len(seeds) == 3
    assert [notice.split()[1] for notice in notices] == ["1", "3"]
