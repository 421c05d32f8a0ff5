"""The trusted clarifications are right: something is missing, is asked for, and is then called."""

import json
from pathlib import Path

import pytest

from apigen_ray.stages.grounding import GroundingSettings, examine_conversation, left_out
from apigen_ray.stages.messages import clarified_messages
from apigen_ray.tools.write_forms import shown_form

SEEDS = Path(__file__).parents[2] / "configs" / "seeds-clarify.jsonl"
IDS = [json.loads(line)["id"] for line in SEEDS.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("id_", IDS)
def test_one_value_is_missing_at_first_and_all_are_given_in_the_end(seeds, id_, functions):
    seed = seeds[id_]
    messages = clarified_messages(seed.pair)
    shown = [shown_form(tool) for tool in seed.tools]
    assert left_out(messages, seed.pair.calls, shown)
    examined = examine_conversation(messages, seed.pair, shown, GroundingSettings())
    assert examined is not None
    assert examined.ungrounded == ()
    assert seed.pair.clarification.question.rstrip().endswith("?")
    for call in seed.pair.calls:
        assert functions[call.name](**call.arguments) is not None


def test_there_are_enough_of_them_over_many_tools(seeds):
    assert len(seeds) >= 20
    called = [call.name for seed in seeds.values() for call in seed.pair.calls]
    assert len(set(called)) == len(called)
