"""The exceptions of the package.

ApigenError
├── BadInput            the user's config, file or environment; one line, exit code 2
├── StoreLost           the run folder can't be written any more; one line, exit code 1
├── LedgerError         (in `report.stats`) the counts of a run folder don't add up
└── InfrastructureError becomes an `error` row, which a resume retries
    ├── EndpointError   a model endpoint can't be reached, or answers with an error
    │   ├── PromptTooLong   the prompt does not fit into the model's context
    │   ├── RateLimited     it was overloaded at every attempt
    │   └── Unacceptable    (in `models.responses`) it rejects the request as it is
    ├── BudgetSpent     the run may spend no more, or is ending
    ├── RestUnavailable a REST call could not be tried: its key or recording is missing
    ├── McpUnavailable  an MCP server can't be used: it does not start, or has other tools
    └── SandboxLost     the sandbox failed, not the call in it

A bad sample is never an exception: it is a `Rejected` or `Failed` record.
"""

from typing import ClassVar

from apigen_ray.records import Reason


class ApigenError(Exception):
    """Root of the package's exceptions."""


class BadInput(ApigenError):
    """Wrong input: the message names the file, line, key or URL, and what to do."""


class StoreLost(ApigenError):
    """The run folder can't be written any more. Committed rows are safe; a resume does the rest."""


class InfrastructureError(ApigenError):
    """Something other than the sample failed."""

    reason: ClassVar[Reason] = Reason.INTERNAL


class EndpointError(InfrastructureError):
    """A model endpoint could not be reached or answered with an error."""

    reason = Reason.ENDPOINT


class PromptTooLong(EndpointError):
    """A prompt does not fit into the model's context; others may."""

    reason = Reason.CONTEXT_LENGTH


class RateLimited(EndpointError):
    """A model endpoint was overloaded at every attempt."""

    reason = Reason.RATE_LIMITED


class BudgetSpent(InfrastructureError):
    """The run may send no more requests: its budget or token limit is reached, or it is ending."""

    reason = Reason.BUDGET


class RestUnavailable(InfrastructureError):
    """A REST call could not be tried: its key, its recording or the virtual server is missing."""

    reason = Reason.ENDPOINT


class McpUnavailable(InfrastructureError):
    """An MCP server does not start or answer, or has other tools than when they were imported."""

    reason = Reason.ENDPOINT


class SandboxLost(InfrastructureError):
    """The sandbox itself failed; the call in it is not necessarily to blame."""

    reason = Reason.SANDBOX
