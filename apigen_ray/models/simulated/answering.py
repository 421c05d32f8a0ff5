"""Answers a conversation, and tells which faults the answer has.

Everything is sampled from the seed and the conversation, the latency, too: the same request gets
the same answer, in whatever order requests arrive. The pairs don't depend on the profile, so that
profiles differ only in their faults.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal, TypeAlias

from apigen_ray.models.simulated import cleaning, faults
from apigen_ray.models.simulated.chains import draw_chain
from apigen_ray.models.simulated.clarifying import draw_omissible, write_clarification
from apigen_ray.models.simulated.drawing import draw_call
from apigen_ray.models.simulated.faults import Draft
from apigen_ray.models.simulated.judging import Known, objection
from apigen_ray.models.simulated.profiles import Fault, Profile
from apigen_ray.models.simulated.reading import (
    AnswerRequest,
    GenerateRequest,
    JudgeAnswerRequest,
    JudgeRequest,
    ProposeRequest,
    QueryRequest,
    RewriteRequest,
    Unreadable,
    read,
)
from apigen_ray.models.simulated.writing import task, write_answer, write_irrelevant, write_query
from apigen_ray.records import Call, JsonObject, Message, Style


@dataclass(frozen=True, slots=True)
class Planted:
    """One data point: the fault that was drawn for it, and the one it has.

    A fault that is drawn is planted where it is possible.
    """

    drawn: Fault | None
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer of the judge. It is wrong if it is not what the judge found."""

    verdict: Literal["yes", "no", "unreadable"]
    wrong: bool


@dataclass(frozen=True, slots=True)
class Cleaned:
    """One answer for `tools clean`. A wrong one can't be used."""

    kind: Literal["propose", "rewrite"]
    wrong: bool


@dataclass(frozen=True, slots=True)
class Replied:
    """One final answer: whether it gives a number that no result has, and is given once more."""

    wrong: bool
    again: bool


Content: TypeAlias = "tuple[Planted, ...] | Judged | Cleaned | Replied | None"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer, and what the statistics count in it."""

    text: str
    finish_reason: Literal["stop", "length"]
    latency_s: float
    content: Content
    """None for a conversation that can't be read."""
    reasoning: str = ""


_Text: TypeAlias = tuple[str, Literal["stop", "length"], Content]


def answer(
    messages: Sequence[Message], profile: Profile, seed: int, known: Known | None = None
) -> Answer:
    """Answer as a model of this profile would, which knows some pairs by heart."""
    said = json.dumps([seed, [[message.role, message.content] for message in messages]])
    key = hashlib.sha256(said.encode()).hexdigest()
    try:
        request = read(messages)
    except Unreadable as error:
        text = f"I am simulated: I can write pairs and judge them, but can't read this ({error})."
        written: _Text = (text, "stop", None)
    else:
        match request:
            case GenerateRequest():
                written = _generate(request, profile, key)
            case QueryRequest():
                written = _write_query(request, profile, key)
            case AnswerRequest():
                written = _reply(request, profile, messages[1].content, seed)
            case JudgeAnswerRequest():
                written = _judge_answer(request, profile, Random(f"{key}:judge"))
            case JudgeRequest():
                written = _judge(request, profile, Random(f"{key}:judge"), known)
            case _:
                written = _clean(request, profile, Random(f"{key}:clean"))
    text, finish_reason, content = written
    latency_s = _latency(profile, Random(f"{key}:latency"))
    plain = Answer(text, finish_reason, latency_s, content)
    return plain if profile.reasoning == "none" else _reasoned(plain, Random(f"{key}:reasoning"))


_STEPS = (
    "The user wants something that the tools shown can do. Let me look at the tools first.",
    'A first draft: {"thought": "not yet", "pass": "no"} - no, that is too hasty.',
    "Does each required argument have a value of the right type? [It seems so.]",
    "Wait, the format matters: JSON and nothing else.",
    "All right, I have everything that I need.",
)
"""What a model says to itself; some of it looks like an answer, and is none."""


def _reasoned(plain: Answer, random: Random) -> Answer:
    """An answer with reasoning before it; if it is cut off, perhaps before it has begun."""
    steps = random.sample(_STEPS, random.randint(2, len(_STEPS)))
    cut = plain.finish_reason == "length" and random.random() < 0.5
    return replace(plain, reasoning="\n".join(steps), text="" if cut else plain.text)


def _latency(profile: Profile, random: Random) -> float:
    if profile.latency_mean_s == 0:
        return 0
    sigma = profile.latency_sigma
    return random.lognormvariate(math.log(profile.latency_mean_s) - sigma**2 / 2, sigma)


# --- final answers


def _reply(request: AnswerRequest, profile: Profile, asked: str, seed: int) -> _Text:
    """Every value that was returned. Asked once more, half of the wrong answers stay wrong."""
    random = Random(f"{seed}:{asked}:answer")
    wrong, stays = random.random() < profile.answer_wrong, random.random() < 0.5
    wrong = wrong and (stays or not request.asked_again)
    text = write_answer(random, request.names, request.results)
    if wrong:
        text += f" That makes {random.randrange(10**8, 10**9)}.{random.randrange(1, 10)} in all."
    return text, "stop", Replied(wrong, request.asked_again)


def _judge_answer(request: JudgeAnswerRequest, profile: Profile, random: Random) -> _Text:
    if not request.asked_again and random.random() < profile.judge_unreadable:
        return "This answer deserves a closer look.", "stop", Judged("unreadable", wrong=False)
    wrong = random.random() < profile.judge_wrong_no
    thought = "It leaves something open." if wrong else "It says what the results say."
    verdict: Literal["yes", "no"] = "no" if wrong else "yes"
    return json.dumps({"thought": thought, "pass": verdict}), "stop", Judged(verdict, wrong)


# --- the judge


def _judge(request: JudgeRequest, profile: Profile, random: Random, known: Known | None) -> _Text:
    if not request.asked_again and random.random() < profile.judge_unreadable:
        text = "These calls deserve a closer look, since several things have to be weighed here."
        return text, "stop", Judged("unreadable", wrong=False)
    found = objection(
        request.query,
        request.calls,
        request.tools,
        a_call_failed=request.a_call_failed,
        known=known,
    )
    wrong = random.random() < (profile.judge_wrong_yes if found else profile.judge_wrong_no)
    passes = (found is None) is not wrong
    thought = "The calls do what the query asks for." if passes else found or "This looks wrong."
    verdict: Literal["yes", "no"] = "yes" if passes else "no"
    text = json.dumps({"requests": _requests(request), "thought": thought, "pass": verdict})
    return text, "stop", Judged(verdict, wrong)


def _requests(request: JudgeRequest) -> list[JsonObject]:
    """What a judge who reads the query from its calls says that the query asks for."""
    tools = {tool.name: tool for tool in request.tools}
    return [
        {"request": task(tools[call.name]) if call.name in tools else call.name, "calls": [number]}
        for number, call in enumerate(request.calls, 1)
    ]


# --- for `tools clean`


def _clean(request: ProposeRequest | RewriteRequest, profile: Profile, random: Random) -> _Text:
    wrong = random.random() < profile.clean_wrong
    if isinstance(request, ProposeRequest):
        return cleaning.propose(request, random, wrong=wrong), "stop", Cleaned("propose", wrong)
    return cleaning.rewrite(request, random, wrong=wrong), "stop", Cleaned("rewrite", wrong)


# --- the generator


def _generate(request: GenerateRequest, profile: Profile, key: str) -> _Text:
    drafts = [_draft(request, f"{key}:{index}") for index in range(request.count)]
    random = Random(f"{key}:faults")
    rates = profile.faults
    whole = _drawn(random, {fault: rates.get(fault, 0) for fault in faults.OF_COMPLETIONS})
    # The rates hold for every data point, even if most completions are spoilt as a whole.
    spared = 1 - sum(rates.get(fault, 0) for fault in faults.OF_COMPLETIONS)
    pair_rates = {fault: rates.get(fault, 0) / spared for fault in faults.OF_PAIRS}
    texts, planted = [], []
    for draft in drafts:
        fault = None if whole else _drawn(random, pair_rates)
        if draft.style is Style.CLARIFY and draft.query == draft.complete:
            fault = Fault.NOTHING_MISSING  # these calls have nothing that could be left out
        text, entry = _plant(random, draft, fault, whole)
        texts.append(text)
        planted.append(entry)
    text = "[\n" + ",\n".join(texts) + "\n]"
    if whole:
        text = faults.OF_COMPLETIONS[whole](random, text)
    return text, "length" if whole is Fault.TRUNCATED else "stop", tuple(planted)


def _write_query(request: QueryRequest, profile: Profile, key: str) -> _Text:
    """The query of given calls; what can be wrong with it here, is that it can't be read."""
    random = Random(f"{key}:faults")
    whole = _drawn(random, {f: profile.faults.get(f, 0) for f in faults.OF_COMPLETIONS})
    query = write_query(Random(f"{key}:words"), request.voice, request.calls, request.tools)
    text = json.dumps({"query": query}, ensure_ascii=False)
    if whole:
        text = faults.OF_COMPLETIONS[whole](random, text)
    finish: Literal["stop", "length"] = "length" if whole is Fault.TRUNCATED else "stop"
    return text, finish, (Planted(whole, whole),)


def _drawn(random: Random, rates: Mapping[Fault, float]) -> Fault | None:
    """At most one of the faults, each at its rate."""
    point = random.random()
    for fault, rate in rates.items():
        point -= rate
        if point < 0:
            return fault
    return None


def _plant(
    random: Random, draft: Draft, fault: Fault | None, whole: Fault | None
) -> tuple[str, Planted]:
    """The text of the pair, with `fault` if it is possible."""
    drawn = whole or fault
    ways = list(faults.OF_PAIRS[fault](draft)) if fault else []
    if ways:
        return random.choice(ways), Planted(drawn, drawn)
    text = draft.answering([faults.call_form(call) for call in draft.calls])
    return text, Planted(drawn, whole)


def _draft(request: GenerateRequest, key: str) -> Draft:
    """A faultless pair of the style asked for."""
    random = Random(f"{key}:calls")

    def ask(asked: Sequence[Call]) -> str:
        # The same randomness each time: the words change only with the calls.
        words = Random(f"{key}:words")
        if not asked:
            return write_irrelevant(words, request.voice, request.tools)
        return write_query(words, request.voice, asked, request.tools)

    missing = None
    if request.style is Style.CLARIFY:
        calls, missing = draw_omissible(random, request.tools, ask)
    else:
        calls = tuple(_calls(random, request))

    def say(asked: Sequence[Call]) -> JsonObject:
        if request.style is Style.CLARIFY:
            return write_clarification(missing or "", asked, ask)
        return {"query": ask(asked)}

    told = say(calls)
    return Draft(
        style=request.style,
        tools={tool.name: tool for tool in request.tools},
        told=told,
        calls=calls,
        spares=tuple(_spares(random, request, calls)),
        words=say,
        complete=ask(calls) if missing else str(told["query"]),
        said=request.said,
    )


def _calls(random: Random, request: GenerateRequest) -> list[Call]:
    tools = list(request.tools)
    random.shuffle(tools)
    match request.style:
        case Style.IRRELEVANCE:
            chosen = []
        case Style.SIMPLE | Style.MULTIPLE | Style.CLARIFY:
            chosen = tools[:1]
        case Style.SEQUENTIAL:
            return draw_chain(random, tools)
        case Style.MULTI_TURN:
            chosen = tools[: random.randint(1, 2)]
        case Style.PARALLEL:
            chosen = tools[:1] * random.randint(2, 3)
        case _:
            chosen = tools[:2] + random.choices(tools, k=random.randint(0, 1))
    calls: list[Call] = []
    for tool in chosen:
        call = draw_call(random, tool, [*request.earlier, *calls])
        if call is not None:  # else the tool has no further call to offer
            calls.append(call)
    return calls


def _spares(random: Random, request: GenerateRequest, calls: Sequence[Call]) -> Iterator[Call]:
    """One more call of a tool that is called, and one of a tool that is not."""
    called = {call.name for call in calls}
    for group in (
        [tool for tool in request.tools if tool.name in called],
        [tool for tool in request.tools if tool.name not in called],
    ):
        if group and (spare := draw_call(random, random.choice(group), [*request.earlier, *calls])):
            yield spare
