"""Parcels, barcodes, card numbers, loyalty points and promotions."""

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Literal, TypedDict

CATEGORY = "Commerce"
__all__ = [
    "barcode_check_digit",
    "best_unit_price",
    "check_card_number",
    "convert_isbn",
    "free_items_promotion",
    "loyalty_points",
    "shipping_dimensional_weight",
]

_Amount = Annotated[float, {"minimum": 0, "maximum": 1e7}]
_Length = Annotated[float, {"minimum": 0.1, "maximum": 1000}]
_Name = Annotated[str, {"minLength": 1, "maxLength": 100}]

# How many digits come before the check digit.
_BARCODES = {"EAN-13": 12, "EAN-8": 7, "UPC-A": 11, "ITF-14": 13}
_CARD_BRANDS = {
    "Visa": r"4\d{12}(\d{3}){0,2}",
    "Mastercard": r"(5[1-5]\d{4}|222[1-9]\d\d|22[3-9]\d{3}|2[3-6]\d{4}|27[01]\d{3}|2720\d\d)\d{10}",
    "American Express": r"3[47]\d{13}",
    "Discover": r"(6011|64[4-9]\d|65\d\d)\d{12}",
    "Diners Club": r"3(0[0-5]|[68]\d)\d{11}",
    "JCB": r"35(2[89]|[3-8]\d)\d{12}",
}


class Offer(TypedDict):
    """A package on sale."""

    name: _Name
    price: Annotated[float, {"minimum": 0.01, "maximum": 1e6}]
    quantity: Annotated[float, {"minimum": 0.001, "maximum": 1e6}]


class BasketItem(TypedDict):
    """An article in a basket."""

    name: _Name
    price: Annotated[float, {"minimum": 0, "maximum": 1e6}]
    quantity: Annotated[int, {"minimum": 1, "maximum": 1000}]


def shipping_dimensional_weight(
    length: _Length,
    width: _Length,
    height: _Length,
    actual_weight: Annotated[float, {"minimum": 0.01, "maximum": 10000}],
    *,
    units: Literal["metric", "imperial"] = "metric",
    divisor: Annotated[float | None, {"minimum": 50, "maximum": 10000}] = None,
) -> dict[str, float | str]:
    """Compute the weight a carrier bills for a parcel: its own, or that of its volume if greater.

    Args:
        length: The length, in centimetres (metric) or inches (imperial).
        width: The width, in the same unit.
        height: The height, in the same unit.
        actual_weight: The weight on the scales, in kilograms or pounds.
        units: Centimetres and kilograms, or inches and pounds.
        divisor: The carrier's volume per unit of weight; left out, 5000 cm³/kg or 139 in³/lb.

    Returns:
        The `dimensional_weight`, the `billable_weight`, and which of the two weights it is.

    Raises:
        ValueError: If a length, the weight or the divisor is not positive.

    Examples:
        >>> shipping_dimensional_weight(50, 40, 30, 8.5)
        {'dimensional_weight': 12.0, 'billable_weight': 12.0, 'basis': 'dimensional'}
        >>> shipping_dimensional_weight(12, 12, 12, actual_weight=20, units="imperial")
        {'dimensional_weight': 12.43, 'billable_weight': 20.0, 'basis': 'actual'}
        >>> shipping_dimensional_weight(
        ...     length=60, width=40, height=40, actual_weight=10, divisor=6000
        ... )
        {'dimensional_weight': 16.0, 'billable_weight': 16.0, 'basis': 'dimensional'}
    """
    if divisor is None:
        divisor = 5000 if units == "metric" else 139
    if min(length, width, height, actual_weight, divisor) <= 0:
        raise ValueError("lengths, weight and divisor must be positive")
    dimensional = length * width * height / divisor
    return {
        "dimensional_weight": round(dimensional, 2),
        "billable_weight": round(float(max(dimensional, actual_weight)), 2),
        "basis": "dimensional" if dimensional > actual_weight else "actual",
    }


def barcode_check_digit(
    digits: Annotated[str, {"pattern": "^[0-9]{7,14}$"}],
    symbology: Literal["EAN-13", "EAN-8", "UPC-A", "ITF-14"],
) -> dict[str, str | bool]:
    """Complete the number of a barcode with its check digit, or check the one it has.

    Args:
        digits: The number, without its check digit or with it.
        symbology: The kind of barcode: 13 digits (EAN-13), 8 (EAN-8), 12 (UPC-A) or 14 (ITF-14),
            the check digit included.

    Returns:
        The right `check_digit`, the whole `code` with it, and whether the number given is `valid`:
        one without a check digit is.

    Raises:
        ValueError: If the number doesn't have the digits of its kind.

    Examples:
        >>> barcode_check_digit("400638133393", "EAN-13")
        {'check_digit': '1', 'code': '4006381333931', 'valid': True}
        >>> barcode_check_digit("036000291453", symbology="UPC-A")
        {'check_digit': '2', 'code': '036000291452', 'valid': False}
        >>> barcode_check_digit(digits="7351353", symbology="EAN-8")
        {'check_digit': '7', 'code': '73513537', 'valid': True}
    """
    before = _BARCODES[symbology]
    if not re.fullmatch("[0-9]+", digits) or len(digits) not in (before, before + 1):
        raise ValueError(f"{symbology} has {before} digits and a check digit, not {digits!r}")
    check = _gtin_check_digit(digits[:before])
    code = digits[:before] + check
    return {"check_digit": check, "code": code, "valid": code.startswith(digits)}


def _gtin_check_digit(digits: str) -> str:
    """Weights 3 and 1 from the right bring the sum to a multiple of ten."""
    weighted = sum(
        int(digit) * (1 if index % 2 else 3) for index, digit in enumerate(reversed(digits))
    )
    return str(-weighted % 10)


def convert_isbn(
    isbn: Annotated[str, {"pattern": "^[0-9Xx -]{10,17}$"}],
    target: Literal["isbn13", "isbn10"] = "isbn13",
) -> str:
    """Check the number of a book, and convert between ISBN-10 and ISBN-13.

    Args:
        isbn: An ISBN-10 or ISBN-13, with or without hyphens and spaces.
        target: The kind of number wanted; a number that is of this kind is only checked.

    Returns:
        The number without hyphens.

    Raises:
        ValueError: If it isn't an ISBN, its check digit is wrong, or an ISBN-13 that doesn't start
            with 978 is to become an ISBN-10.

    Examples:
        >>> convert_isbn("0-306-40615-2")
        '9780306406157'
        >>> convert_isbn("978-0-306-40615-7", target="isbn10")
        '0306406152'
        >>> convert_isbn(isbn="080442957X", target="isbn10")
        '080442957X'
    """
    plain = re.sub("[ -]", "", isbn).upper()
    if re.fullmatch("[0-9]{9}[0-9X]", plain):
        expected = _isbn10(plain[:9])
    elif re.fullmatch("97[89][0-9]{10}", plain):
        expected = plain[:12] + _gtin_check_digit(plain[:12])
    else:
        raise ValueError(f"{isbn!r} is no ISBN of 10 digits, or of 13 that start with 978 or 979")
    if plain != expected:
        raise ValueError(f"the check digit of {isbn!r} should be {expected[-1]}")
    if target == "isbn13":
        return (
            plain if len(plain) == 13 else f"978{plain[:9]}{_gtin_check_digit('978' + plain[:9])}"
        )
    if plain.startswith("979") and len(plain) == 13:
        raise ValueError("an ISBN-13 that starts with 979 has no ISBN-10")
    return plain if len(plain) == 10 else _isbn10(plain[3:12])


def _isbn10(digits: str) -> str:
    """The nine digits with their check digit, modulo 11."""
    weighted = sum(int(digit) * (10 - index) for index, digit in enumerate(digits))
    return digits + "0123456789X"[-weighted % 11]


def check_card_number(
    number: Annotated[str, {"pattern": "^[0-9 -]{8,25}$"}],
) -> dict[str, str | bool]:
    """Check the number of a payment card by the Luhn algorithm, and recognize its brand.

    It tells typing errors from right numbers, not whether a card exists.

    Args:
        number: The number, with or without spaces and hyphens.

    Returns:
        Whether the number is `valid`, its `brand` ("unknown" if no pattern matches), and the number
        with all but its last four digits hidden.

    Raises:
        ValueError: If there are other characters, or not 8 to 19 digits.

    Examples:
        >>> check_card_number("4111 1111 1111 1111")
        {'valid': True, 'brand': 'Visa', 'masked': '************1111'}
        >>> check_card_number("3782-822463-10005")
        {'valid': True, 'brand': 'American Express', 'masked': '***********0005'}
        >>> check_card_number(number="5555555555554445")
        {'valid': False, 'brand': 'Mastercard', 'masked': '************4445'}
    """
    plain = re.sub("[ -]", "", number)
    if not re.fullmatch("[0-9]{8,19}", plain):
        raise ValueError("a card number has 8 to 19 digits, with or without spaces and hyphens")
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in plain[-2::-2])
    total = sum(doubled) + sum(map(int, plain[::-2]))
    brands = (brand for brand, form in _CARD_BRANDS.items() if re.fullmatch(form, plain))
    return {
        "valid": total % 10 == 0,
        "brand": next(brands, "unknown"),
        "masked": "*" * (len(plain) - 4) + plain[-4:],
    }


def loyalty_points(
    amount_spent: _Amount,
    tier: Literal["basic", "silver", "gold", "platinum"] = "basic",
    points_per_unit: Annotated[float, {"minimum": 0.1, "maximum": 100}] = 1,
    *,
    balance: Annotated[int, {"minimum": 0, "maximum": 10000000}] = 0,
    points_per_reward: Annotated[int, {"minimum": 1, "maximum": 1000000}] = 500,
) -> dict[str, int]:
    """Compute the points that a purchase earns in a loyalty programme, and the rewards they buy.

    Args:
        amount_spent: The amount of the purchase, in any currency.
        tier: The customer's tier: silver earns 1.25 times as much as basic, gold 1.5 times, and
            platinum twice.
        points_per_unit: Points per unit of currency in the basic tier.
        balance: The points before the purchase.
        points_per_reward: What one reward costs.

    Returns:
        The whole points `earned`, the `new_balance`, the number of `rewards_available` for it, and
        the points missing to the next one.

    Raises:
        ValueError: If an amount is negative, or a rate not positive.

    Examples:
        >>> loyalty_points(120)
        {'earned': 120, 'new_balance': 120, 'rewards_available': 0, 'points_to_next_reward': 380}
        >>> loyalty_points(amount_spent=89.9, tier="gold", points_per_unit=2, balance=1300)
        {'earned': 269, 'new_balance': 1569, 'rewards_available': 3, 'points_to_next_reward': 431}
        >>> loyalty_points(250.0, "silver", balance=88, points_per_reward=200)["rewards_available"]
        2
    """
    if amount_spent < 0 or balance < 0 or points_per_unit <= 0 or points_per_reward < 1:
        raise ValueError("amounts can't be negative, and rates must be positive")
    factor = {"basic": "1", "silver": "1.25", "gold": "1.5", "platinum": "2"}[tier]
    earned = int(_exact(amount_spent) * _exact(points_per_unit) * Decimal(factor))
    rewards, rest = divmod(balance + earned, points_per_reward)
    return {
        "earned": earned,
        "new_balance": balance + earned,
        "rewards_available": rewards,
        "points_to_next_reward": points_per_reward - rest,
    }


def _exact(number: float) -> Decimal:
    """The number that was written: 0.1 is a tenth."""
    return Decimal(str(number))


def free_items_promotion(
    items: Annotated[list[BasketItem], {"maxItems": 100}],
    buy: Annotated[int, {"minimum": 1, "maximum": 20}] = 2,
    free: Annotated[int, {"minimum": 1, "maximum": 20}] = 1,
) -> dict[str, float]:
    """Price a basket under an offer such as "buy two, get one free".

    Each full group (of articles to buy and articles to get) makes some free, and these are the
    cheapest ones of the whole basket.

    Args:
        items: The articles with their prices and quantities; at least one.
        buy: How many articles must be paid in each group.
        free: How many more are free then.

    Returns:
        The `regular_total`, the number of `free_items`, the `savings` and the `total` to pay.

    Raises:
        ValueError: If there are no items, or a quantity or part of the offer is below 1.

    Examples:
        >>> free_items_promotion([{"name": "T-shirt", "price": 12.5, "quantity": 3}])
        {'regular_total': 37.5, 'free_items': 1, 'savings': 12.5, 'total': 25.0}
        >>> free_items_promotion(
        ...     [
        ...         {"name": "Novel", "price": 15, "quantity": 2},
        ...         {"name": "Comic", "price": 6.99, "quantity": 2},
        ...     ],
        ...     buy=1,
        ... )
        {'regular_total': 43.98, 'free_items': 2, 'savings': 13.98, 'total': 30.0}
        >>> free_items_promotion(
        ...     items=[{"name": "Yoghurt", "price": 0.8, "quantity": 9}], buy=3, free=2
        ... )["free_items"]
        2
    """
    if not items:
        raise ValueError("items must not be empty")
    if buy < 1 or free < 1 or min(item["quantity"] for item in items) < 1:
        raise ValueError("quantities, buy and free must be at least 1")
    count = sum(item["quantity"] for item in items)
    regular = sum((_exact(item["price"]) * item["quantity"] for item in items), Decimal(0))
    free_count = left = count // (buy + free) * free
    savings = Decimal(0)
    for item in sorted(items, key=lambda item: item["price"]):
        taken = min(left, item["quantity"])
        savings += taken * _exact(item["price"])
        left -= taken
    return {
        "regular_total": _cents(regular),
        "free_items": free_count,
        "savings": _cents(savings),
        "total": _cents(regular - savings),
    }


def _cents(amount: Decimal) -> float:
    return float(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


def best_unit_price(
    offers: Annotated[list[Offer], {"minItems": 1, "maxItems": 50}],
    per: Annotated[float, {"minimum": 0.001, "maximum": 10000}] = 1,
) -> dict[str, object]:
    """Find the package with the lowest price for its content.

    Args:
        offers: The packages, each with a price and a quantity, all in the same unit.
        per: The quantity to show prices for, such as 100 for prices per 100 g.

    Returns:
        The name of the `best` offer, the first of equals; all offers by `unit_price`; and by how
        many percent the dearest one is above the best.

    Raises:
        ValueError: If there are no offers, or a price or quantity is not positive.

    Examples:
        >>> best_unit_price(
        ...     [
        ...         {"name": "small", "price": 2.4, "quantity": 300},
        ...         {"name": "large", "price": 5.6, "quantity": 800},
        ...     ],
        ...     per=100,
        ... )  # doctest: +NORMALIZE_WHITESPACE
        {'best': 'large',
         'ranking': [{'name': 'large', 'unit_price': 0.7}, {'name': 'small', 'unit_price': 0.8}],
         'spread_percent': 14.29}
        >>> best_unit_price([{"name": "6 eggs", "price": 1.8, "quantity": 6}])["ranking"]
        [{'name': '6 eggs', 'unit_price': 0.3}]
        >>> best_unit_price(
        ...     offers=[
        ...         {"name": "bottle", "price": 1.5, "quantity": 0.75},
        ...         {"name": "crate", "price": 12, "quantity": 8},
        ...     ]
        ... )["best"]
        'crate'
    """
    if not offers:
        raise ValueError("offers must not be empty")
    if per <= 0 or any(offer["price"] <= 0 or offer["quantity"] <= 0 for offer in offers):
        raise ValueError("prices, quantities and per must be positive")
    priced = [(offer["price"] / offer["quantity"], offer["name"]) for offer in offers]
    priced.sort(key=lambda pair: pair[0])
    lowest, highest = priced[0][0], priced[-1][0]
    return {
        "best": priced[0][1],
        "ranking": [{"name": name, "unit_price": round(price * per, 4)} for price, name in priced],
        "spread_percent": round(100 * (highest / lowest - 1), 2),
    }
