"""Weather that people feel, air quality, and what energy, travel and rain amount to."""

import math
from typing import Annotated, Literal, TypeAlias

CATEGORY = "Environment"
__all__ = [
    "air_quality_index",
    "dew_point",
    "electricity_cost",
    "heat_index",
    "rainwater_harvest",
    "trip_carbon_footprint",
    "wind_chill",
]

TemperatureUnit: TypeAlias = Literal["celsius", "fahrenheit"]

# Grams of CO2 equivalent per kilometre: of a vehicle for the first three, of a passenger otherwise.
_GRAMS_PER_KM = {
    "petrol_car": 170,
    "diesel_car": 165,
    "electric_car": 50,
    "bus": 100,
    "coach": 27,
    "train": 35,
    "metro": 28,
    "ferry": 110,
    "short_flight": 180,
    "long_flight": 150,
    "bicycle": 0,
}
_SHARED = ("petrol_car", "diesel_car", "electric_car")

# The steps of the index as the US EPA has them since 2024: concentration and index, from and to.
_AIR_QUALITY = {
    "pm25": (
        (0.0, 9.0, 0, 50),
        (9.1, 35.4, 51, 100),
        (35.5, 55.4, 101, 150),
        (55.5, 125.4, 151, 200),
        (125.5, 225.4, 201, 300),
        (225.5, 325.4, 301, 500),
    ),
    "pm10": (
        (0, 54, 0, 50),
        (55, 154, 51, 100),
        (155, 254, 101, 150),
        (255, 354, 151, 200),
        (355, 424, 201, 300),
        (425, 604, 301, 500),
    ),
}
_AIR_CLASSES = (
    (50, "good"),
    (100, "moderate"),
    (150, "unhealthy for sensitive groups"),
    (200, "unhealthy"),
    (300, "very unhealthy"),
    (500, "hazardous"),
)
_HEAT_WARNINGS = (
    (125, "extreme danger"),
    (103, "danger"),
    (90, "extreme caution"),
    (80, "caution"),
)
_FROSTBITE_RISKS = ((-55, "extreme"), (-48, "severe"), (-40, "very high"), (-28, "high"))


def trip_carbon_footprint(
    distance_km: Annotated[float, {"minimum": 0, "maximum": 100000}],
    mode: Literal[
        "petrol_car",
        "diesel_car",
        "electric_car",
        "bus",
        "coach",
        "train",
        "metro",
        "ferry",
        "short_flight",
        "long_flight",
        "bicycle",
    ],
    travellers: Annotated[int, {"minimum": 1, "maximum": 9}] = 1,
    round_trip: bool = False,
) -> dict[str, float]:
    """Estimate the greenhouse gas emissions of a trip.

    Uses rounded average factors: 170 g CO2e per kilometre for a petrol car as a whole; for each
    passenger 35 g by train, 100 g by bus, 180 g on a short and 150 g on a long flight.

    Args:
        distance_km: The distance one way in kilometres.
        mode: The means of transport; a long flight is one of over 3700 km.
        travellers: The people travelling together, who share a car but not a seat elsewhere.
        round_trip: Whether they also travel back.

    Returns:
        The emissions of all travellers and of each, in kilograms of CO2 equivalent.

    Examples:
        >>> trip_carbon_footprint(450, "train")
        {'total_kg': 15.75, 'per_person_kg': 15.75}
        >>> trip_carbon_footprint(300, "petrol_car", travellers=4, round_trip=True)
        {'total_kg': 102.0, 'per_person_kg': 25.5}
        >>> trip_carbon_footprint(distance_km=1200, mode="short_flight", travellers=2)
        {'total_kg': 432.0, 'per_person_kg': 216.0}
    """
    one = distance_km * (2 if round_trip else 1) * _GRAMS_PER_KM[mode] / 1000
    total = one if mode in _SHARED else one * travellers
    return {"total_kg": round(total, 3), "per_person_kg": round(total / travellers, 3)}


def electricity_cost(
    power_watts: Annotated[float, {"minimum": 0, "maximum": 1e6}],
    hours_per_day: Annotated[float, {"minimum": 0, "maximum": 24}],
    price_per_kwh: Annotated[float, {"minimum": 0, "maximum": 1000}],
    days: Annotated[int, {"minimum": 1, "maximum": 3660}] = 30,
) -> dict[str, float]:
    """Compute what it costs to run an electric appliance.

    Args:
        power_watts: The power that the appliance draws, in watts.
        hours_per_day: How many hours it runs in a day.
        price_per_kwh: The price of a kilowatt-hour, in any currency.
        days: The number of days.

    Returns:
        The energy used in kilowatt-hours, and its cost in the currency of the price.

    Examples:
        >>> electricity_cost(1500, 2, 0.32)
        {'kwh': 90.0, 'cost': 28.8}
        >>> electricity_cost(60, 24, 0.25, days=365)
        {'kwh': 525.6, 'cost': 131.4}
        >>> electricity_cost(power_watts=2200, hours_per_day=0.5, price_per_kwh=31.5, days=7)
        {'kwh': 7.7, 'cost': 242.55}
    """
    kwh = power_watts * hours_per_day * days / 1000
    return {"kwh": round(kwh, 3), "cost": round(kwh * price_per_kwh, 2)}


def heat_index(
    temperature: Annotated[float, {"minimum": 0, "maximum": 140}],
    relative_humidity: Annotated[float, {"minimum": 0, "maximum": 100}],
    unit: TemperatureUnit,
) -> dict[str, float | str]:
    """Compute how hot it feels in humid air, as the US National Weather Service does.

    Args:
        temperature: The air temperature in the shade.
        relative_humidity: The relative humidity in percent.
        unit: The unit of the temperature and of the result.

    Returns:
        The heat index, to one decimal, and the warning: none, caution, extreme caution, danger or
        extreme danger.

    Raises:
        ValueError: if the temperature is over 60 °C.

    Examples:
        >>> heat_index(90, 70, "fahrenheit")
        {'heat_index': 105.9, 'warning': 'danger'}
        >>> heat_index(35, 40, "celsius")
        {'heat_index': 37.2, 'warning': 'extreme caution'}
        >>> heat_index(temperature=70, relative_humidity=50, unit="fahrenheit")
        {'heat_index': 69.5, 'warning': 'none'}
    """
    fahrenheit = temperature * 1.8 + 32 if unit == "celsius" else temperature
    if fahrenheit > 140:
        raise ValueError(f"{temperature} °C is over 60 °C, where no heat index is defined")
    felt = _felt_fahrenheit(fahrenheit, relative_humidity)
    warning = next((name for limit, name in _HEAT_WARNINGS if felt >= limit), "none")
    shown = (felt - 32) / 1.8 if unit == "celsius" else felt
    return {"heat_index": round(shown, 1), "warning": warning}


def _felt_fahrenheit(heat: float, humidity: float) -> float:
    """Steadman's simple formula below 80, else Rothfusz's regression with its adjustments."""
    simple = 0.5 * (heat + 61 + (heat - 68) * 1.2 + humidity * 0.094)
    simple = (simple + heat) / 2
    if simple < 80:
        return simple
    felt = (
        -42.379
        + 2.04901523 * heat
        + 10.14333127 * humidity
        - 0.22475541 * heat * humidity
        - 0.00683783 * heat**2
        - 0.05481717 * humidity**2
        + 0.00122874 * heat**2 * humidity
        + 0.00085282 * heat * humidity**2
        - 0.00000199 * heat**2 * humidity**2
    )
    if humidity < 13 and 80 <= heat <= 112:
        felt -= (13 - humidity) / 4 * math.sqrt((17 - abs(heat - 95)) / 17)
    elif humidity > 85 and 80 <= heat <= 87:
        felt += (humidity - 85) / 10 * (87 - heat) / 5
    return felt


def wind_chill(
    temperature_c: Annotated[float, {"minimum": -90, "maximum": 10}],
    wind_speed_kmh: Annotated[float, {"minimum": 4.8, "maximum": 250}],
    unit: TemperatureUnit = "celsius",
) -> dict[str, float | str]:
    """Compute how cold it feels in the wind, with the index of Canada and the USA.

    The index is defined for temperatures up to 10 °C and winds from 4.8 km/h.

    Args:
        temperature_c: The air temperature in degrees Celsius.
        wind_speed_kmh: The wind speed 10 m above the ground, in kilometres per hour.
        unit: The unit of the result.

    Returns:
        The wind chill, to one decimal, and the risk of frostbite.

    Examples:
        >>> wind_chill(-10, 30)
        {'wind_chill': -19.5, 'frostbite_risk': 'low'}
        >>> wind_chill(-20, 20)
        {'wind_chill': -30.5, 'frostbite_risk': 'high'}
        >>> wind_chill(temperature_c=5, wind_speed_kmh=40, unit="fahrenheit")
        {'wind_chill': 30.7, 'frostbite_risk': 'low'}
    """
    wind = wind_speed_kmh**0.16
    felt = 13.12 + 0.6215 * temperature_c - 11.37 * wind + 0.3965 * temperature_c * wind
    risk = next((name for limit, name in _FROSTBITE_RISKS if round(felt) <= limit), "low")
    shown = felt * 1.8 + 32 if unit == "fahrenheit" else felt
    return {"wind_chill": round(shown, 1), "frostbite_risk": risk}


def dew_point(
    temperature_c: Annotated[float, {"minimum": -45, "maximum": 60}],
    relative_humidity: Annotated[float, {"minimum": 1, "maximum": 100}],
    unit: TemperatureUnit = "celsius",
) -> float:
    """Compute the temperature to which air must cool for dew or fog to form (Magnus formula).

    Args:
        temperature_c: The air temperature in degrees Celsius.
        relative_humidity: The relative humidity in percent.
        unit: The unit of the result.

    Returns:
        The dew point, to one decimal.

    Examples:
        >>> dew_point(20, 50)
        9.3
        >>> dew_point(25, 100)
        25.0
        >>> dew_point(temperature_c=30, relative_humidity=65.5, unit="fahrenheit")
        73.1
    """
    vapour = math.log(relative_humidity / 100) + 17.625 * temperature_c / (243.04 + temperature_c)
    dew = 243.04 * vapour / (17.625 - vapour)
    return round(dew * 1.8 + 32 if unit == "fahrenheit" else dew, 1) + 0.0


def air_quality_index(
    concentration: Annotated[float, {"minimum": 0, "maximum": 604}],
    pollutant: Literal["pm25", "pm10"] = "pm25",
) -> dict[str, int | str]:
    """Turn a concentration of fine particles into the US air quality index (AQI).

    Uses the breakpoints of 2024.

    Args:
        concentration: The average over 24 hours, in micrograms per cubic metre.
        pollutant: `pm25` for particles up to 2.5 micrometres, `pm10` for those up to 10.

    Returns:
        The index from 0 to 500, and its class.

    Raises:
        ValueError: if the concentration is beyond the index (over 325.4 for `pm25`).

    Examples:
        >>> air_quality_index(9)
        {'aqi': 50, 'class': 'good'}
        >>> air_quality_index(35.9)
        {'aqi': 102, 'class': 'unhealthy for sensitive groups'}
        >>> air_quality_index(120, pollutant="pm10")
        {'aqi': 83, 'class': 'moderate'}
        >>> air_quality_index(concentration=12.0, pollutant="pm25")
        {'aqi': 56, 'class': 'moderate'}
    """
    digits = 10 if pollutant == "pm25" else 1
    truncated = math.floor(round(concentration * digits, 6)) / digits
    for low, high, index_low, index_high in _AIR_QUALITY[pollutant]:
        if truncated <= high:
            share = (truncated - low) / (high - low)
            index = round(index_low + share * (index_high - index_low))
            return {"aqi": index, "class": next(c for most, c in _AIR_CLASSES if index <= most)}
    raise ValueError(f"{concentration} µg/m³ of {pollutant} is beyond the index")


def rainwater_harvest(
    roof_area_m2: Annotated[float, {"minimum": 0, "maximum": 1e6}],
    rainfall_mm: Annotated[float, {"minimum": 0, "maximum": 15000}],
    runoff_share: Annotated[float, {"minimum": 0, "maximum": 1}] = 0.85,
) -> float:
    """Compute how much rainwater a roof collects.

    Args:
        roof_area_m2: The area that the roof covers, seen from above, in square metres.
        rainfall_mm: The rainfall in millimetres (litres per square metre).
        runoff_share: The share that reaches the tank: about 0.9 for metal or tiles, 0.3 for a
            green roof.

    Returns:
        The amount in litres.

    Examples:
        >>> rainwater_harvest(120, 600)
        61200.0
        >>> rainwater_harvest(80.5, 20, runoff_share=0.5)
        805.0
        >>> rainwater_harvest(roof_area_m2=50, rainfall_mm=900, runoff_share=0.3)
        13500.0
    """
    return round(float(roof_area_m2 * rainfall_mm * runoff_share), 3)
