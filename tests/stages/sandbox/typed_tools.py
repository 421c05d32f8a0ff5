"""Tools whose parameters and results are of types that JSON doesn't have."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum, IntEnum
from typing import Literal, NewType, TypedDict

Metres = NewType("Metres", float)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Point:
    x: float
    y: float = 0.0
    colour: Colour = Colour.RED
    count: int = field(default=0, init=False)


@dataclass
class Node:
    name: str
    more: "list[Node]" = field(default_factory=list)


class Route(TypedDict, total=False):
    start: Point
    day: date


def kind(value: Colour | Point | Level | Node | str | None) -> str:
    return type(value).__name__


def name_of(colour: Colour = Colour.BLUE) -> str:
    return colour.name


def move(points: dict[str, list[Point]], by: Metres) -> dict[str, list[Point]]:
    return {name: [Point(p.x + by, p.y, p.colour) for p in row] for name, row in points.items()}


def depth(node: Node) -> int:
    return 1 + max(map(depth, node.more), default=0)


def weekday(route: Route) -> tuple[str, float]:
    return route["day"].strftime("%A"), route["start"].x


def pair(both: tuple[Colour, int], rest: tuple[Colour, ...] = ()) -> list:
    return [both[0].name, both[1], [c.name for c in rest]]


def distinct(numbers: set[int], when: datetime) -> list:
    return [sorted(numbers), when.isoformat()]


def pick(which: Literal[Colour.RED, "x", 1]) -> str:
    return repr(which)


async def later(colour: Colour) -> Colour:
    return colour


def plain(value: dict) -> object:
    return value


def endless() -> Node:
    node = Node("a")
    node.more.append(node)
    return node


def odd() -> Point:
    return Point({1: 2}, {3}, object())
