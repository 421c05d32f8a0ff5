"""What the simulated model says to `tools clean`: every answer is of use, but for those planted."""

from pathlib import Path

import pytest

from apigen_ray.models.simulated.answering import answer
from apigen_ray.models.simulated.profiles import Profile
from apigen_ray.records import Reply
from apigen_ray.tools.library import load_library
from apigen_ray.workflows.clean_tools.access import argument_problem, propose_arguments
from apigen_ray.workflows.clean_tools.documentation import description_problem
from apigen_ray.workflows.clean_tools.model_requests import UnusableAnswer
from apigen_ray.workflows.clean_tools.rewriting import rewrite

LIBRARY = Path(__file__).parents[2] / "sandbox" / "tools"


class Simulated:
    """The simulated model without HTTP, and what it planted."""

    def __init__(self, rate):
        self.profile = Profile(clean_wrong=rate)
        self.said = []

    async def complete(self, messages, schema=None, *, sample=""):
        given = answer(messages, self.profile, 0)
        self.said.append(given.content)
        return Reply(given.text, given.finish_reason, 1, 1, 0.0, 0.0, 1)

    async def close(self):
        pass


@pytest.fixture(scope="module")
def tools():
    return load_library([str(LIBRARY)]).tools


@pytest.mark.parametrize("kind", ["propose", "rewrite"])
async def test_wrong_answers_are_those_that_cannot_be_used(tools, kind):
    asked = wrong = 0
    for tool in tools:
        model = Simulated(0.3)
        try:
            if kind == "propose":
                for arguments in await propose_arguments(tool, model):
                    assert argument_problem(tool, arguments) is None
            else:
                assert description_problem(await rewrite(tool, None, model)) is None
            usable = True
        except UnusableAnswer:
            usable = False
        assert [said.kind for said in model.said] == [kind] * len(model.said)
        assert [said.wrong for said in model.said] == (
            [True] * (len(model.said) - 1) + [not usable]
        )
        asked += len(model.said)
        wrong += sum(said.wrong for said in model.said)
    assert 0.2 < wrong / asked < 0.4
