"""report.html: what rows say is inert, nothing is fetched, and every section has its figures."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from browser import browser
from points import TOOL, fill, point

from apigen_ray.records import Outcome, Reason, Tool
from apigen_ray.report.page import write_report
from apigen_ray.report.quality import quality_of
from apigen_ray.report.stats import COLUMNS, count
from apigen_ray.run_folder.store import RunFolder

HOSTILE = [
    '<script>document.title = "pwned"</script>',
    '</script><script>document.title = "pwned"</script>',
    '"><img src=x onerror="document.title = \'pwned\'">',
    "</pre></details></body><!--",
    "</style><style>* { display: none }</style>",
    "{{ 7 * 7 }}{% raise %}",
    r"$\frac{",
    "]]><svg onload=alert(1)>",
]
CHROMIUM = shutil.which("chromium")


def written(path, rows, manifest=None):
    folder = RunFolder(path)
    fill(folder, rows)
    if manifest:
        with folder.writing():
            folder.write_json("manifest.json", manifest)
    stats = count(folder.tables(COLUMNS), len(rows))
    write_report(folder, stats, quality_of(folder, stats.whole))
    return (path / "report.html").read_text()


def hostile_point(number, text):
    tool = Tool(text, text, {"type": "object", "properties": {text: {}}}, text)
    return point(
        f"{text}{number}",
        Reason.JUDGED_NO if number % 2 else None,
        model=text,
        tools=[tool],
        query=text,
        answers=json.dumps([{"name": text, "arguments": {text: text}}]),
        execution_results=json.dumps([{"ok": True, "result": text}]),
        thought=text,
        votes=json.dumps([{"judge": text, "pass": True, "thought": text}]),
        completion=text,
        reasoning=text,
        messages=json.dumps(
            [
                {"role": "user", "content": text},
                {
                    "role": "assistant",
                    "content": text,
                    "tool_calls": [{"id": "c", "function": {"name": text, "arguments": {}}}],
                },
                {"role": "tool", "tool_call_id": "c", "content": text},
            ]
        )
        if number % 3
        else None,
        detail=text,
        generate_s=0.5,
    )


class Elements(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    rows = [hostile_point(number, text) for text in HOSTILE for number in range(2)]
    rows.append(point("half", Reason.TRUNCATED, query=None, answers='"<b>"', completion=HOSTILE[0]))
    return written(tmp_path_factory.mktemp("hostile"), rows)


def test_no_text_of_a_row_becomes_an_element(hostile_page):
    elements = Elements(hostile_page)
    tags = [tag for tag, _ in elements.found]
    assert (tags.count("script"), tags.count("img"), tags.count("b")) == (1, 0, 4)
    in_charts = [attributes for tag, attributes in elements.found if tag == "svg"]
    assert all(attributes["class"] == "chart" for attributes in in_charts)
    assert not [name for _, given in elements.found for name in given if name.startswith("on")]
    for text in HOSTILE:
        assert elements.text.count(text) > 5, text


def test_the_page_fetches_nothing(hostile_page):
    elements = Elements(hostile_page)
    links = [given for _, given in elements.found if {"src", "href"} & given.keys()]
    assert not links
    assert "url(" not in re.sub(r"url\(#\w+\)", "", hostile_page)
    [policy] = [given["content"] for _, given in elements.found if "http-equiv" in given]
    assert policy.startswith("default-src 'none'")


@pytest.mark.skipif(not CHROMIUM, reason="no chromium here")
def test_in_a_browser_only_our_script_runs(hostile_page, tmp_path):
    page = tmp_path / "page.html"
    # Also one that got past the escaping would not run: the policy stops it.
    page.write_text(hostile_page.replace("<h1>", f"{HOSTILE[0]}{HOSTILE[2]}<h1>", 1))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", str(page)]
    dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "<title>pwned" not in dom
    assert re.search(r'id="found"[^>]*>\d+ of \d+<', dom)


def test_outcomes_reasons_and_rates_are_shown(tmp_path):
    rows = [point(str(n)) for n in range(3)] + [point("x", Reason.WRONG_TYPE)]
    rows.append(point("e", Reason.ENDPOINT))
    text = Elements(written(tmp_path, rows)).text
    assert "75.0% [30.1%, 95.4%]" in text  # 3 of 4: the error is not the model's
    assert "wrong_type" in text
    for outcome in Outcome:
        assert outcome in text


RUN = {
    "attempts": [{"started": "2026-01-02T03:04:05+00:00"}],
    "sandbox": {"kind": "docker", "image": "sandbox:1"},
    "config": {
        "models": [{"kind": "openai", "name": "qwen", "model": "Qwen/Qwen3-32B"}],
        "judge": {"kind": "simulated", "name": "j", "base_url": "http://secret-host/v1"},
        "seed": 0,
        "strategy": "calls_first",
        "tools": ["mine.py", "more.jsonl"],
    },
}


def facts_of(page):
    top = page.split("<h2>")[0]
    return dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", top))


def test_what_the_run_was_made_with_is_said_at_the_top(tmp_path):
    page = written(tmp_path, [point("a")], RUN)
    assert facts_of(page) == {
        "models": "qwen (Qwen/Qwen3-32B)",
        "strategy": "calls_first",
        "seed": "0",
        "judge": "j (simulated)",
        "sandbox": "docker, sandbox:1",
        "tools": "mine.py, more.jsonl",
    }
    assert "secret-host" not in page.split("<h2>")[0]


def test_a_judge_that_was_not_asked_is_not_named(tmp_path):
    given = {"data": "rows.jsonl", "stages": ["format", "execution"], "tools": ["mine.py"]}
    page = written(tmp_path, [point("a")], RUN | {"verify": given})
    assert facts_of(page) == {
        "data": "rows.jsonl",
        "stages": "format, execution",
        "sandbox": "docker, sandbox:1",
        "tools": "mine.py",
    }


def test_that_a_point_counts_in_each_of_its_categories_is_said(tmp_path):
    assert "A data point counts in each of its categories" in written(tmp_path, [point("a")])


async def test_on_a_phone_tables_scroll_and_the_page_does_not(tmp_path):
    if not CHROMIUM:
        pytest.skip("no chromium here")
    written(tmp_path, [point("a", generate_s=0.5, input_tokens=7)], RUN)
    async with browser(tmp_path) as tab:
        phone = {"width": 375, "height": 700, "deviceScaleFactor": 1, "mobile": True}
        await tab.send("Emulation.setDeviceMetricsOverride", **phone)
        await tab.open(tmp_path / "report.html")
        assert await tab.value("document.documentElement.scrollWidth") == 375
        wide = (
            "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
        )
        assert await tab.value(f"{wide}.length") > 0
        shadows = f"getComputedStyle({wide}[0]).backgroundImage.match(/gradient/g).length"
        assert await tab.value(shadows) == 4


def test_the_judges_thought_and_the_results_are_in_the_examples(tmp_path):
    votes = [{"judge": "j", "pass": True, "thought": "It fits."}]
    text = Elements(written(tmp_path, [point("a", votes=json.dumps(votes))])).text
    for part in ("Judge j: yes", "It fits.", '"result": 1', f"{TOOL.name}: {TOOL.description}"):
        assert part in text


def test_reasoning_is_folded_away_in_the_examples(tmp_path):
    votes = [{"judge": "j", "pass": True, "thought": "It fits.", "reasoning": "Is it so? <b>"}]
    page = written(tmp_path, [point("a", votes=json.dumps(votes), reasoning="Let me think.")])
    folded = re.findall(r"<details><summary><bdi>(.*?)</bdi></summary><pre>(.*?)</pre>", page)
    assert folded == [
        ("Reasoning", "Let me think."),
        ("Reasoning of judge j", "Is it so? &lt;b&gt;"),
    ]


@pytest.mark.parametrize("tokens", [0, 7])
def test_where_no_model_was_asked_nothing_is_said_of_tokens(tmp_path, tokens):
    page = written(tmp_path, [point("a", input_tokens=tokens)])
    assert ("tokens in" in page) == ("Tokens, cost and time" in page) == bool(tokens)


def test_a_long_text_is_cut_and_says_so(tmp_path):
    page = written(tmp_path, [point("a", query="word " * 100_000)])
    assert len(page) < 200_000
    assert "500,000 characters" in page


@pytest.mark.parametrize("rows", [[], [point("a", Reason.ENDPOINT, answers=None, query=None)]])
def test_a_run_that_came_to_nothing_has_a_report(tmp_path, rows):
    assert "No query was verified" in written(tmp_path, rows)


def test_the_same_rows_give_the_same_page_in_any_order(tmp_path):
    rows = [point(str(n), Reason.RAISED if n % 3 else None, prompt=str(n)) for n in range(40)]
    pages = [
        written(tmp_path / str(n) / "run", order) for n, order in enumerate([rows, rows[::-1]])
    ]
    assert pages[0] == pages[1]


def test_a_conversation_is_shown_as_a_chat_with_calls_and_results_folded(tmp_path):
    def made(*arguments):
        return [{"id": f"c{n}", "function": {"name": "add", "arguments": given}} for n, given in
                enumerate(arguments)]  # fmt: skip

    messages = [
        {"role": "user", "content": "Add <b>1</b>."},
        {"role": "assistant", "content": "", "tool_calls": made({"x": 1})},
        {"role": "tool", "tool_call_id": "c0", "content": "GIVEN"},
        {"role": "assistant", "content": "It is one."},
        {"role": "user", "content": "And again?"},
        {"role": "assistant", "content": "", "tool_calls": made({"x": 2})},
    ]
    turns = [{"message": 1}, {"message": 5, "reason": "raised", "detail": "it broke"}]
    results = [{"ok": True, "result": "OURS"}, {"ok": False, "reason": "raised", "message": "no"}]
    row = point(
        "talk",
        Reason.RAISED,
        messages=json.dumps(messages),
        turns=json.dumps(turns),
        execution_results=json.dumps(results),
    )
    page = written(tmp_path, [row])
    chat = page.split('<div class="bubble user">')[1:]
    assert len(chat) == 2
    assert "Add &lt;b&gt;1&lt;/b&gt;." in chat[0]
    assert "<details><summary><bdi>add</bdi></summary>" in chat[0]
    assert [word in chat[0] for word in ("GIVEN", "OURS", "It is one.")] == [True] * 3
    assert '<p class="flaw">raised: it broke</p>' in chat[1]
