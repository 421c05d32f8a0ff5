"""The base of every section of the configuration."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A section of the configuration: frozen, without unknown keys, each field described."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
