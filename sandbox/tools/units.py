"""Unit conversion: length, mass, temperature, speed, data, energy, pressure and fuel economy."""

from typing import Annotated, Literal, TypeAlias

CATEGORY = "Science"
__all__ = [
    "convert_data_size",
    "convert_energy",
    "convert_fuel_economy",
    "convert_length",
    "convert_mass",
    "convert_pressure",
    "convert_speed",
    "convert_temperature",
]

Amount: TypeAlias = Annotated[float, {"minimum": 0, "maximum": 1e15}]
LengthUnit: TypeAlias = Literal[
    "millimetre",
    "centimetre",
    "metre",
    "kilometre",
    "inch",
    "foot",
    "yard",
    "mile",
    "nautical_mile",
    "light_year",
]
MassUnit: TypeAlias = Literal[
    "milligram", "gram", "kilogram", "tonne", "ounce", "pound", "stone", "us_ton", "carat"
]
TemperatureUnit: TypeAlias = Literal["celsius", "fahrenheit", "kelvin", "rankine"]
SpeedUnit: TypeAlias = Literal[
    "metre_per_second", "kilometre_per_hour", "mile_per_hour", "knot", "foot_per_second"
]
DataUnit: TypeAlias = Literal[
    "bit", "byte", "kB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB", "PiB", "Mbit", "Gbit"
]
EnergyUnit: TypeAlias = Literal[
    "joule",
    "kilojoule",
    "calorie",
    "kilocalorie",
    "watt_hour",
    "kilowatt_hour",
    "btu",
    "electronvolt",
]
PressureUnit: TypeAlias = Literal["pascal", "kilopascal", "bar", "atmosphere", "psi", "mmHg"]
FuelUnit: TypeAlias = Literal["litre_per_100km", "km_per_litre", "mpg_us", "mpg_imperial"]

# What one unit is in the SI unit, or in bytes. The imperial ones are exact by their definitions.
_METRES = {
    "millimetre": 0.001,
    "centimetre": 0.01,
    "metre": 1.0,
    "kilometre": 1000.0,
    "inch": 0.0254,
    "foot": 0.3048,
    "yard": 0.9144,
    "mile": 1609.344,
    "nautical_mile": 1852.0,
    "light_year": 9_460_730_472_580_800.0,
}
_KILOGRAMS = {
    "milligram": 1e-6,
    "gram": 0.001,
    "kilogram": 1.0,
    "tonne": 1000.0,
    "ounce": 0.028349523125,
    "pound": 0.45359237,
    "stone": 6.35029318,
    "us_ton": 907.18474,
    "carat": 0.0002,
}
_METRES_PER_SECOND = {
    "metre_per_second": 1.0,
    "kilometre_per_hour": 1 / 3.6,
    "mile_per_hour": 0.44704,
    "knot": 1852 / 3600,
    "foot_per_second": 0.3048,
}
_BYTES = {
    "bit": 1 / 8,
    "byte": 1.0,
    "kB": 1e3,
    "MB": 1e6,
    "GB": 1e9,
    "TB": 1e12,
    "PB": 1e15,
    "KiB": 2.0**10,
    "MiB": 2.0**20,
    "GiB": 2.0**30,
    "TiB": 2.0**40,
    "PiB": 2.0**50,
    "Mbit": 1e6 / 8,
    "Gbit": 1e9 / 8,
}
_JOULES = {
    "joule": 1.0,
    "kilojoule": 1e3,
    "calorie": 4.184,
    "kilocalorie": 4184.0,
    "watt_hour": 3600.0,
    "kilowatt_hour": 3.6e6,
    "btu": 1055.05585262,
    "electronvolt": 1.602176634e-19,
}
_PASCALS = {
    "pascal": 1.0,
    "kilopascal": 1e3,
    "bar": 1e5,
    "atmosphere": 101_325.0,
    "psi": 6894.757293168361,
    "mmHg": 133.322387415,
}
_KELVINS = {"celsius": (1.0, 273.15), "kelvin": (1.0, 0.0)} | {
    "fahrenheit": (5 / 9, 459.67 * 5 / 9),
    "rankine": (5 / 9, 0.0),
}
_KM_PER_LITRE = {
    "km_per_litre": 1.0,
    "mpg_us": 1.609344 / 3.785411784,
    "mpg_imperial": 1.609344 / 4.54609,
}


def _tidy(value: float) -> float:
    """Ten significant digits: what binary fractions add beyond them is noise."""
    return float(f"{value:.10g}")


def convert_length(value: Amount, from_unit: LengthUnit, to_unit: LengthUnit = "metre") -> float:
    """Convert a length or distance between metric, imperial and astronomical units.

    Args:
        value: The length in `from_unit`.
        from_unit: The unit of the value.
        to_unit: The unit wanted.

    Returns:
        The length in `to_unit`, to ten significant digits.

    Examples:
        >>> convert_length(26.2, "mile", "kilometre")
        42.1648128
        >>> convert_length(6, from_unit="foot")
        1.8288
        >>> convert_length(250, "nautical_mile", "mile")
        287.694862
        >>> convert_length(72.5, "inch", "centimetre")
        184.15
    """
    return _tidy(value * _METRES[from_unit] / _METRES[to_unit])


def convert_mass(value: Amount, from_unit: MassUnit, to_unit: MassUnit = "kilogram") -> float:
    """Convert a mass (in daily life: a weight) between metric and imperial units.

    Args:
        value: The mass in `from_unit`.
        from_unit: The unit of the value; `us_ton` is the short ton of 2000 pounds.
        to_unit: The unit wanted.

    Returns:
        The mass in `to_unit`, to ten significant digits.

    Examples:
        >>> convert_mass(150, "pound")
        68.0388555
        >>> convert_mass(12.5, "stone", to_unit="pound")
        175.0
        >>> convert_mass(8, "ounce", "gram")
        226.796185
        >>> convert_mass(1.5, "carat", "milligram")
        300.0
    """
    return _tidy(value * _KILOGRAMS[from_unit] / _KILOGRAMS[to_unit])


def convert_temperature(
    value: Annotated[float, {"minimum": -459.67, "maximum": 1e9}],
    from_unit: TemperatureUnit,
    to_unit: TemperatureUnit = "celsius",
) -> float:
    """Convert a temperature between Celsius, Fahrenheit, Kelvin and Rankine.

    Args:
        value: The temperature in `from_unit`; not below absolute zero.
        from_unit: The scale of the value.
        to_unit: The scale wanted.

    Returns:
        The temperature in `to_unit`, to ten significant digits.

    Raises:
        ValueError: if the temperature is below absolute zero.

    Examples:
        >>> convert_temperature(98.6, "fahrenheit")
        37.0
        >>> convert_temperature(-40, "celsius", to_unit="fahrenheit")
        -40.0
        >>> convert_temperature(5778, "kelvin", "celsius")
        5504.85
        >>> convert_temperature(100, "celsius", "rankine")
        671.67
    """
    factor, offset = _KELVINS[from_unit]
    kelvins = value * factor + offset
    if kelvins < -1e-9:
        raise ValueError(f"{value} degrees {from_unit} is below absolute zero")
    factor, offset = _KELVINS[to_unit]
    return _tidy(round((kelvins - offset) / factor, 9))


def convert_speed(value: Amount, from_unit: SpeedUnit, to_unit: SpeedUnit) -> float:
    """Convert a speed between metric, imperial and nautical units.

    Args:
        value: The speed in `from_unit`.
        from_unit: The unit of the value.
        to_unit: The unit wanted.

    Returns:
        The speed in `to_unit`, to ten significant digits.

    Examples:
        >>> convert_speed(100, "kilometre_per_hour", "metre_per_second")
        27.77777778
        >>> convert_speed(65, from_unit="mile_per_hour", to_unit="kilometre_per_hour")
        104.60736
        >>> convert_speed(30, "knot", "kilometre_per_hour")
        55.56
    """
    return _tidy(value * _METRES_PER_SECOND[from_unit] / _METRES_PER_SECOND[to_unit])


def convert_data_size(value: Amount, from_unit: DataUnit, to_unit: DataUnit = "MB") -> float:
    """Convert an amount of data, with decimal (kB, MB) and binary (KiB, MiB) prefixes kept apart.

    Args:
        value: The amount in `from_unit`.
        from_unit: The unit of the value. 1 MB is 1,000,000 bytes, 1 MiB is 1,048,576 bytes.
        to_unit: The unit wanted.

    Returns:
        The amount in `to_unit`, to ten significant digits.

    Examples:
        >>> convert_data_size(500, "GB", to_unit="GiB")
        465.6612873
        >>> convert_data_size(1.5, "GiB")
        1610.612736
        >>> convert_data_size(940, "Mbit", "MB")
        117.5
        >>> convert_data_size(4096, "KiB", "MiB")
        4.0
    """
    return _tidy(value * _BYTES[from_unit] / _BYTES[to_unit])


def convert_energy(value: Amount, from_unit: EnergyUnit, to_unit: EnergyUnit = "joule") -> float:
    """Convert an energy, such as food calories, electricity or heat.

    Args:
        value: The energy in `from_unit`.
        from_unit: The unit of the value. The calorie is the thermochemical one of 4.184 J (food
            labels count kilocalories); the BTU is the one of the International Table.
        to_unit: The unit wanted.

    Returns:
        The energy in `to_unit`, to ten significant digits.

    Examples:
        >>> convert_energy(250, "kilocalorie", "kilojoule")
        1046.0
        >>> convert_energy(1.2, "kilowatt_hour")
        4320000.0
        >>> convert_energy(12000, "btu", to_unit="kilowatt_hour")
        3.516852842
        >>> convert_energy(13.6, "electronvolt", "joule")
        2.178960222e-18
    """
    return _tidy(value * _JOULES[from_unit] / _JOULES[to_unit])


def convert_pressure(value: Amount, from_unit: PressureUnit, to_unit: PressureUnit) -> float:
    """Convert a pressure, such as that of tyres, blood or the atmosphere.

    Args:
        value: The pressure in `from_unit`.
        from_unit: The unit of the value.
        to_unit: The unit wanted.

    Returns:
        The pressure in `to_unit`, to ten significant digits.

    Examples:
        >>> convert_pressure(32, "psi", "bar")
        2.206322334
        >>> convert_pressure(1, "atmosphere", to_unit="kilopascal")
        101.325
        >>> convert_pressure(120, from_unit="mmHg", to_unit="kilopascal")
        15.99868649
    """
    return _tidy(value * _PASCALS[from_unit] / _PASCALS[to_unit])


def convert_fuel_economy(
    value: Annotated[float, {"minimum": 0.01, "maximum": 100000}],
    from_unit: FuelUnit,
    to_unit: FuelUnit = "litre_per_100km",
) -> float:
    """Convert fuel economy between consumption (L/100 km) and distance per volume (mpg, km/L).

    Args:
        value: The fuel economy in `from_unit`.
        from_unit: The unit of the value; US and imperial gallons differ by a fifth.
        to_unit: The unit wanted.

    Returns:
        The fuel economy in `to_unit`, to ten significant digits.

    Examples:
        >>> convert_fuel_economy(30, "mpg_us")
        7.840486111
        >>> convert_fuel_economy(5, "litre_per_100km", to_unit="km_per_litre")
        20.0
        >>> convert_fuel_economy(40, "mpg_imperial", "mpg_us")
        33.30696739
    """
    if from_unit == "litre_per_100km":
        km_per_litre = 100 / value
    else:
        km_per_litre = value * _KM_PER_LITRE[from_unit]
    if to_unit == "litre_per_100km":
        return _tidy(100 / km_per_litre)
    return _tidy(km_per_litre / _KM_PER_LITRE[to_unit])
