"""The review page: read with the keyboard, kept by the browser, saved as a file, from any text."""

import asyncio
import json

import pytest
from browser import CHROMIUM, browser
from points import point

from apigen_ray.report.review_page import review_page

HOSTILE = "</pre></script><script>document.title = 'owned'</script><img src=x onerror=alert(1)>"

needs_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")


@pytest.fixture
def page(tmp_path):
    rows = [point("a", query=HOSTILE), point("b"), point("c", answers="[]"), point("d")]
    path = tmp_path / "review.html"
    path.write_text(review_page("run", rows), "utf-8")
    return path


async def saved(folder):
    file = folder / "labels.json"
    while not file.exists():  # noqa: ASYNC110 - the browser writes it
        await asyncio.sleep(0.05)
    return json.loads(file.read_text())


@needs_a_browser
async def test_keys_label_and_the_file_has_what_was_said(page, tmp_path):
    async with browser(tmp_path) as tab:
        await tab.open(page)
        await tab.press("r")
        await tab.press("w")
        await tab.write("rwus: a key in a text is text")
        await tab.press("Enter")
        await tab.press("u")
        await tab.press("Escape")
        await tab.press("s")
        given = await asyncio.wait_for(saved(tmp_path), 10)
        assert given == {
            "run": "run",
            "labels": [
                {"id": "a", "label": "right"},
                {"id": "b", "label": "wrong", "why": "rwus: a key in a text is text"},
                {"id": "c", "label": "unsure"},
            ],
        }
        await tab.open(page)  # as if the browser had been closed
        assert await tab.value("document.getElementById('counts').textContent") == (
            "1 right, 1 wrong, 1 unsure"
        )
        await tab.press("n")
        assert await tab.value("document.getElementById('place').textContent") == "4 of 4"
        assert await tab.value("document.title") == "run: 4 rows to read"  # no script of a row ran


def test_it_loads_nothing_from_anywhere(page):
    text = page.read_text()
    assert "default-src &#39;none&#39;" in text
    assert "http://" not in text
    assert "https://" not in text
