"""The exceptions of the package.

ApigenError
├── BadInput            the user's config, file or environment; one line, exit code 2
├── StoreLost           the run folder can't be written any more; one line, exit code 1
└── InfrastructureError becomes an `error` row, which a resume asks again
    ├── EndpointError   a model endpoint that cannot be reached, or answers with an error
    │   ├── PromptTooLong   the prompt does not fit into the model's context
    │   └── RateLimited     it kept refusing for load
    ├── BudgetSpent     the run may spend no more
    ├── RestUnavailable a REST call that could not be tried: its key or its recording is missing
    └── SandboxLost     the sandbox, not the call in it, failed

A bad sample is never an exception: it is a `Rejected` or `Failed` record.
"""

from typing import ClassVar

from apigen_ray.records import Reason


class ApigenError(Exception):
    """Root of the package's exceptions."""


class BadInput(ApigenError):
    """Names the file, line, key or URL that is wrong, and what to do."""


class StoreLost(ApigenError):
    """What was committed is safe; the rest is asked again by the next attempt."""


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
    """A model endpoint refused for load until our patience ended."""

    reason = Reason.RATE_LIMITED


class BudgetSpent(InfrastructureError):
    """The run may ask for no more: a limit in money or in tokens is reached, or it is ending."""

    reason = Reason.BUDGET


class RestUnavailable(InfrastructureError):
    """A REST call could not be tried: its key, its recording or the virtual server is missing."""

    reason = Reason.ENDPOINT


class SandboxLost(InfrastructureError):
    """The sandbox itself failed; the call in it may be innocent."""

    reason = Reason.SANDBOX
