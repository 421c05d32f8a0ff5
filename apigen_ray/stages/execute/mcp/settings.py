"""The MCP servers of a config, as any client's `mcpServers` file describes them."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from apigen_ray.errors import BadInput
from apigen_ray.models.settings import Settings
from apigen_ray.stages.execute.rest.policy import Policy

NAME = re.compile(r"[^\x00-\x1f]{1,100}")
VARIABLE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}")
OF_CLIENTS = ("alwaysAllow", "autoApprove", "description", "disabled", "disabledTools", "timeout")
"""Keys with which clients steer their own windows: read over."""


class McpServer(Settings):
    """An MCP server: `command` for one that is started, `url` for one that is reached."""

    type: str | None = None
    """`stdio`, `http` or `streamable-http`; follows from the other keys."""
    command: str | None = None
    """The program that serves. `uvx NAME` and `npx NAME` start what `sandbox build --mcp` has
    installed; nothing is downloaded when a server starts."""
    args: tuple[str, ...] = ()
    """Its arguments. Scripts on this machine are taken along."""
    env: Mapping[str, str] = Field(default_factory=dict)
    """Its environment; `${NAME}` is taken from ours, so that no key stands in the config."""
    url: str | None = None
    """The address of a streamable-HTTP server."""
    headers: Mapping[str, str] = Field(default_factory=dict)
    """Headers of every request to `url`; `${NAME}` as in `env`."""
    image: str | None = None
    """The Docker image with the server and a `python3`; by default what `sandbox build --mcp`
    has built."""
    packages: tuple[str, ...] = ()
    """What `sandbox build --mcp` installs besides: PyPI packages, or npm's as `npm:NAME`."""
    programs: tuple[str, ...] = ()
    """Programs of this machine that the server starts, such as `git`: copied by the build."""
    workspace: str | None = None
    """A folder whose content each fresh server finds in its working directory."""
    hosts: tuple[str, ...] = ()
    """The hosts that a started server may reach by HTTP, through the egress proxy; none else."""
    per_data_point: bool | None = None
    """Give each data point a fresh server, so that none sees what another left behind. The default
    for a `command`; false shares one. A `url` is always shared."""
    preload: bool = True
    """Import what a Python server depends on once, ahead of its starts, which are forks."""
    start_timeout_s: float = Field(30.0, gt=0)
    """How long a server may take from its start to its list of tools."""
    timeout_s: float = Field(10.0, gt=0)
    """How long a call may take."""

    @model_validator(mode="before")
    @classmethod
    def _without_clients_keys(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {key: member for key, member in value.items() if key not in OF_CLIENTS}

    @field_validator("hosts")
    @classmethod
    def _readable_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        Policy(hosts=hosts)
        return hosts

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("must have either a command or a url")
        known = ("stdio",) if self.url is None else ("http", "streamable-http", "streamableHttp")
        if self.type is not None and self.type not in known:
            raise ValueError(f"type {self.type!r}: must be one of {', '.join(known)}")
        if self.url is None:
            return self
        if not re.match(r"https?://[^/@\s]+(/|$)", self.url):
            raise ValueError(f"url {self.url!r} is not an http(s) URL without credentials")
        for key in ("image", "packages", "programs", "workspace", "hosts"):
            if getattr(self, key):
                raise ValueError(f"{key}: only for servers with a command")
        if self.per_data_point:
            raise ValueError("per_data_point: a server with a url can't be started anew")
        return self

    @property
    def is_fresh(self) -> bool:
        """Whether each data point gets a server of its own."""
        return self.url is None and self.per_data_point is not False

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that it needs, its keys among them."""
        texts = (*self.env.values(), *self.headers.values(), *self.args, self.url or "")
        return tuple(dict.fromkeys(name for text in texts for name in VARIABLE.findall(text)))

    def filled(self, text: str, env: Mapping[str, str]) -> str:
        """A text of the config with the variables' values."""
        return VARIABLE.sub(lambda match: env.get(match[1], ""), text)


McpServers = Mapping[str, McpServer]
"""Servers by the names that backends call them by."""


def read_servers(value: Any) -> Any:
    """The value of `mcp_servers`: servers by name, or a file with them under `mcpServers`.

    Raises:
        ValueError: naming what is wrong; pydantic checks the servers themselves.
    """
    if isinstance(value, str | Path):
        try:
            value = yaml.safe_load(Path(value).read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"{value}: {error.strerror or error}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"{value}: neither JSON nor YAML") from error
    if isinstance(value, Mapping):
        for key in ("mcpServers", "mcp_servers", "servers"):
            if isinstance(value.get(key), str):
                return read_servers(value[key])
            if isinstance(value.get(key), Mapping) and not {"command", "url"} & value[key].keys():
                value = value[key]
                break
        for name in value:
            if not NAME.fullmatch(str(name)):
                raise ValueError(f"{json.dumps(str(name))} is not a name for a server")
    return value


def as_servers(value: Any) -> McpServers:
    """Servers as Python code or an option gives them: by name, or a file.

    Raises:
        BadInput: naming the key that is wrong.
    """
    try:
        return _SERVERS.validate_python(read_servers(value))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, ("mcp_servers", *problem["loc"])))
        raise BadInput(f"{where}: {problem['msg'].removeprefix('Value error, ')}") from error
    except ValueError as error:
        raise BadInput(f"mcp_servers: {error}") from error


_SERVERS = TypeAdapter[McpServers](dict[str, McpServer])
