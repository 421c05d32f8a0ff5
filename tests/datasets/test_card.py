"""The data-set card: what load_dataset needs, what a reader needs, and nothing that breaks out."""

import json
import re

import datasets
import pytest
import yaml
from points import point

from apigen_ray.datasets.card import dataset_card
from apigen_ray.records import Reason, Style
from apigen_ray.report.stats import COLUMNS, count
from apigen_ray.run_folder.rows import as_table
from apigen_ray.run_folder.store import RunFolder


def card_of(folder, manifest=None):
    stats = count(folder.tables(COLUMNS), 100)
    return dataset_card(stats, manifest or {}, folder.first_verified())


def front(card):
    return yaml.safe_load(card.split("---\n")[1])


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    styles = [Style.SIMPLE, Style.PARALLEL, Style.SIMPLE]
    with folder.writing():
        folder.commit(
            as_table([point(f"{n}", style=style.value) for n, style in enumerate(styles)])
        )
        folder.commit(as_table([point("x", Reason.RAISED, style=Style.MULTIPLE.value)]))
        yield folder


@pytest.mark.parametrize(
    ("config", "ids"), [(None, ["1", "0", "2"]), ("simple", ["0", "2"]), ("parallel", ["1"])]
)
def test_all_rows_or_those_of_a_style_are_loaded(folder, config, ids, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder.write_dataset(card_of(folder))
    cache = str(tmp_path / "cache")
    loaded = datasets.load_dataset(
        str(folder.path / "dataset"), config, split="train", cache_dir=cache
    )
    assert loaded["id"] == ids


def test_styles_without_a_verified_row_are_not_offered(folder):
    names = [config["config_name"] for config in front(card_of(folder))["configs"]]
    assert names == ["default", "parallel", "simple"]


def test_files_of_an_earlier_form_are_gone(folder):
    stale = folder.path / "dataset" / "train.parquet"
    stale.parent.mkdir()
    stale.write_bytes(b"")
    folder.write_dataset(card_of(folder))
    assert not stale.exists()


def test_figures_and_settings_are_there(folder):
    manifest = {"identity": {"seed": 7}, "attempts": [{"host": "secret-host"}]}
    card = card_of(folder, manifest)
    assert "| simple | 2 | 2 | 100.0% |" in card
    assert "| multiple | 0 | 1 | 0.0% |" in card
    assert "seed: 7" in card
    assert "secret-host" not in card
    assert front(card)["license"] == "unknown"


def test_the_example_row_stays_in_its_block(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.writing():
        folder.commit(as_table([point("0", query="```\n# pwned")]))
    card = card_of(folder)
    assert '"query": "```\\n# pwned"' in card
    assert "\n````json\n{" in card


def test_a_conversation_is_shown_with_its_messages_as_they_are(tmp_path):
    messages = [{"role": "user", "content": "How \u00e9?"}, {"role": "assistant", "content": "So."}]
    folder = RunFolder(tmp_path)
    with folder.writing():
        folder.commit(as_table([point("0"), point("1", messages=json.dumps(messages))]))
    row, read = re.findall(r"```json\n(.*?)\n```", card_of(folder), re.DOTALL)
    assert json.loads(row)["id"] == "1"
    assert json.loads(json.loads(row)["messages"]) == json.loads(read) == messages
    assert "\u00e9" in read


def test_only_the_stages_taken_are_claimed(folder):
    card = card_of(folder, {"verify": {"data": "x", "tools": [], "stages": ["format"]}})
    assert "Each passed a strict format check." in card


def test_a_run_without_a_verified_row_has_a_card(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.writing():
        folder.commit(as_table([point("x", Reason.RAISED)]))
    assert front(card_of(folder))["configs"] == []
