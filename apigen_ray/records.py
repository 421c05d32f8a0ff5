"""The frozen records that flow through the pipeline, in the order a reader meets them.

No logic and no I/O live here. JSON that a model or a tool wrote stays JSON: it is never turned into
Arrow columns, because Arrow pads missing keys with null and refuses mixed types.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | JsonObject | None"
JsonObject: TypeAlias = dict[str, Json]


class Style(StrEnum):
    """The query styles of the paper (§4.1), and `irrelevance` for relevance detection."""

    SIMPLE = "simple"
    """One tool shown, one call."""
    MULTIPLE = "multiple"
    """Several tools shown, one call."""
    PARALLEL = "parallel"
    """One tool shown, several calls."""
    PARALLEL_MULTIPLE = "parallel_multiple"
    """Several tools shown, several calls over at least two of them."""
    IRRELEVANCE = "irrelevance"
    """Tools shown, none of them fits, no call."""
    SEQUENTIAL = "sequential"
    """Several tools shown; a later call takes a value from the result of an earlier one."""
    CLARIFY = "clarify"
    """Something that is required is missing: the assistant asks back, is told, and calls."""
    MULTI_TURN = "multi_turn"
    """A conversation in which the assistant makes calls more than once."""


Strategy: TypeAlias = Literal["query_and_calls", "calls_first"]
"""The model writes both sides, as in the paper, or the query of calls that are drawn."""


class Outcome(StrEnum):
    """What became of a data point. Every data point asked for ends with exactly one of these."""

    VERIFIED = "verified"
    FAIL_FORMAT = "fail_format"
    FAIL_EXECUTION = "fail_execution"
    FAIL_SEMANTIC = "fail_semantic"
    ERROR = "error"
    """Broken infrastructure, not a bad sample: asked again on resume."""


class Stage(StrEnum):
    """The stages of a data point: one name for function, Ray operator and report row."""

    GENERATE = "generate"
    CHECK = "check"
    EXECUTE = "execute"
    JUDGE = "judge"

    @property
    def option(self) -> str:
        """What `--stages` and the manifest call a verifying stage, and its failures `fail_...`."""
        return STAGE_OPTIONS[self]


STAGE_OPTIONS: Mapping[Stage, str] = {
    Stage.CHECK: "format",
    Stage.EXECUTE: "execution",
    Stage.JUDGE: "semantic",
}
"""The stages that verify, in order, by the paper's names for them."""


class Reason(StrEnum):
    """Why a data point was not verified. `REASONS_OF` groups them by outcome."""

    TRUNCATED = "truncated"
    INVALID_JSON = "invalid_json"
    MISSING_PAIR = "missing_pair"
    MISSING_FIELD = "missing_field"
    EMPTY_QUERY = "empty_query"
    NO_CALLS = "no_calls"
    UNKNOWN_FUNCTION = "unknown_function"
    UNKNOWN_ARGUMENT = "unknown_argument"
    MISSING_ARGUMENT = "missing_argument"
    WRONG_TYPE = "wrong_type"
    CONSTRAINT = "constraint"
    DUPLICATE_KEY = "duplicate_key"
    DUPLICATE_CALL = "duplicate_call"
    STYLE_MISMATCH = "style_mismatch"
    INVALID_TOOL = "invalid_tool"
    """A row made elsewhere shows a tool that can't be read."""
    BAD_REFERENCE = "bad_reference"
    """An argument refers to what no earlier call returns."""
    BAD_CONVERSATION = "bad_conversation"
    """Messages that don't fit together: an unknown role, a result without a call, no end."""

    RAISED = "raised"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    MEMORY = "memory"
    OUTPUT_TOO_LARGE = "output_too_large"
    NOT_SERIALIZABLE = "not_serializable"
    HTTP_STATUS = "http_status"
    ERROR_IN_BODY = "error_in_body"
    CONNECTION = "connection"
    EGRESS_DENIED = "egress_denied"
    EMPTY_RESULT = "empty_result"
    UNRESOLVED_REFERENCE = "unresolved_reference"
    """What an argument refers to was not returned, or is no value for it."""

    JUDGED_NO = "judged_no"
    COPIED = "copied"
    """The query, or the whole pair, repeats the prompt."""
    UNGROUNDED = "ungrounded"
    """No value of a call comes from the query."""
    DISAGREEMENT = "disagreement"
    ANSWER = "answer"
    """The final answer does not follow from the results; the calls do from the query."""
    NOTHING_MISSING = "nothing_missing"
    """A query that is to leave something out gives all that its calls need."""
    ENDPOINT = "endpoint"
    RATE_LIMITED = "rate_limited"
    CONTEXT_LENGTH = "context_length"
    """The prompt is too long for this model."""
    SANDBOX = "sandbox"
    JUDGE_UNREADABLE = "judge_unreadable"
    BUDGET = "budget"
    WORKER_DIED = "worker_died"
    """The process that worked on it died, three times."""
    INTERNAL = "internal"
    """A fault in this program. The log has the traceback."""


REASONS_OF: Mapping[Outcome, tuple[Reason, ...]] = {
    Outcome.FAIL_FORMAT: (
        Reason.TRUNCATED, Reason.INVALID_JSON, Reason.MISSING_PAIR, Reason.MISSING_FIELD,
        Reason.EMPTY_QUERY, Reason.NO_CALLS, Reason.UNKNOWN_FUNCTION, Reason.UNKNOWN_ARGUMENT,
        Reason.MISSING_ARGUMENT, Reason.WRONG_TYPE, Reason.CONSTRAINT, Reason.DUPLICATE_KEY,
        Reason.DUPLICATE_CALL, Reason.STYLE_MISMATCH, Reason.INVALID_TOOL, Reason.BAD_CONVERSATION,
        Reason.BAD_REFERENCE,
    ),
    Outcome.FAIL_EXECUTION: (
        Reason.RAISED, Reason.TIMEOUT, Reason.CRASHED, Reason.MEMORY, Reason.OUTPUT_TOO_LARGE,
        Reason.NOT_SERIALIZABLE, Reason.HTTP_STATUS, Reason.ERROR_IN_BODY, Reason.CONNECTION,
        Reason.EGRESS_DENIED, Reason.EMPTY_RESULT, Reason.UNRESOLVED_REFERENCE,
    ),
    Outcome.FAIL_SEMANTIC: (
        Reason.JUDGED_NO, Reason.COPIED, Reason.UNGROUNDED, Reason.DISAGREEMENT, Reason.ANSWER,
        Reason.NOTHING_MISSING,
    ),
    Outcome.ERROR: (
        Reason.ENDPOINT, Reason.RATE_LIMITED, Reason.CONTEXT_LENGTH, Reason.SANDBOX,
        Reason.JUDGE_UNREADABLE, Reason.BUDGET, Reason.WORKER_DIED, Reason.INTERNAL,
    ),
}  # fmt: skip
"""The reasons of each outcome but `verified`; every reason stands in one of them."""

OUTCOME_OF = {reason: outcome for outcome, reasons in REASONS_OF.items() for reason in reasons}


@dataclass(frozen=True, slots=True)
class PythonBackend:
    """A Python function, found by name in a module of the tool code that the sandbox holds."""

    module: str
    function: str
    kind: Literal["python"] = "python"


@dataclass(frozen=True, slots=True)
class Key:
    """Where a request carries an API key, and the environment variable that holds it."""

    place: Literal["header", "query", "cookie", "body"]
    name: str
    env: str
    prefix: str = ""
    """What stands before the key, such as `Bearer `."""


@dataclass(frozen=True, slots=True)
class RestBackend:
    """An HTTP endpoint.

    `url` may hold `{name}`, which is filled from an argument. `params_in` maps an argument to
    `path`, `query`, `header`, `cookie` or `body`, with the name it has there if that differs
    (`query:filter[size]`), or to `payload`: then it is the whole body. Arguments it doesn't mention
    go into the query, or into the body if the method has one.
    """

    method: str
    url: str
    params_in: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    auth_env: tuple[Key, ...] = ()
    kind: Literal["rest"] = "rest"


@dataclass(frozen=True, slots=True)
class VirtualBackend:
    """An API that a StableToolBench-compatible server plays, under ToolBench's names for it."""

    url: str
    """The server's own endpoint, such as `http://localhost:8080/virtual`."""
    category: str
    tool_name: str
    api_name: str
    key_env: str | None = None
    """The environment variable with the server's `toolbench_key`."""
    kind: Literal["virtual"] = "virtual"


@dataclass(frozen=True, slots=True)
class McpBackend:
    """A tool of a server of `mcp_servers`; `schema` is a digest of the `inputSchema` imported."""

    server: str
    tool: str
    schema: str | None = None
    kind: Literal["mcp"] = "mcp"


Backend: TypeAlias = PythonBackend | RestBackend | VirtualBackend | McpBackend


@dataclass(frozen=True, slots=True)
class Tool:
    """A callable API in the one form that is kept.

    `parameters` is a JSON Schema object. A tool without a backend can be shown to a model and
    checked against, but not executed.
    """

    name: str
    description: str
    parameters: JsonObject
    category: str
    backend: Backend | None = None
    returns: JsonObject | None = None
    """The schema of what a call returns, with examples of it; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Call:
    """One function call: arguments are bound by name."""

    name: str
    arguments: JsonObject


@dataclass(frozen=True, slots=True)
class Pair:
    """A user query and the calls that answer it."""

    query: str
    calls: tuple[Call, ...]
    clarification: "Clarification | None" = None
    """Only of the style `clarify`."""


@dataclass(frozen=True, slots=True)
class Clarification:
    """What the assistant asks when a query lacks something, and what the user then says."""

    question: str
    reply: str


@dataclass(frozen=True, slots=True)
class Seed:
    """A trusted pair, shown to a model as an example, with the tools that were available to it."""

    id: str
    style: Style
    pair: Pair
    tools: tuple[Tool, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer to one request, and what it took."""

    text: str
    finish_reason: str
    """As the endpoint gives it: `stop`, `length`, ..."""
    input_tokens: int
    output_tokens: int
    cost_usd: float
    seconds: float
    """Wall time from the first attempt to the answer."""
    attempts: int
    """Requests sent, retries included."""
    reused: bool = False
    """It was kept from an earlier attempt, and is not paid for again."""
    reasoning: str = ""
    """What the model wrote before its answer; empty if it doesn't reason, or not for us to see."""
    reasoning_tokens: int = 0
    """How many of the output tokens are reasoning: as reported, else by its share of the text."""
    cached_tokens: int | None = None
    """How many of the input tokens came from the server's cache; None if it doesn't report it."""
    server_error: str = ""
    """The server's message, if it could not parse what the model wrote; then `text` is empty."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A pair that passed stage 1. `coerced` names the arguments converted without loss."""

    pair: Pair
    coerced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a data point goes no further, with as much of it as could be read."""

    reason: Reason
    detail: str
    query: str | None = None
    answers: Json = None


@dataclass(frozen=True, slots=True)
class Returned:
    """A call that returned a JSON value; `deterministic` is None if it was run once."""

    result: Json
    seconds: float
    deterministic: bool | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A call that did not, with a reason of stage 2."""

    reason: Reason
    message: str
    seconds: float


CallResult: TypeAlias = Returned | Failed
