"""The one list of attacks, each with what shows that it was contained."""

from collections.abc import Callable
from typing import Any, NamedTuple

Function = Callable[[], Any]


class Attack(NamedTuple):
    """A tool that attacks, and what a sandbox that contains it answers."""

    function: Function
    expected: tuple[str, ...]
    """The verdicts (values of `Reason`, or `returned`) that show it was contained."""
    container_only: bool
    """Only a memory cgroup contains it."""
    linux_only: bool
    """Another kernel (gVisor) lets it see what is the sandbox's own, and nothing more."""

    @property
    def promise(self) -> str:
        """What the attack would break."""
        return str(self.function.__doc__).strip()


ATTACKS: dict[str, Attack] = {}


def attack(
    *expected: str, container_only: bool = False, linux_only: bool = False
) -> Callable[[Function], Function]:
    """Register an attack."""

    def register(function: Function) -> Function:
        ATTACKS[function.__name__] = Attack(function, expected, container_only, linux_only)
        return function

    return register
