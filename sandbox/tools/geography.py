"""Distances, directions and areas on the globe, taken as a sphere of the Earth's mean radius."""

import math
from typing import Annotated, Literal, TypeAlias, TypedDict

CATEGORY = "Travel"
__all__ = [
    "bounding_box",
    "box_around_place",
    "convert_dms_to_decimal",
    "destination_point",
    "geographic_midpoint",
    "great_circle_distance",
    "initial_bearing",
    "route_length",
]

Latitude: TypeAlias = Annotated[float, {"minimum": -90, "maximum": 90}]
Longitude: TypeAlias = Annotated[float, {"minimum": -180, "maximum": 180}]
DistanceUnit: TypeAlias = Literal["km", "mile", "nautical_mile"]


class Place(TypedDict):
    """A place on the globe, in degrees; south and west are negative."""

    latitude: Latitude
    longitude: Longitude


_EARTH_RADIUS_KM = 6371.0088
_KM = {"km": 1.0, "mile": 1.609344, "nautical_mile": 1.852}
_COMPASS = (
    *("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE"),
    *("S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"),
)


def _haversine_km(
    latitude1: float, longitude1: float, latitude2: float, longitude2: float
) -> float:
    half_height = math.radians(latitude2 - latitude1) / 2
    half_width = math.radians(longitude2 - longitude1) / 2
    shrink = math.cos(math.radians(latitude1)) * math.cos(math.radians(latitude2))
    chord = math.sin(half_height) ** 2 + shrink * math.sin(half_width) ** 2
    return 2 * _EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(chord)))


def _wrapped(longitude: float) -> float:
    """The same meridian from -180 to 180, without a negative zero."""
    return round((longitude + 180) % 360 - 180, 6) + 0.0


def great_circle_distance(
    latitude1: Latitude,
    longitude1: Longitude,
    latitude2: Latitude,
    longitude2: Longitude,
    unit: DistanceUnit = "km",
) -> float:
    """Compute the shortest distance over the globe between two places (haversine formula).

    Args:
        latitude1: Latitude of the first place in degrees, south negative.
        longitude1: Longitude of the first place in degrees, west negative.
        latitude2: Latitude of the second place in degrees.
        longitude2: Longitude of the second place in degrees.
        unit: The unit of the result.

    Returns:
        The distance, to three decimals.

    Examples:
        >>> great_circle_distance(51.5074, -0.1278, 48.8566, 2.3522)
        343.557
        >>> great_circle_distance(40.7128, -74.006, 34.0522, -118.2437, unit="mile")
        2445.563
        >>> great_circle_distance(0, 0, 0, 1, "nautical_mile")
        60.041
    """
    return round(_haversine_km(latitude1, longitude1, latitude2, longitude2) / _KM[unit], 3)


def initial_bearing(
    latitude1: Latitude, longitude1: Longitude, latitude2: Latitude, longitude2: Longitude
) -> dict[str, float | str]:
    """Give the compass direction in which to leave one place to reach another on the shortest way.

    Args:
        latitude1: Latitude of the start in degrees, south negative.
        longitude1: Longitude of the start in degrees, west negative.
        latitude2: Latitude of the destination in degrees.
        longitude2: Longitude of the destination in degrees.

    Returns:
        The bearing in degrees clockwise from north, and the nearest of 16 compass points.

    Raises:
        ValueError: if both places are the same.

    Examples:
        >>> initial_bearing(35, 45, 35, 135)
        {'bearing': 60.16, 'compass': 'ENE'}
        >>> initial_bearing(52.52, 13.405, 48.1351, 11.582)
        {'bearing': 195.57, 'compass': 'SSW'}
        >>> initial_bearing(latitude1=10, longitude1=20, latitude2=-10, longitude2=20)
        {'bearing': 180.0, 'compass': 'S'}
    """
    if _haversine_km(latitude1, longitude1, latitude2, longitude2) < 1e-6:
        raise ValueError("the two places are the same, so that there is no direction")
    start, end = math.radians(latitude1), math.radians(latitude2)
    turn = math.radians(longitude2 - longitude1)
    east = math.sin(turn) * math.cos(end)
    north = math.cos(start) * math.sin(end) - math.sin(start) * math.cos(end) * math.cos(turn)
    bearing = math.degrees(math.atan2(east, north)) % 360
    return {"bearing": round(bearing, 2) % 360, "compass": _COMPASS[round(bearing / 22.5) % 16]}


def geographic_midpoint(
    latitude1: Latitude, longitude1: Longitude, latitude2: Latitude, longitude2: Longitude
) -> Place:
    """Find the place halfway between two places on the shortest way over the globe.

    Args:
        latitude1: Latitude of the first place in degrees, south negative.
        longitude1: Longitude of the first place in degrees, west negative.
        latitude2: Latitude of the second place in degrees.
        longitude2: Longitude of the second place in degrees.

    Returns:
        Latitude and longitude of the midpoint in degrees.

    Raises:
        ValueError: if the places are opposite each other on the globe, where every way is equal.

    Examples:
        >>> geographic_midpoint(0, 0, 0, 90)
        {'latitude': 0.0, 'longitude': 45.0}
        >>> geographic_midpoint(40, 170, 40, -170)
        {'latitude': 40.432461, 'longitude': -180.0}
        >>> geographic_midpoint(latitude1=60, longitude1=25, latitude2=-20, longitude2=25)
        {'latitude': 20.0, 'longitude': 25.0}
    """
    start, end = math.radians(latitude1), math.radians(latitude2)
    turn = math.radians(longitude2 - longitude1)
    x = math.cos(start) + math.cos(end) * math.cos(turn)
    y = math.cos(end) * math.sin(turn)
    z = math.sin(start) + math.sin(end)
    if math.hypot(x, y, z) < 1e-9:
        raise ValueError("the places are opposite each other, so that there is no single midpoint")
    latitude = math.degrees(math.atan2(z, math.hypot(x, y)))
    longitude = longitude1 + math.degrees(math.atan2(y, x))
    return {"latitude": round(latitude, 6) + 0.0, "longitude": _wrapped(longitude)}


def destination_point(
    latitude: Latitude,
    longitude: Longitude,
    bearing: Annotated[float, {"minimum": 0, "maximum": 360}],
    distance_km: Annotated[float, {"minimum": 0, "maximum": 20000}],
) -> Place:
    """Find where one arrives by travelling straight in a direction for a distance.

    Args:
        latitude: Latitude of the start in degrees, south negative.
        longitude: Longitude of the start in degrees, west negative.
        bearing: The direction at the start, in degrees clockwise from north.
        distance_km: The distance in kilometres, over the globe.

    Returns:
        Latitude and longitude of the destination in degrees.

    Examples:
        >>> destination_point(53.320556, -1.729722, 96.021667, 124.8)
        {'latitude': 53.18827, 'longitude': 0.133275}
        >>> destination_point(0, 0, 90, 1111.95)
        {'latitude': 0.0, 'longitude': 9.999993}
        >>> destination_point(latitude=-33.87, longitude=151.21, bearing=180, distance_km=250)
        {'latitude': -36.118301, 'longitude': 151.21}
    """
    start, way = math.radians(latitude), distance_km / _EARTH_RADIUS_KM
    heading = math.radians(bearing)
    rise = math.sin(start) * math.cos(way) + math.cos(start) * math.sin(way) * math.cos(heading)
    east = math.sin(heading) * math.sin(way) * math.cos(start)
    turn = math.atan2(east, math.cos(way) - math.sin(start) * rise)
    arrival = math.degrees(math.asin(max(-1.0, min(1.0, rise))))
    return {
        "latitude": round(arrival, 6) + 0.0,
        "longitude": _wrapped(longitude + math.degrees(turn)),
    }


def route_length(
    stops: Annotated[list[Place], {"maxItems": 300}],
    unit: DistanceUnit = "km",
    round_trip: bool = False,
) -> dict[str, float | list[float]]:
    """Add up the straight legs of a route through several places.

    Args:
        stops: The places in the order of the visit; at least two.
        unit: The unit of the results.
        round_trip: Whether to return from the last place to the first.

    Returns:
        The total length, and the length of every leg.

    Raises:
        ValueError: if there are fewer than two places.

    Examples:
        >>> route_length([{"latitude": 0, "longitude": 0}, {"latitude": 0, "longitude": 1}])
        {'total': 111.195, 'legs': [111.195]}
        >>> route_length(
        ...     [
        ...         {"latitude": 51.5074, "longitude": -0.1278},
        ...         {"latitude": 48.8566, "longitude": 2.3522},
        ...     ],
        ...     unit="km",
        ...     round_trip=True,
        ... )
        {'total': 687.113, 'legs': [343.557, 343.557]}
        >>> route_length(
        ...     stops=[
        ...         {"latitude": 10, "longitude": 20},
        ...         {"latitude": 11, "longitude": 20},
        ...         {"latitude": 13, "longitude": 20},
        ...     ],
        ...     unit="nautical_mile",
        ... )
        {'total': 180.122, 'legs': [60.041, 120.081]}
    """
    if len(stops) < 2:
        raise ValueError("stops: a route needs at least two places")
    ends = [*stops[1:], stops[0]] if round_trip else stops[1:]
    legs = [
        _haversine_km(start["latitude"], start["longitude"], end["latitude"], end["longitude"])
        / _KM[unit]
        for start, end in zip(stops, ends, strict=False)
    ]
    return {"total": round(sum(legs), 3), "legs": [round(leg, 3) for leg in legs]}


def bounding_box(
    places: Annotated[list[Place], {"minItems": 1, "maxItems": 300}],
    margin_degrees: Annotated[float, {"minimum": 0, "maximum": 10}] = 0,
) -> dict[str, float | bool]:
    """Find the smallest box of latitudes and longitudes that holds all places.

    The box may cross the antimeridian (180 degrees), where its west edge is east of its east edge.

    Args:
        places: The places to enclose.
        margin_degrees: Free space to add on each side, in degrees.

    Returns:
        The edges in degrees, and whether the box crosses the antimeridian.

    Examples:
        >>> bounding_box(
        ...     [{"latitude": 59.9, "longitude": 10.7}, {"latitude": 55.7, "longitude": 12.6}]
        ... )
        {'south': 55.7, 'north': 59.9, 'west': 10.7, 'east': 12.6, 'crosses_antimeridian': False}
        >>> bounding_box(
        ...     [{"latitude": -18, "longitude": 178}, {"latitude": -9, "longitude": -172}]
        ... )
        {'south': -18.0, 'north': -9.0, 'west': 178.0, 'east': -172.0, 'crosses_antimeridian': True}
        >>> bounding_box(places=[{"latitude": 41.9, "longitude": 12.5}], margin_degrees=0.5)
        {'south': 41.4, 'north': 42.4, 'west': 12.0, 'east': 13.0, 'crosses_antimeridian': False}
    """
    latitudes = [place["latitude"] for place in places]
    meridians = sorted({float(place["longitude"]) for place in places})
    following = [*meridians[1:], meridians[0] + 360]
    widest = max(range(len(meridians)), key=lambda i: following[i] - meridians[i])
    edges = (following[widest] - margin_degrees, meridians[widest] + margin_degrees)
    south, north = min(latitudes) - margin_degrees, max(latitudes) + margin_degrees
    if following[widest] - meridians[widest] <= 2 * margin_degrees:
        return _box(south, north, -180, 180)
    return _box(south, north, *map(_wrapped, edges))


def _box(south: float, north: float, west: float, east: float) -> dict[str, float | bool]:
    if east == -180 < west:  # the box ends at the antimeridian, and doesn't cross it
        east = 180
    return {
        "south": round(max(-90.0, float(south)), 6),
        "north": round(min(90.0, float(north)), 6),
        "west": float(west),
        "east": float(east),
        "crosses_antimeridian": west > east,
    }


def box_around_place(
    latitude: Latitude,
    longitude: Longitude,
    radius_km: Annotated[float, {"exclusiveMinimum": 0, "maximum": 5000}] = 10,
) -> dict[str, float | bool]:
    """Find the box of latitudes and longitudes around a circle, to search for what is nearby.

    A circle around a pole touches all longitudes.

    Args:
        latitude: Latitude of the centre in degrees, south negative.
        longitude: Longitude of the centre in degrees, west negative.
        radius_km: Radius of the circle in kilometres.

    Returns:
        The edges in degrees, and whether the box crosses the antimeridian.

    Examples:
        >>> box_around_place(0, 0, radius_km=100)["east"]
        0.89932
        >>> box_around_place(60, 25)["north"]
        60.089932
        >>> box_around_place(latitude=89.9, longitude=0, radius_km=50)["east"]
        180.0
        >>> box_around_place(52.37, 4.9, 25)["crosses_antimeridian"]
        False
    """
    reach = radius_km / _EARTH_RADIUS_KM
    south, north = latitude - math.degrees(reach), latitude + math.degrees(reach)
    if south <= -90 or north >= 90:
        return _box(south, north, -180, 180)
    width = math.degrees(math.asin(min(1.0, math.sin(reach) / math.cos(math.radians(latitude)))))
    return _box(south, north, _wrapped(longitude - width), _wrapped(longitude + width))


def convert_dms_to_decimal(
    degrees: Annotated[int, {"minimum": 0, "maximum": 180}],
    minutes: Annotated[int, {"minimum": 0, "maximum": 59}],
    hemisphere: Literal["N", "S", "E", "W"],
    seconds: Annotated[float, {"minimum": 0, "exclusiveMaximum": 60}] = 0,
) -> float:
    """Convert a coordinate of degrees, minutes and seconds to decimal degrees.

    Args:
        degrees: Whole degrees.
        minutes: Minutes of arc.
        hemisphere: N or S for a latitude, E or W for a longitude.
        seconds: Seconds of arc.

    Returns:
        Decimal degrees; south and west are negative.

    Raises:
        ValueError: if a latitude is over 90 or a longitude over 180 degrees.

    Examples:
        >>> convert_dms_to_decimal(48, 51, "N", 24)
        48.856667
        >>> convert_dms_to_decimal(74, 0, "W", seconds=21.6)
        -74.006
        >>> convert_dms_to_decimal(degrees=33, minutes=30, hemisphere="S")
        -33.5
    """
    value = degrees + minutes / 60 + seconds / 3600
    largest = 90 if hemisphere in ("N", "S") else 180
    if value > largest:
        raise ValueError(f"{value:g} degrees {hemisphere} is over {largest}")
    return round(-value if hemisphere in ("S", "W") else value, 6) + 0.0
