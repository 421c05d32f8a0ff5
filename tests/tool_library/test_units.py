import pytest

UNITS = {
    "convert_length": ("millimetre", "inch", "mile", "light_year"),
    "convert_mass": ("milligram", "ounce", "stone", "us_ton"),
    "convert_speed": ("metre_per_second", "knot", "mile_per_hour"),
    "convert_data_size": ("bit", "kB", "GiB", "Gbit", "PiB"),
    "convert_energy": ("calorie", "btu", "kilowatt_hour", "electronvolt"),
    "convert_pressure": ("pascal", "psi", "mmHg", "atmosphere"),
    "convert_fuel_economy": ("litre_per_100km", "km_per_litre", "mpg_us", "mpg_imperial"),
    "convert_temperature": ("celsius", "fahrenheit", "kelvin", "rankine"),
}


@pytest.mark.parametrize("name", UNITS)
def test_values_come_back_from_each_unit(tools, name):
    convert = getattr(tools, name)
    for one in UNITS[name]:
        for other in UNITS[name]:
            assert convert(convert(123.456, one, other), other, one) == pytest.approx(123.456)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("convert_length", (1, "light_year", "kilometre"), 9460730472580.8),
        ("convert_length", (1, "mile", "foot"), 5280),
        ("convert_mass", (1, "pound", "ounce"), 16),
        ("convert_mass", (1, "stone", "pound"), 14),
        ("convert_speed", (1, "knot", "kilometre_per_hour"), 1.852),
        ("convert_data_size", (1, "byte", "bit"), 8),
        ("convert_data_size", (1, "TiB", "GiB"), 1024),
        ("convert_energy", (1, "kilowatt_hour", "kilojoule"), 3600),
        ("convert_pressure", (1, "atmosphere", "mmHg"), 760.0),
        ("convert_fuel_economy", (100, "km_per_litre"), 1),
        ("convert_fuel_economy", (235.2145833, "mpg_us"), 1),
    ],
)
def test_definitions_hold(tools, name, arguments, expected):
    assert getattr(tools, name)(*arguments) == pytest.approx(expected, rel=1e-6)


def test_absolute_zero_is_the_coldest(tools):
    assert tools.convert_temperature(-459.67, "fahrenheit", "kelvin") == 0
    assert tools.convert_temperature(0, "kelvin") == -273.15
    for value, unit in ((-273.16, "celsius"), (-0.01, "kelvin"), (-1, "rankine")):
        with pytest.raises(ValueError, match="absolute zero"):
            tools.convert_temperature(value, unit)


def test_nothing_is_nothing_in_any_unit(tools):
    for name in ("convert_length", "convert_mass", "convert_speed", "convert_energy"):
        first, second, *_ = UNITS[name]
        assert getattr(tools, name)(0, first, second) == 0
