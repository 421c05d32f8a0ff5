"""Units of measure: what a quantity in one unit is in another of the same dimension."""

from functools import cache

_PREFIXES = {
    "p": 1e-12, "n": 1e-9, "µ": 1e-6, "u": 1e-6, "m": 1e-3, "c": 1e-2, "d": 1e-1,
    "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
}  # fmt: skip
_PREFIX_WORDS = {
    "pico": 1e-12, "nano": 1e-9, "micro": 1e-6, "milli": 1e-3, "centi": 1e-2, "deci": 1e-1,
    "kilo": 1e3, "mega": 1e6, "giga": 1e9, "tera": 1e12,
}  # fmt: skip
_SI = {
    "H": "henry", "F": "farad", "m": "meter", "g": "gram", "A": "ampere", "V": "volt", "W": "watt",
    "Hz": "hertz", "Pa": "pascal", "J": "joule", "N": "newton", "C": "coulomb", "T": "tesla",
    "eV": "electronvolt", "B": "byte", "Ω": "ohm", "L": "liter", "l": "liter", "mol": "mole",
    "s": "second", "bit": "bit", "Wb": "weber", "cal": "calorie", "Wh": "watthour", "bar": "bar",
}  # fmt: skip
_WORDS = {
    "metre": "meter", "litre": "liter", "gramme": "gram", "amp": "ampere", "henries": "henry",
    "sec": "second",
}  # fmt: skip
_OTHERS: dict[str, dict[str, float]] = {
    "second": {
        "minute": 60, "min": 60, "hour": 3600, "hr": 3600, "h": 3600, "day": 86400,
        "week": 604800, "wk": 604800, "fortnight": 1209600, "month": 2629800, "quarter": 7889400,
        "year": 31557600, "yr": 31557600, "decade": 315576000, "century": 3155760000,
        "centurie": 3155760000, "年": 31557600, "个月": 2629800, "月": 2629800, "周": 604800,
        "天": 86400, "小时": 3600, "分钟": 60, "秒": 1,
    },
    "meter": {
        "mile": 1609.344, "mi": 1609.344, "yard": 0.9144, "yd": 0.9144, "foot": 0.3048,
        "feet": 0.3048, "ft": 0.3048, "inch": 0.0254, "inche": 0.0254, "in": 0.0254, "\"": 0.0254,
        "'": 0.3048, "kms": 1000, "angstrom": 1e-10, "lightyear": 9.4607e15,
        "公里": 1000, "千米": 1000, "米": 1,
    },
    "gram": {
        "pound": 453.59237, "lb": 453.59237, "ounce": 28.349523, "oz": 28.349523, "stone": 6350.29,
        "ton": 1e6, "tonne": 1e6, "t": 1e6, "kgs": 1000, "kilo": 1000, "carat": 0.2,
        "公斤": 1000, "千克": 1000, "克": 1,
    },
    "liter": {
        "gallon": 3.785411784, "gal": 3.785411784, "pint": 0.473176, "quart": 0.946353,
        "cup": 0.2365882, "tablespoon": 0.0147868, "tbsp": 0.0147868, "teaspoon": 0.00492892,
        "tsp": 0.00492892, "cc": 1e-3, "m^3": 1e3, "cm^3": 1e-3,
    },
    "speed": {
        "m/s": 1, "km/h": 1 / 3.6, "kmh": 1 / 3.6, "kph": 1 / 3.6, "mph": 0.44704, "km/s": 1e3,
        "mi/h": 0.44704, "knot": 0.514444, "ft/s": 0.3048, "cm/s": 0.01,
    },
    "area": {
        "m^2": 1, "m2": 1, "sqm": 1, "cm^2": 1e-4, "cm2": 1e-4, "mm^2": 1e-6, "km^2": 1e6,
        "ft^2": 0.09290304, "sqft": 0.09290304, "acre": 4046.8564, "hectare": 1e4, "ha": 1e4,
    },
    "pascal": {"atm": 101325, "psi": 6894.757, "mmhg": 133.322, "torr": 133.322, "bar": 1e5},
    "joule": {"calorie": 4.184, "kwh": 3.6e6, "btu": 1055.06, "cal": 4.184, "kcal": 4184},
    "watt": {"horsepower": 745.7, "hp": 745.7},
    "byte": {"kib": 1024, "mib": 2**20, "gib": 2**30, "tib": 2**40},
    "angle": {"degree": 1, "deg": 1, "°": 1, "radian": 57.29577951308232, "rad": 57.29577951308232},
    "count": {"dozen": 12, "pair": 2, "score": 20, "gross": 144},
    "kelvin": {"k": 1, "kelvin": 1, "celsius": 1, "fahrenheit": 1, "°c": 1, "°f": 1},
    "money": {"dollar": 1, "euro": 1, "cent": 0.01, "pence": 0.01, "usd": 1, "buck": 1},
    "ratio": {"%": 0.01, "percent": 0.01, "percentage": 0.01, "pct": 0.01, "bps": 1e-4},
}  # fmt: skip
_EXTRA_FACTORS = {"byte": (1024.0, 2.0**20, 2.0**30), "second": (2592000.0, 31536000.0)}
"""Binary kilobytes; months of 30 days and years of 365."""
_ROUND = {2629800: 2592000.0, 31557600: 31536000.0}


@cache
def _units() -> dict[str, tuple[str, float]]:
    table: dict[str, tuple[str, float]] = {}
    for symbol, dimension in _SI.items():
        for prefix, factor in _PREFIXES.items():
            table.setdefault(prefix + symbol, (dimension, factor))
        table[symbol] = (dimension, 1.0)
    spelled = {name: name for name in _SI.values()} | _WORDS
    for name, dimension in spelled.items():
        table[name] = (dimension, 1.0)
        for prefix, factor in _PREFIX_WORDS.items():
            table[prefix + name] = (dimension, factor)
    for dimension, units in _OTHERS.items():
        table |= {name: (dimension, factor) for name, factor in units.items()}
    return table


@cache
def factors(dimension: str) -> tuple[float, ...]:
    """The sizes of the units in use for a dimension, the base unit's being 1."""
    sizes = {factor for name, factor in _units().values() if name == dimension}
    return tuple(sorted(sizes | {1.0} | set(_EXTRA_FACTORS.get(dimension, ()))))


@cache
def unit(text: str) -> tuple[str, float] | None:
    """The dimension and size of a unit, by its symbol or name in the singular or plural."""
    table = _units()
    lower = text.casefold()
    for name in (text, lower, lower.removesuffix("s"), lower.removesuffix("es")):
        if name in table:
            return table[name]
    return None


def round_size(size: float) -> float | None:
    """What a month or a year is taken for in plain speech: 30 and 365 days."""
    return _ROUND.get(int(size))


def temperatures(value: float) -> tuple[float, ...]:
    """A temperature in the scales it may be asked in."""
    return (value * 9 / 5 + 32, (value - 32) * 5 / 9, value + 273.15, value - 273.15)
