"""The six functions of distilabel's APIGen tutorial, written anew; services are tables here."""

import math

PLANETS = {"1": {"name": "Tatooine", "climate": "arid"}, "2": {"name": "Alderaan"}}
CHARACTERS = {"mulan": {"films": ["Mulan"]}}


def final_velocity(initial_velocity: float, acceleration: float, time: float) -> float:
    """Calculates the final velocity of an object given its initial velocity, acceleration, and
    time.

    Args:
        initial_velocity: The initial velocity of the object.
        acceleration: The acceleration of the object.
        time: The time elapsed.
    """
    return initial_velocity + acceleration * time


def permutation_count(n: int, k: int) -> int:
    """Calculates the number of permutations of k elements from a set of n elements.

    Args:
        n: The total number of elements in the set.
        k: The number of elements to choose for the permutation.
    """
    return math.perm(n, k)


def getdivision(dividend: int, divisor: int) -> float:
    """Divides two numbers by making an API call to a division service.

    Args:
        dividend: The dividend in the division operation.
        divisor: The divisor in the division operation.
    """
    return dividend / divisor


def binary_addition(a: str, b: str) -> str:
    """Adds two binary numbers and returns the result as a binary string.

    Args:
        a: The first binary number.
        b: The second binary number.
    """
    return f"{int(a, 2) + int(b, 2):b}"


def swapi_planet_resource(id: str) -> dict:  # noqa: A002
    """get a specific planets resource

    Args:
        id: identifier of the planet
    """
    return PLANETS[id]


def disney_character(name: str) -> dict:
    """Find a specific character using this endpoint

    Args:
        name: Name of the character to look for.
    """
    return CHARACTERS[name.lower()]
