"""Encodings, checksums, colors, versions, networks and schedules of computers."""

import base64
import binascii
import ipaddress
import itertools
import math
import re
import zlib
from calendar import day_name
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated, Literal

CATEGORY = "Technology"
__all__ = [
    "color_contrast_ratio",
    "compare_versions",
    "convert_color",
    "convert_unix_timestamp",
    "decode_text",
    "describe_subnet",
    "encode_text",
    "next_cron_runs",
    "password_strength",
    "text_checksum",
    "transfer_time",
]

_Text = Annotated[str, {"minLength": 1, "maxLength": 10000}]
_HexColor = Annotated[str, {"pattern": "^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$"}]
_Version = Annotated[str, {"minLength": 5, "maxLength": 100}]
_Scheme = Literal["base64", "base64url", "hex", "binary"]

_SEMANTIC_VERSION = re.compile(
    r"v?(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,9})"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"
)
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_WEEKDAYS = "SUN MON TUE WED THU FRI SAT"
_CRON_FIELDS = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: str(i) for i, name in enumerate(_MONTHS.split(), start=1)}),
    ("day of the week", 0, 7, {name: str(i) for i, name in enumerate(_WEEKDAYS.split())}),
)
_YEARS_OF_CRON = 9  # from one 29 February to the next it can take eight


def encode_text(text: _Text, scheme: _Scheme = "base64", separator: bool = False) -> str:
    """Encode text, as UTF-8, in base64, hexadecimal or binary digits.

    Args:
        text: The text.
        scheme: The encoding; `base64url` has "-" and "_" in place of "+" and "/", and no padding.
        separator: Whether to put a space between bytes in `hex` and `binary`.

    Returns:
        The encoded text.

    Raises:
        ValueError: If the text is empty, or has half a surrogate pair.

    Examples:
        >>> encode_text("Hello, World!")
        'SGVsbG8sIFdvcmxkIQ=='
        >>> encode_text("Zoë", scheme="hex", separator=True)
        '5a 6f c3 ab'
        >>> encode_text(text="Hi", scheme="binary", separator=True)
        '01001000 01101001'
        >>> encode_text("a?>~", "base64url")
        'YT8-fg'
    """
    if not text:
        raise ValueError("the text must not be empty")
    raw = text.encode()
    if scheme == "base64":
        return base64.b64encode(raw).decode()
    if scheme == "base64url":
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")
    form = "02x" if scheme == "hex" else "08b"
    return (" " if separator else "").join(format(byte, form) for byte in raw)


def decode_text(encoded: _Text, scheme: _Scheme) -> str:
    """Decode text that was encoded in base64, hexadecimal or binary digits.

    Args:
        encoded: The encoded text; white space in it doesn't count, and padding may be missing.
        scheme: The encoding; `base64url` has "-" and "_" in place of "+" and "/".

    Returns:
        The text.

    Raises:
        ValueError: If a character does not belong to the encoding, or the bytes are no UTF-8.

    Examples:
        >>> decode_text("SGVsbG8sIFdvcmxkIQ==", "base64")
        'Hello, World!'
        >>> decode_text(encoded="5a 6f c3 ab", scheme="hex")
        'Zoë'
        >>> decode_text("YT8-fg", "base64url")
        'a?>~'
        >>> decode_text("01001000 01101001", "binary")
        'Hi'
    """
    plain = "".join(encoded.split())
    if not plain:
        raise ValueError("there is nothing to decode")
    try:
        return _decoded_bytes(plain, scheme).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the bytes are no UTF-8 text: {error}") from error


def _decoded_bytes(plain: str, scheme: str) -> bytes:
    if scheme.startswith("base64"):
        others = "-_" if scheme == "base64url" else "+/"
        if not re.fullmatch(f"[A-Za-z0-9{re.escape(others)}]+={{0,2}}", plain):
            raise ValueError(f"the text has other characters than those of {scheme}")
        bare = plain.rstrip("=")
        try:
            return base64.b64decode(bare + "=" * (-len(bare) % 4), others.encode())
        except binascii.Error as error:
            raise ValueError(f"the text is no {scheme}: {error}") from error
    digits, width, base = ("0-9A-Fa-f", 2, 16) if scheme == "hex" else ("01", 8, 2)
    if not re.fullmatch(f"(?:[{digits}]{{{width}}})+", plain):
        raise ValueError(f"{scheme} has {width} digits a byte, and no other characters")
    return bytes(int(plain[i : i + width], base) for i in range(0, len(plain), width))


def text_checksum(
    text: _Text, algorithm: Literal["crc32", "adler32", "fnv1a32"] = "crc32"
) -> dict[str, str | int]:
    """Compute a 32-bit checksum of a text in UTF-8, to notice accidental changes.

    Args:
        text: The text.
        algorithm: CRC-32 as in ZIP files, Adler-32 as in zlib, or the hash FNV-1a.

    Returns:
        The checksum as eight `hex` digits and as an `unsigned` number.

    Raises:
        ValueError: If the text is empty.

    Examples:
        >>> text_checksum("123456789")
        {'hex': 'cbf43926', 'unsigned': 3421780262}
        >>> text_checksum("Wikipedia", algorithm="adler32")
        {'hex': '11e60398', 'unsigned': 300286872}
        >>> text_checksum(text="foobar", algorithm="fnv1a32")["hex"]
        'bf9cf968'
    """
    if not text:
        raise ValueError("the text must not be empty")
    raw = text.encode()
    if algorithm == "fnv1a32":
        value = 0x811C9DC5
        for byte in raw:
            value = (value ^ byte) * 0x01000193 % 2**32
    else:
        value = zlib.crc32(raw) if algorithm == "crc32" else zlib.adler32(raw)
    return {"hex": f"{value:08x}", "unsigned": value}


def convert_color(
    color: Annotated[str, {"minLength": 4, "maxLength": 40}],
    target: Literal["hex", "rgb", "hsl"] = "hex",
) -> str:
    """Convert a color between the notations of CSS.

    Args:
        color: The color, such as "#ff8800", "#f80", "rgb(255, 136, 0)" or "hsl(32, 100%, 50%)".
        target: The notation wanted.

    Returns:
        The color in that notation; hue, saturation and lightness are rounded to whole numbers.

    Raises:
        ValueError: If the color has none of these forms, or a part is out of range.

    Examples:
        >>> convert_color("rgb(255, 136, 0)")
        '#ff8800'
        >>> convert_color("#1E90FF", target="rgb")
        'rgb(30, 144, 255)'
        >>> convert_color(color="#1e90ff", target="hsl")
        'hsl(210, 100%, 56%)'
        >>> convert_color("hsl(120, 100%, 25%)", "hex")
        '#008000'
    """
    red, green, blue = _parsed_color(color)
    if target == "hex":
        return f"#{red:02x}{green:02x}{blue:02x}"
    if target == "rgb":
        return f"rgb({red}, {green}, {blue})"
    hue, saturation, lightness = _hsl(red / 255, green / 255, blue / 255)
    return f"hsl({round(hue) % 360}, {round(100 * saturation)}%, {round(100 * lightness)}%)"


def _parsed_color(color: str) -> tuple[int, int, int]:
    plain = color.strip().lower()
    if re.fullmatch("#([0-9a-f]{3}|[0-9a-f]{6})", plain):
        digits = plain[1:] if len(plain) == 7 else "".join(2 * digit for digit in plain[1:])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    parts = re.fullmatch(
        r"(rgb|hsl)\(\s*(\d{1,3})\s*,\s*(\d{1,3})(%?)\s*,\s*(\d{1,3})(%?)\s*\)", plain
    )
    if parts and parts[4] == parts[6] == ("%" if parts[1] == "hsl" else ""):
        first, second, third = int(parts[2]), int(parts[3]), int(parts[5])
        if parts[1] == "rgb" and max(first, second, third) <= 255:
            return first, second, third
        if parts[1] == "hsl" and first <= 360 and max(second, third) <= 100:
            return _from_hsl(first, second / 100, third / 100)
    raise ValueError(
        f'{color!r} is no color such as "#ff8800", "rgb(255, 136, 0)" or "hsl(32, 100%, 50%)"'
    )


def _hsl(red: float, green: float, blue: float) -> tuple[float, float, float]:
    highest, lowest = max(red, green, blue), min(red, green, blue)
    spread, lightness = highest - lowest, (highest + lowest) / 2
    if spread == 0:
        return 0.0, 0.0, lightness
    if highest == red:
        sixth = (green - blue) / spread % 6
    else:
        sixth = 2 + (blue - red) / spread if highest == green else 4 + (red - green) / spread
    return 60 * sixth, spread / (1 - abs(2 * lightness - 1)), lightness


def _from_hsl(hue: float, saturation: float, lightness: float) -> tuple[int, int, int]:
    reach = saturation * min(lightness, 1 - lightness)

    def channel(offset: int) -> int:
        position = (offset + hue / 30) % 12
        return round(255 * (lightness - reach * max(-1, min(position - 3, 9 - position, 1))))

    return channel(0), channel(8), channel(4)


def color_contrast_ratio(
    text_color: _HexColor,
    background_color: _HexColor = "#ffffff",
    large_text: bool = False,
) -> dict[str, float | bool]:
    """Check whether text is readable on its background, by the web accessibility guidelines (WCAG).

    Args:
        text_color: The color of the text, such as "#333" or "#1e90ff".
        background_color: The color of the background, written the same way.
        large_text: Whether the text has at least 18 points, or is bold with at least 14.

    Returns:
        The contrast `ratio` from 1 to 21, rounded down, and whether it passes levels `aa` and
        `aaa`.

    Raises:
        ValueError: If a color is not written with # and three or six hexadecimal digits.

    Examples:
        >>> color_contrast_ratio("#000000")
        {'ratio': 21.0, 'aa': True, 'aaa': True}
        >>> color_contrast_ratio("#777777", "#ffffff")
        {'ratio': 4.47, 'aa': False, 'aaa': False}
        >>> color_contrast_ratio(text_color="#fff", background_color="#767676", large_text=True)
        {'ratio': 4.54, 'aa': True, 'aaa': True}
    """
    for color in (text_color, background_color):
        if not re.fullmatch("#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})", color):
            raise ValueError(f"{color!r} is not a color such as #333 or #1e90ff")
    darker, lighter = sorted(map(_luminance, (text_color, background_color)))
    ratio = (lighter + 0.05) / (darker + 0.05)
    return {
        "ratio": math.floor(ratio * 100 + 1e-9) / 100,
        "aa": ratio >= (3 if large_text else 4.5),
        "aaa": ratio >= (4.5 if large_text else 7),
    }


def _luminance(color: str) -> float:
    """The relative luminance of sRGB, 0 to 1."""
    shares = (channel / 255 for channel in _parsed_color(color))
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def compare_versions(first: _Version, second: _Version) -> dict[str, str | int]:
    """Compare two version numbers by the rules of semantic versioning 2.0.

    Args:
        first: A version, such as "1.4.0", "v2.0.0-rc.1" or "1.0.0+build5"; what follows a plus does
            not count.
        second: The version to compare with.

    Returns:
        The `order`: -1 if the first is older, 0 if they are equal, 1 if it is newer; and the most
        important part in which they differ, or "none".

    Raises:
        ValueError: If a text is not a semantic version.

    Examples:
        >>> compare_versions("1.9.3", "1.10.0")
        {'order': -1, 'difference': 'minor'}
        >>> compare_versions(first="2.0.0", second="2.0.0-rc.1")
        {'order': 1, 'difference': 'prerelease'}
        >>> compare_versions("v3.1.4+build7", "3.1.4")
        {'order': 0, 'difference': 'none'}
    """
    one, two = _parsed_version(first), _parsed_version(second)
    if one == two:
        return {"order": 0, "difference": "none"}
    order = -1 if one < two else 1
    for part, a, b in zip(("major", "minor", "patch"), one[0], two[0], strict=True):
        if a != b:
            return {"order": order, "difference": part}
    return {"order": order, "difference": "prerelease"}


_Identifier = tuple[int, int, str]


def _parsed_version(version: str) -> tuple[tuple[int, ...], bool, list[_Identifier]]:
    """In the order of precedence: a release is after its prereleases, numbers before words."""
    parts = _SEMANTIC_VERSION.fullmatch(version)
    if not parts:
        raise ValueError(f'{version!r} is not a semantic version, such as "1.4.0" or "2.0.0-rc.1"')
    identifiers = parts[4].split(".") if parts[4] else []
    numbers = tuple(int(parts[i]) for i in (1, 2, 3))
    return numbers, not identifiers, [_parsed_identifier(text) for text in identifiers]


def _parsed_identifier(text: str) -> _Identifier:
    if not text.isdigit():
        return 1, 0, text
    if len(text) > 1 and text.startswith("0"):
        raise ValueError(f"the number {text} in a prerelease must not start with 0")
    return 0, int(text), ""


def describe_subnet(
    cidr: Annotated[str, {"pattern": r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$"}],
    address: Annotated[str | None, {"pattern": r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$"}] = None,
) -> dict[str, str | int | bool]:
    """Describe an IPv4 network: its mask, its addresses, and whether an address is in it.

    Args:
        cidr: The network in CIDR notation, such as "192.168.1.0/24"; an address of a host in it is
            fine too.
        address: An address to look for in the network.

    Returns:
        The `network` and `broadcast` address, the `netmask`, the first and last host, the number of
        `usable_hosts`, whether the network is private, and whether it contains the address if one
        is given.

    Raises:
        ValueError: If a number of an address is over 255, or the prefix over 32.

    Examples:
        >>> describe_subnet("192.168.1.37/26")  # doctest: +NORMALIZE_WHITESPACE
        {'network': '192.168.1.0', 'broadcast': '192.168.1.63', 'netmask': '255.255.255.192',
         'first_host': '192.168.1.1', 'last_host': '192.168.1.62', 'usable_hosts': 62,
         'is_private': True}
        >>> describe_subnet(cidr="10.0.0.0/8", address="10.200.3.4")["contains_address"]
        True
        >>> describe_subnet("8.8.8.0/31")["usable_hosts"]
        2
    """
    network = ipaddress.IPv4Network(cidr, strict=False)
    only_hosts = network.prefixlen >= 31
    first, last = int(network.network_address), int(network.broadcast_address)
    described: dict[str, str | int | bool] = {
        "network": str(network.network_address),
        "broadcast": str(network.broadcast_address),
        "netmask": str(network.netmask),
        "first_host": str(ipaddress.IPv4Address(first + (not only_hosts))),
        "last_host": str(ipaddress.IPv4Address(last - (not only_hosts))),
        "usable_hosts": network.num_addresses - (0 if only_hosts else 2),
        "is_private": network.is_private,
    }
    if address is not None:
        described["contains_address"] = ipaddress.IPv4Address(address) in network
    return described


def next_cron_runs(
    expression: Annotated[str, {"minLength": 9, "maxLength": 200}],
    after: Annotated[str, {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}$"}],
    count: Annotated[int, {"minimum": 1, "maximum": 10}] = 3,
) -> list[str]:
    """List the next times at which a cron expression runs.

    As in cron, if both the day of the month and the day of the week are restricted, either is
    enough.

    Args:
        expression: Five fields: minute, hour, day of the month, month, and day of the week (0 or 7
            is Sunday); each is *, a number, a range, a list, or has a step such as */15. Months and
            days of the week may have their English names, such as JAN and MON.
        after: The time after which to look, as YYYY-MM-DDTHH:MM.
        count: How many times to list.

    Returns:
        The times, as YYYY-MM-DDTHH:MM.

    Raises:
        ValueError: If the expression or the time is not valid, the year is not from 1900 to 2900,
            or the runs are more than nine years apart.

    Examples:
        >>> next_cron_runs("*/20 9 * * *", "2024-05-01T09:10", count=3)
        ['2024-05-01T09:20', '2024-05-01T09:40', '2024-05-02T09:00']
        >>> next_cron_runs("30 18 * * MON-FRI", after="2024-05-03T18:30", count=1)
        ['2024-05-06T18:30']
        >>> next_cron_runs(expression="0 0 29 2 *", after="2024-03-01T00:00", count=2)
        ['2028-02-29T00:00', '2032-02-29T00:00']
    """
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d", after):
        raise ValueError(f"{after!r} is not a time such as 2024-05-01T09:10")
    start = datetime.fromisoformat(after)
    if not 1900 <= start.year <= 2900 or not 1 <= count <= 10:
        raise ValueError("the year must be from 1900 to 2900, and count from 1 to 10")
    runs = (run for run in _cron_runs(expression, start.date(), count) if run > start)
    found = list(itertools.islice(runs, count))
    if len(found) < count:
        years = count * _YEARS_OF_CRON
        raise ValueError(f"{expression!r} runs fewer than {count} times in {years} years")
    return [run.isoformat(timespec="minutes") for run in found]


def _cron_runs(expression: str, first: date, count: int) -> Iterator[datetime]:
    fields = expression.upper().split()
    if len(fields) != len(_CRON_FIELDS):
        raise ValueError(f"a cron expression has five fields, not {len(fields)}")
    minutes, hours, days, months, weekdays = map(_cron_values, fields, _CRON_FIELDS)
    either = not (fields[2].startswith("*") or fields[4].startswith("*"))
    weekdays = {weekday % 7 for weekday in weekdays}
    for offset in range(366 * _YEARS_OF_CRON * count):
        day = first + timedelta(days=offset)
        if day.month not in months:
            continue
        of_month, of_week = day.day in days, day.isoweekday() % 7 in weekdays
        if (of_month or of_week) if either else (of_month and of_week):
            for hour, minute in itertools.product(sorted(hours), sorted(minutes)):
                yield datetime(day.year, day.month, day.day, hour, minute)


def _cron_values(field: str, kind: tuple[str, int, int, dict[str, str]]) -> set[int]:
    name, lowest, highest, names = kind
    values: set[int] = set()
    for item in field.split(","):
        numbered = re.sub("[A-Z]+", lambda word: names.get(word[0], word[0]), item)
        parts = re.fullmatch(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?", numbered)
        if not parts:
            raise ValueError(f"{item!r} is not a {name} of a cron expression")
        low = int(parts[1] or lowest)
        alone = parts[1] and not parts[3]
        high = int(parts[2] or (low if alone else highest))
        step = int(parts[3] or 1)
        if not lowest <= low <= high <= highest or step < 1:
            raise ValueError(f"{item!r} is not within {lowest} to {highest} for the {name}")
        values.update(range(low, high + 1, step))
    return values


def convert_unix_timestamp(
    timestamp: Annotated[int, {"minimum": -2208988800, "maximum": 4102444800000}],
    unit: Literal["seconds", "milliseconds"],
    utc_offset_hours: Annotated[float, {"minimum": -12, "maximum": 14}] = 0,
) -> dict[str, str]:
    """Convert a Unix timestamp to a date and time.

    Args:
        timestamp: The seconds or milliseconds since 1970-01-01T00:00 UTC.
        unit: What the timestamp counts.
        utc_offset_hours: The time zone, as hours ahead of UTC (5.5 in India); rounded to quarters
            of an hour.

    Returns:
        The time in ISO 8601 format to the second, and the day of the week.

    Raises:
        ValueError: If the year would not be from 1900 to 2100.

    Examples:
        >>> convert_unix_timestamp(1700000000, "seconds")
        {'time': '2023-11-14T22:13:20+00:00', 'weekday': 'Tuesday'}
        >>> convert_unix_timestamp(timestamp=1000000000000, unit="milliseconds")["time"]
        '2001-09-09T01:46:40+00:00'
        >>> convert_unix_timestamp(86400, "seconds", utc_offset_hours=5.5)
        {'time': '1970-01-02T05:30:00+05:30', 'weekday': 'Friday'}
    """
    seconds = timestamp // 1000 if unit == "milliseconds" else timestamp
    if not -2208988800 <= seconds <= 4102444800 or not -12 <= utc_offset_hours <= 14:
        raise ValueError("the time must be from 1900 to 2100; is it in the other unit?")
    zone = timezone(timedelta(minutes=15 * round(4 * utc_offset_hours)))
    time = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(zone)
    return {"time": time.isoformat(), "weekday": day_name[time.weekday()]}


def password_strength(
    length: Annotated[int, {"minimum": 1, "maximum": 128}],
    alphabet: Literal["digits", "lowercase", "letters", "letters_digits", "printable", "words"],
    guesses_per_second: Annotated[float, {"minimum": 1, "maximum": 1e15}] = 1e10,
) -> dict[str, float | str]:
    """Compute how strong a random password or passphrase is.

    Args:
        length: The number of characters, or of words.
        alphabet: What each is drawn from: 10 digits, 26 lower-case letters, 52 letters, 62 letters
            and digits, 94 printable characters, or a list of 7776 words.
        guesses_per_second: How many guesses an attacker makes in a second.

    Returns:
        The `entropy_bits`, the average years until it is guessed, to three digits, and a `rating`:
        weak below 40 bits, fair below 60, strong below 80, else very strong.

    Raises:
        ValueError: If the length is not from 1 to 128, or the rate below 1.

    Examples:
        >>> password_strength(8, "lowercase")
        {'entropy_bits': 37.6, 'years_to_guess': 3.31e-07, 'rating': 'weak'}
        >>> password_strength(length=5, alphabet="words")
        {'entropy_bits': 64.6, 'years_to_guess': 45.0, 'rating': 'strong'}
        >>> password_strength(4, "digits", guesses_per_second=10)["entropy_bits"]
        13.3
    """
    if not 1 <= length <= 128 or guesses_per_second < 1:
        raise ValueError("length must be from 1 to 128, and guesses_per_second at least 1")
    sizes = {"digits": 10, "lowercase": 26, "letters": 52, "letters_digits": 62}
    size = (sizes | {"printable": 94, "words": 7776})[alphabet]
    bits = length * math.log2(size)
    years = float(min(size**length // 2, 10**300)) / guesses_per_second / (365.25 * 86400)
    ratings = ((40, "weak"), (60, "fair"), (80, "strong"))
    return {
        "entropy_bits": round(bits, 1),
        "years_to_guess": float(f"{years:.3g}"),
        "rating": next((rating for bound, rating in ratings if bits < bound), "very strong"),
    }


def transfer_time(
    size_gigabytes: Annotated[float, {"minimum": 0.000001, "maximum": 1e9}],
    megabits_per_second: Annotated[float, {"minimum": 0.01, "maximum": 1e6}],
    efficiency_percent: Annotated[float, {"minimum": 1, "maximum": 100}] = 100,
) -> dict[str, float | str]:
    """Compute how long a download or upload takes.

    Args:
        size_gigabytes: The size, in gigabytes of 10^9 bytes.
        megabits_per_second: The speed of the line, in megabits per second.
        efficiency_percent: How much of the speed is reached, in percent; often 90 or less.

    Returns:
        The `seconds`, the same as hours, minutes and seconds, and the `megabytes_per_second`.

    Raises:
        ValueError: If the size, the speed or the efficiency is not positive.

    Examples:
        >>> transfer_time(4.5, 100)
        {'seconds': 360.0, 'time': '0:06:00', 'megabytes_per_second': 12.5}
        >>> transfer_time(size_gigabytes=50, megabits_per_second=250, efficiency_percent=80)
        {'seconds': 2000.0, 'time': '0:33:20', 'megabytes_per_second': 25.0}
        >>> transfer_time(1000, 1000.0)["time"]
        '2:13:20'
    """
    if min(size_gigabytes, megabits_per_second, efficiency_percent) <= 0:
        raise ValueError("size, speed and efficiency must be positive")
    per_second = megabits_per_second * efficiency_percent / 800
    seconds = size_gigabytes * 1000 / per_second
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return {
        "seconds": round(seconds, 2),
        "time": f"{hours}:{minute:02d}:{second:02d}",
        "megabytes_per_second": round(per_second, 2),
    }
