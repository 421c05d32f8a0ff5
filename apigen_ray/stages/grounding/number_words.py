"""Numbers in words."""

from collections.abc import Iterator, Sequence

from apigen_ray.stages.grounding.text import vocabulary

SMALL = {
    word: value
    for value, word in enumerate(
        vocabulary(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
            "fifteen sixteen seventeen eighteen nineteen"
        )
    )
}
_TENS = {
    word: 10 * value
    for value, word in enumerate(
        vocabulary("twenty thirty forty fifty sixty seventy eighty ninety"), start=2
    )
}
ORDINALS = {
    word: value
    for value, word in enumerate(
        vocabulary(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
            "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
        ),
        start=1,
    )
} | {word[:-1] + "ieth": value for word, value in _TENS.items()}
PLAIN = SMALL | _TENS | ORDINALS
MAGNITUDES = {
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12,
    "lakh": 1e5, "lac": 1e5, "crore": 1e7, "dozen": 12.0, "grand": 1e3,
    "hundreds": 1e2, "thousands": 1e3, "millions": 1e6, "billions": 1e9, "lakhs": 1e5,
    "crores": 1e7, "dozens": 12.0, "万": 1e4, "亿": 1e8, "千": 1e3, "百": 1e2, "만": 1e4,
}  # fmt: skip
LOOSE = {
    "a": 1, "an": 1, "single": 1, "singles": 1, "once": 1, "twice": 2, "thrice": 3, "double": 2,
    "triple": 3, "both": 2, "couple": 2, "pair": 2, "twins": 2, "duo": 2, "dual": 2, "trio": 3,
    "quad": 4, "half": 0.5, "halves": 0.5, "third": 1 / 3, "thirds": 1 / 3,
    "quarter": 0.25, "quarters": 0.25, "fifths": 0.2, "myself": 1, "alone": 1, "solo": 1,
    "bachelor": 1, "another": 1, "squared": 2, "cubed": 3, "square": 2, "cube": 3,
    "quarterly": 4, "annually": 1,
    "yearly": 1, "annual": 1, "semiannually": 2, "biweekly": 2, "monthly": 12,
    "weekly": 7, "daily": 1,
    "decade": 10, "century": 100, "fair": 0.5, "highest": 1, "lowest": 1, "best": 1, "most": 1,
    "largest": 1,
}  # fmt: skip
"""Words that imply a number without naming it: weak evidence."""
COMMON_KNOWLEDGE: dict[str, tuple[float, ...]] = {
    "card": (52, 13, 4, 26), "cards": (52, 13, 4, 26), "deck": (52, 13, 4, 26),
    "die": (6,), "dice": (6,), "coin": (2, 0.5), "coins": (2, 0.5),
    "week": (7,), "year": (12, 365, 52), "day": (24,), "hour": (60,),
    "gravity": (9.8, 9.81, -9.8, -9.81, 10), "fall": (9.8, 9.81), "falls": (9.8, 9.81),
    "dropped": (9.8, 9.81), "thrown": (9.8, 9.81), "projectile": (9.8, 9.81),
    "earth": (9.8, 9.81, 5.972e24, 6371), "light": (299792458, 3e8),
    "water": (1000, 1, 4.18, 4.184, 4186), "heads": (0.5,), "alphabet": (26,),
    "poker": (5, 52), "chess": (8, 64), "triangle": (3, 180), "rectangle": (4,), "pentagon": (5,),
    "hexagon": (6,), "octagon": (8,), "circle": (360, 3.14, 3.1416, 3.14159), "century": (100,),
    "soccer": (11,), "football": (11,), "basketball": (5,), "baseball": (9,), "piano": (88,),
    "sound": (343, 340), "boiling": (100, 212, 373.15), "freezing": (0, 32, 273.15),
    "percentage": (100,), "leap": (366, 29), "millennium": (1000,), "fortnight": (14,),
    "magnetic": (1.256e-6, 1.257e-6, 1.2566e-6, 1.25663706e-6), "electron": (1.6e-19, 1.602e-19),
    "electric": (8.99e9, 9e9, 8.854e-12, 8.85e-12), "gravitational": (6.674e-11, 6.67e-11),
    "gas": (8.314, 0.0821), "planck": (6.626e-34,), "avogadro": (6.022e23,),
    "binary": (2,), "octal": (8,), "hex": (16,), "hexadecimal": (16,),
}  # fmt: skip
"""What everyone knows once a word is said: a deck has 52 cards."""


FIRST_WORDS = PLAIN.keys() | {"hundred", "thousand", "million", "dozen"}
"""The words that a number in words can start with."""


def spelled(words: Sequence[str], index: int) -> tuple[float, int]:
    """The number in words that starts at `index`, and where it ends; that's `index` if none."""
    total, group, position, seen = 0.0, 0.0, index, False
    while position < len(words):
        word = words[position]
        if word in PLAIN and not (seen and group % 100 and (group % 10 or PLAIN[word] > 9)):
            group += PLAIN[word]
        elif word in MAGNITUDES and (seen or word in FIRST_WORDS):
            size = MAGNITUDES[word]
            group = max(group, 1.0) * size
            if size >= 1e3:
                total, group = total + group, 0.0
        elif not (
            word == "and"
            and seen
            and words[position + 1 : position + 2]
            and words[position + 1] in PLAIN
            and words[position - 1] in MAGNITUDES
        ):
            break
        seen = True
        position += 1
    return total + group, position


def fractions(value: float, after: Sequence[str]) -> Iterator[float]:
    """`three quarters`, `two thirds`, `one and a half`, `two point five`."""
    if not after:
        return
    singular = after[0].removesuffix("s")
    if after[0] in ("half", "halves", "quarter", "quarters"):
        yield value * (0.5 if after[0].startswith("hal") else 0.25)
    elif singular in ORDINALS and ORDINALS[singular] > 2:
        yield value / ORDINALS[singular]
    elif list(after[:3]) == ["and", "a", "half"]:
        yield value + 0.5
    elif after[0] == "point" and after[1:] and after[1] in SMALL:
        yield value + SMALL[after[1]] / 10
