"""Every category of a source has one of the paper's 21."""

import tomllib
from pathlib import Path

import pytest

from apigen_ray.tools import categories
from apigen_ray.tools.categories import CATEGORIES, category_of

TABLES = tomllib.loads(Path(categories.__file__).with_name("categories.toml").read_text())

TOOLBENCH = set(
    """
    Data Finance Tools Business Sports Entertainment Social Location Other Database News_Media
    Gaming eCommerce Education Communication Travel Text_Analysis Business_Software Food Commerce
    Search Weather Video_Images Music Financial Advertising Artificial_Intelligence_Machine_Learning
    Email Mapping Media Translation Transportation Visual_Recognition Science Movies
    Health_and_Fitness Monitoring SMS Events Logistics Devices Medical Payments Energy Jobs
    Cybersecurity Storage Cryptography Reward
    """.split()  # noqa: SIM905 - read as it is in the source
)


def test_the_paper_has_21():
    assert len(set(CATEGORIES)) == len(CATEGORIES) == 21


def test_all_49_of_toolbench_have_one_and_no_other_is_there():
    assert len(TOOLBENCH) == 49
    assert set(TABLES["toolbench"]) == TOOLBENCH


@pytest.mark.parametrize("table", ["toolbench", "mcp", "seal_tools", "toolalpaca"])
def test_all_lead_to_one_of_the_21(table):
    assert set(TABLES[table].values()) <= set(CATEGORIES)


def test_of_the_21_only_math_has_nothing_in_rapidapi():
    assert set(CATEGORIES) - set(TABLES["toolbench"].values()) == {"Math"}


def test_finance_and_financial_are_merged_as_in_the_paper():
    assert category_of("toolbench", "Financial") == category_of("toolbench", "Finance") == "Finance"


def test_a_category_of_the_paper_is_itself_and_an_unknown_one_nothing():
    assert category_of("mcp", "Music") == "Music"
    assert category_of("mcp", "Alchemy") is None
