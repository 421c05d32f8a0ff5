"""Chat templates, rendered as `transformers` does, without it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from apigen_ray.errors import BadInput

_NAMED = ("tool_use", "default")
"""Of several templates of a model, the first of these that it has."""


class Refused(Exception):
    """The template does not render these messages; it may say why."""


class ChatTemplate:
    """The chat template of a model."""

    def __init__(self, text: str, tokens: Mapping[str, str]) -> None:
        """Take the text of a template, and the special tokens that it may name.

        Raises:
            BadInput: if it is no template.
        """
        try:
            self._template = _environment().from_string(text)
        except TemplateError as error:
            raise BadInput(f"--for: not a chat template: {error}") from error
        self._tokens = tokens

    def render(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any]) -> str:
        """The text of a conversation.

        Raises:
            Refused: if the template does not take it.
        """
        try:
            return self._template.render(
                messages=messages, tools=tools, add_generation_prompt=False, **self._tokens
            )
        except Exception as error:  # a template may fail in any way, on its own terms
            raise Refused(f"{type(error).__name__}: {error}") from error


def load_template(source: str) -> ChatTemplate:
    """The chat template of a file, of a folder with a tokenizer, or of a model on the Hub.

    Raises:
        BadInput: if there is none.
    """
    path = Path(source)
    if path.is_file():
        return ChatTemplate(path.read_text("utf-8"), _TOKENS)
    folder = path if path.is_dir() else _from_hub(source)
    config = _json(folder / "tokenizer_config.json")
    known = {name: _token(config.get(name)) for name in _TOKENS}
    tokens = _TOKENS | {name: token for name, token in known.items() if token is not None}
    beside = folder / "chat_template.jinja"
    text = beside.read_text("utf-8") if beside.is_file() else _text_of(config.get("chat_template"))
    if text is None:
        raise BadInput(f"--for {source}: the model has no chat template")
    return ChatTemplate(text, tokens)


_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - takes half a second to import

    files = ["tokenizer_config.json", "chat_template.jinja"]
    try:
        return Path(snapshot_download(name, allow_patterns=files))
    except Exception as error:  # the hub client and its HTTP library raise a dozen types here
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise BadInput(f"--for {name}: neither a file nor a model of the Hub: {said}") from error


def _json(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise BadInput(f"--for: {file}: not JSON: {error}") from error
    return found if isinstance(found, dict) else {}


def _token(value: Any) -> str | None:
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) else None


def _text_of(written: Any) -> str | None:
    if isinstance(written, list):
        named = {each.get("name"): each.get("template") for each in written}
        return next((named[name] for name in _NAMED if name in named), None)
    return written if isinstance(written, str) else None


class _Generation(Extension):
    """`{% generation %}`, with which templates mark what the assistant says: rendered as it is."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> Environment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    return environment


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise(message: str) -> None:
    raise Refused(message)
