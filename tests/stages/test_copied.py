"""A pair that repeats its prompt is not the model's own."""

import pytest

from apigen_ray.prompting.templates import texts
from apigen_ray.records import Call, Pair
from apigen_ray.stages.copied import copied

EXAMPLE = Pair("How many kilometers are 3.5 miles?", (Call("convert", {"value": 3.5}),))
PROMPT = (
    "Ask for one thing. The query contains every value of the calls.\nThe user's voice: plain.",
)


@pytest.mark.parametrize(
    "pair",
    [
        Pair("how many kilometers are 3.5 miles", (Call("convert", {"value": 9}),)),
        Pair("So how many kilometers are 3.5 miles?", EXAMPLE.calls),
        Pair("The query contains every value of the calls.", (Call("f", {}),)),
        Pair("Please. Ask for one thing.", ()),
    ],
    ids=["query of an example", "its calls and nearly its query", "instruction", "no calls"],
)
def test_what_repeats_the_prompt_is_found(pair):
    assert copied(pair, [EXAMPLE], PROMPT)


@pytest.mark.parametrize(
    "pair",
    [
        Pair("How many kilometers are 4.5 miles?", (Call("convert", {"value": 4.5}),)),
        Pair("What is a run of 3.5 miles in metric units?", EXAMPLE.calls),
        Pair("Plain voice, please.", ()),
    ],
    ids=["like an example", "its calls, in other words", "a word of the prompt"],
)
def test_what_is_the_model_s_own_is_not(pair):
    assert copied(pair, [EXAMPLE], PROMPT) is None


def test_no_sentence_of_our_prompts_is_a_query():
    for text in texts().values():
        for sentence in text.replace("\n", ". ").split(". "):
            if len(sentence.split()) >= 3 and "$" not in sentence:
                assert copied(Pair(sentence, ()), [], texts().values()), sentence
