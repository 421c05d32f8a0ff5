"""Number theory, algebra and counting."""

import math
from fractions import Fraction
from typing import Annotated

CATEGORY = "Math"
__all__ = [
    "approximate_fraction",
    "convert_number_base",
    "count_selections",
    "factorize_integer",
    "find_polynomial_roots",
    "from_roman_numeral",
    "gcd_and_lcm",
    "integrate_polynomial",
    "matrix_determinant",
    "solve_linear_system",
    "to_roman_numeral",
]

_Entry = Annotated[float, {"minimum": -1e6, "maximum": 1e6}]
_Row = Annotated[list[_Entry], {"minItems": 1, "maxItems": 8}]

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_LARGEST_LCM = 10**18
_ROMAN_VALUES = (
    *((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L")),
    *((40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")),
)


def factorize_integer(
    number: Annotated[int, {"minimum": 2, "maximum": 10**12}],
) -> dict[str, object]:
    """Break an integer into its prime factors.

    Args:
        number: The integer to factorize.

    Returns:
        The prime factors in ascending order, each with its exponent; whether the number is prime
        itself; and how many divisors it has.

    Raises:
        ValueError: If the number is out of range.

    Examples:
        >>> factorize_integer(360)["factors"]
        [{'prime': 2, 'exponent': 3}, {'prime': 3, 'exponent': 2}, {'prime': 5, 'exponent': 1}]
        >>> factorize_integer(97)
        {'factors': [{'prime': 97, 'exponent': 1}], 'is_prime': True, 'divisor_count': 2}
        >>> factorize_integer(1001)["divisor_count"]
        8
        >>> factorize_integer(1048576)
        {'factors': [{'prime': 2, 'exponent': 20}], 'is_prime': False, 'divisor_count': 21}
    """
    if not 2 <= number <= 10**12:
        raise ValueError("number must be from 2 to 10**12")
    factors = []
    rest, candidate = number, 2
    while candidate * candidate <= rest:
        exponent = 0
        while rest % candidate == 0:
            rest //= candidate
            exponent += 1
        if exponent:
            factors.append({"prime": candidate, "exponent": exponent})
        candidate += 1 if candidate == 2 else 2
    if rest > 1:
        factors.append({"prime": rest, "exponent": 1})
    return {
        "factors": factors,
        "is_prime": factors[0]["prime"] == number,
        "divisor_count": math.prod(factor["exponent"] + 1 for factor in factors),
    }


def gcd_and_lcm(
    numbers: Annotated[list[Annotated[int, {"minimum": 1, "maximum": 10**9}]], {"maxItems": 20}],
) -> dict[str, int]:
    """Find the greatest common divisor and the least common multiple of positive integers.

    Args:
        numbers: Positive integers, at least one.

    Returns:
        Both values, under `gcd` and `lcm`.

    Raises:
        ValueError: If the list is empty, a number is below 1, or the multiple exceeds 10**18.

    Examples:
        >>> gcd_and_lcm([12, 18])
        {'gcd': 6, 'lcm': 36}
        >>> gcd_and_lcm([4, 6, 10])
        {'gcd': 2, 'lcm': 60}
        >>> gcd_and_lcm(numbers=[17, 31])
        {'gcd': 1, 'lcm': 527}
        >>> gcd_and_lcm([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        {'gcd': 1, 'lcm': 2520}
    """
    if not numbers:
        raise ValueError("numbers must not be empty")
    if min(numbers) < 1:
        raise ValueError("numbers must be positive")
    multiple = math.lcm(*numbers)
    if multiple > _LARGEST_LCM:
        raise ValueError("the least common multiple exceeds 10**18")
    return {"gcd": math.gcd(*numbers), "lcm": multiple}


def convert_number_base(
    digits: Annotated[str, {"pattern": "^-?[0-9A-Za-z]+$", "maxLength": 64}],
    from_base: Annotated[int, {"minimum": 2, "maximum": 36}],
    to_base: Annotated[int, {"minimum": 2, "maximum": 36}] = 10,
) -> str:
    """Rewrite an integer from one positional base in another, such as decimal to hexadecimal.

    Args:
        digits: The integer in its present base, with an optional minus sign and no prefix; letters
            stand for digits over 9, in either case.
        from_base: The present base.
        to_base: The base wanted.

    Returns:
        The digits in the base wanted, letters in lower case.

    Raises:
        ValueError: If a digit does not exist in the present base, or a base is not from 2 to 36.

    Examples:
        >>> convert_number_base("255", from_base=10, to_base=16)
        'ff'
        >>> convert_number_base("10011010", from_base=2)
        '154'
        >>> convert_number_base(digits="-7F", from_base=16, to_base=2)
        '-1111111'
        >>> convert_number_base("123456789", from_base=10, to_base=36)
        '21i3v9'
    """
    if not (2 <= from_base <= 36 and 2 <= to_base <= 36):
        raise ValueError("bases must be from 2 to 36")
    sign = "-" if digits.startswith("-") else ""
    number = 0
    for digit in digits.removeprefix("-").lower():
        value = _DIGITS.find(digit)
        if not 0 <= value < from_base:
            raise ValueError(f"{digit!r} is not a digit in base {from_base}")
        number = number * from_base + value
    converted = ""
    rest = number
    while rest:
        rest, value = divmod(rest, to_base)
        converted = _DIGITS[value] + converted
    return sign + converted if converted else "0"


def find_polynomial_roots(
    coefficients: Annotated[list[_Entry], {"minItems": 2, "maxItems": 9}],
    real_only: bool = False,
) -> list[dict[str, float]]:
    """Find the roots of a polynomial, complex ones included, to four decimals.

    A root that occurs several times is listed as often.

    Args:
        coefficients: The coefficients from the highest power down to the constant; the first is not
            zero. [1, -3, 2] is x² - 3x + 2.
        real_only: Leave out roots with an imaginary part.

    Returns:
        The roots as `real` and `imaginary` parts, in ascending order.

    Raises:
        ValueError: If the degree is not 1 to 8, the first coefficient is zero, or no roots are
            found to the precision promised.

    Examples:
        >>> find_polynomial_roots([1, -3, 2])
        [{'real': 1.0, 'imaginary': 0.0}, {'real': 2.0, 'imaginary': 0.0}]
        >>> find_polynomial_roots([1, 0, 4])
        [{'real': 0.0, 'imaginary': -2.0}, {'real': 0.0, 'imaginary': 2.0}]
        >>> find_polynomial_roots([1, 0, 0, -8], real_only=True)
        [{'real': 2.0, 'imaginary': 0.0}]
        >>> find_polynomial_roots([0.5, 1, 0.5])
        [{'real': -1.0, 'imaginary': 0.0}, {'real': -1.0, 'imaginary': 0.0}]
        >>> find_polynomial_roots(coefficients=[2, -5])
        [{'real': 2.5, 'imaginary': 0.0}]
    """
    if not 2 <= len(coefficients) <= 9:
        raise ValueError("the polynomial must have a degree from 1 to 8")
    if coefficients[0] == 0:
        raise ValueError("the first coefficient must not be zero")
    roots: list[complex] = []
    for factor, multiplicity in _square_free_factors([_exact(value) for value in coefficients]):
        roots += _simple_roots(factor) * multiplicity
    rounded = [
        {"real": round(root.real, 4) + 0.0, "imaginary": round(root.imag, 4) + 0.0}
        for root in roots
    ]
    kept = [root for root in rounded if not (real_only and root["imaginary"])]
    return sorted(kept, key=lambda root: (root["real"], root["imaginary"]))


def _square_free_factors(polynomial: list[Fraction]) -> list[tuple[list[Fraction], int]]:
    """Factors that have no root twice, with their multiplicities (Musser's algorithm)."""
    degree = len(polynomial) - 1
    derivative = [value * (degree - index) for index, value in enumerate(polynomial[:-1])]
    repeated = _common_factor(polynomial, derivative)
    left = _divide(polynomial, repeated)[0]
    factors = []
    for multiplicity in range(1, degree + 1):
        common = _common_factor(left, repeated)
        factors.append((_divide(left, common)[0], multiplicity))
        left, repeated = common, _divide(repeated, common)[0]
    return factors


def _common_factor(first: list[Fraction], second: list[Fraction]) -> list[Fraction]:
    """The greatest common divisor of two polynomials, with leading coefficient 1."""
    while second:
        first, second = second, _divide(first, second)[1]
    return [value / first[0] for value in first]


def _divide(
    dividend: list[Fraction], divisor: list[Fraction]
) -> tuple[list[Fraction], list[Fraction]]:
    """The quotient of two polynomials, and the remainder without leading zeros."""
    rest, quotient = list(dividend), []
    while len(rest) >= len(divisor):
        factor = rest[0] / divisor[0]
        quotient.append(factor)
        for index, value in enumerate(divisor):
            rest[index] -= factor * value
        rest.pop(0)
    while rest and not rest[0]:
        rest.pop(0)
    return quotient, rest


def _simple_roots(polynomial: list[Fraction]) -> list[complex]:
    """All roots of a polynomial that has none repeated, approached at once (Weierstrass)."""
    ratios = [value / polynomial[0] for value in polynomial]
    radius = float(min(Fraction(10**10), 1 + max(abs(ratio) for ratio in ratios)))
    if radius > 1e9:
        raise ValueError("the first coefficient is too small beside the others")
    monic = [float(ratio) for ratio in ratios]
    roots = [min(radius, 10) * (0.4 + 0.9j) ** power for power in range(len(monic) - 1)]
    for _ in range(500):
        moved = 0.0
        for index, root in enumerate(roots):
            others = math.prod((root - other for other in roots if other != root), start=1 + 0j)
            step = _value_at(root, monic) / others
            roots[index] = root - step
            moved = max(moved, abs(step) / max(1, abs(root)))
        if moved < 1e-9:
            return roots
    raise ValueError("the roots could not be found to four decimals")


def _value_at(x: complex, coefficients: list[float]) -> complex:
    value = 0j
    for coefficient in coefficients:
        value = value * x + coefficient
    return value


def matrix_determinant(matrix: Annotated[list[_Row], {"maxItems": 8}]) -> float:
    """Calculate the determinant of a square matrix, without rounding on the way.

    Args:
        matrix: The rows of the matrix, each as long as there are rows; up to 8 by 8.

    Returns:
        The determinant; 0 means that the matrix has no inverse.

    Raises:
        ValueError: If the matrix is empty, not square, or too large.

    Examples:
        >>> matrix_determinant([[1, 2], [3, 4]])
        -2.0
        >>> matrix_determinant([[2, 0, 0], [0, 3, 0], [0, 0, 4]])
        24.0
        >>> matrix_determinant(matrix=[[0.5, 1.5], [1.5, 4.5]])
        0.0
        >>> matrix_determinant([[6, 1, 1], [4, -2, 5], [2, 8, 7]])
        -306.0
    """
    rows = _square(matrix)
    determinant = Fraction(1)
    for column in range(len(rows)):
        if not _bring_pivot(rows, column):
            determinant = -determinant
        determinant *= rows[column][column]
        if not determinant:
            return 0.0
        _clear_below(rows, column)
    return float(determinant)


def solve_linear_system(
    coefficients: Annotated[list[_Row], {"minItems": 1, "maxItems": 8}],
    constants: _Row,
) -> list[float]:
    """Solve a system of linear equations that has exactly one solution.

    Args:
        coefficients: One row of coefficients per equation, as many as there are unknowns; up to 8.
        constants: The right-hand side of each equation.

    Returns:
        The values of the unknowns, in the order of the columns, rounded to 10 decimals.

    Raises:
        ValueError: If the equations are not as many as the unknowns, or have no solution or many.

    Examples:
        >>> solve_linear_system([[2, 1], [1, -1]], [5, 1])
        [2.0, 1.0]
        >>> solve_linear_system([[1, 1, 1], [0, 2, 5], [2, 5, -1]], [6, -4, 27])
        [5.0, 3.0, -2.0]
        >>> solve_linear_system(coefficients=[[0.1, 0.2], [0.3, 0.4]], constants=[0.5, 1.1])
        [1.0, 2.0]
        >>> solve_linear_system([[4]], [10])
        [2.5]
    """
    rows = _square(coefficients)
    if len(constants) != len(rows):
        raise ValueError(f"{len(rows)} equations need {len(rows)} constants, not {len(constants)}")
    for row, constant in zip(rows, constants, strict=True):
        row.append(_exact(constant))
    for column in range(len(rows)):
        _bring_pivot(rows, column)
        if not rows[column][column]:
            raise ValueError("the equations have no solution or infinitely many")
        _clear_below(rows, column)
    solution: list[Fraction] = []
    for row in reversed(rows):
        known = row[-1 - len(solution) : -1]
        rest = row[-1] - sum(a * x for a, x in zip(known, solution, strict=True))
        solution.insert(0, rest / row[-2 - len(known)])
    if any(abs(value) > 10**15 for value in solution):
        raise ValueError("the solution is too large to be meaningful")
    return [round(float(value), 10) for value in solution]


def _square(matrix: list[list[float]]) -> list[list[Fraction]]:
    size = len(matrix)
    if not 1 <= size <= 8:
        raise ValueError("the matrix must have 1 to 8 rows")
    if any(len(row) != size for row in matrix):
        raise ValueError(f"each of the {size} rows must have {size} numbers")
    return [[_exact(value) for value in row] for row in matrix]


def _exact(value: float) -> Fraction:
    """The number that was written: 0.1 is a tenth."""
    return Fraction(str(value))


def _bring_pivot(rows: list[list[Fraction]], column: int) -> bool:
    """Swap a row with a non-zero entry to the diagonal; False if rows were swapped."""
    for index in range(column, len(rows)):
        if rows[index][column]:
            rows[column], rows[index] = rows[index], rows[column]
            return index == column
    return True


def _clear_below(rows: list[list[Fraction]], column: int) -> None:
    pivot = rows[column]
    for row in rows[column + 1 :]:
        factor = row[column] / pivot[column]
        row[:] = [value - factor * above for value, above in zip(row, pivot, strict=True)]


def integrate_polynomial(
    coefficients: Annotated[list[_Entry], {"maxItems": 11}],
    lower: Annotated[float, {"minimum": -1000, "maximum": 1000}],
    upper: Annotated[float, {"minimum": -1000, "maximum": 1000}],
) -> float:
    """Calculate the definite integral of a polynomial between two limits.

    Area below the x axis counts as negative, and so does integration from right to left.

    Args:
        coefficients: The coefficients from the highest power down to the constant: [3, 0, 1] is
            3x² + 1.
        lower: The limit to integrate from.
        upper: The limit to integrate to.

    Returns:
        The integral, rounded to 10 decimals.

    Raises:
        ValueError: If there are no coefficients, or more than 11.

    Examples:
        >>> integrate_polynomial([3, 0, 1], 0, 2)
        10.0
        >>> integrate_polynomial([1, 0], lower=-1, upper=1)
        0.0
        >>> integrate_polynomial(coefficients=[-9.8, 20], lower=0, upper=1.5)
        18.975
        >>> integrate_polynomial([2], lower=5, upper=3.5)
        -3.0
    """
    if not 1 <= len(coefficients) <= 11:
        raise ValueError("1 to 11 coefficients are needed")
    start, end = _exact(lower), _exact(upper)
    total = Fraction(0)
    for power, coefficient in enumerate(reversed(coefficients), start=1):
        total += _exact(coefficient) * (end**power - start**power) / power
    return round(float(total), 10)


def count_selections(
    items: Annotated[int, {"minimum": 0, "maximum": 60}],
    chosen: Annotated[int, {"minimum": 0, "maximum": 20}],
    ordered: bool = False,
    with_repetition: bool = False,
) -> int:
    """Count the ways to choose some of several distinct items.

    Unordered choices are combinations, ordered ones permutations.

    Args:
        items: How many distinct items there are to choose from.
        chosen: How many are chosen.
        ordered: Count the same items in another order as another choice.
        with_repetition: Allow an item to be chosen more than once.

    Returns:
        The number of ways; 0 if more items are chosen than there are.

    Raises:
        ValueError: If a number is out of range.

    Examples:
        >>> count_selections(49, 6)
        13983816
        >>> count_selections(items=8, chosen=3, ordered=True)
        336
        >>> count_selections(5, 3, with_repetition=True)
        35
        >>> count_selections(items=10, chosen=4, ordered=True, with_repetition=True)
        10000
    """
    if not (0 <= items <= 60 and 0 <= chosen <= 20):
        raise ValueError("items must be from 0 to 60, and chosen from 0 to 20")
    if ordered:
        return items**chosen if with_repetition else math.perm(items, chosen)
    if with_repetition:
        return math.comb(items + chosen - 1, chosen) if items else int(chosen == 0)
    return math.comb(items, chosen)


def approximate_fraction(
    value: Annotated[float, {"minimum": -1e6, "maximum": 1e6}],
    max_denominator: Annotated[int, {"minimum": 1, "maximum": 10**6}] = 100,
) -> dict[str, object]:
    """Find the fraction closest to a decimal number, with a denominator that is not too large.

    Args:
        value: The decimal number.
        max_denominator: The largest denominator allowed.

    Returns:
        The fraction in lowest terms, as `numerator`, `denominator` and `text`, and the amount by
        which it exceeds the number (`deviation`).

    Raises:
        ValueError: If the largest denominator is below 1.

    Examples:
        >>> approximate_fraction(0.375)
        {'numerator': 3, 'denominator': 8, 'text': '3/8', 'deviation': 0.0}
        >>> approximate_fraction(3.14159265, max_denominator=200)["text"]
        '355/113'
        >>> approximate_fraction(value=-1.3333, max_denominator=10)["text"]
        '-4/3'
        >>> approximate_fraction(2.54, max_denominator=10)
        {'numerator': 23, 'denominator': 9, 'text': '23/9', 'deviation': 0.0155555556}
    """
    if max_denominator < 1:
        raise ValueError("max_denominator must be at least 1")
    exact = _exact(value)
    close = exact.limit_denominator(max_denominator)
    return {
        "numerator": close.numerator,
        "denominator": close.denominator,
        "text": str(close),
        "deviation": round(float(close - exact), 10),
    }


def to_roman_numeral(number: Annotated[int, {"minimum": 1, "maximum": 3999}]) -> str:
    """Write an integer as a Roman numeral.

    Args:
        number: The integer to write.

    Returns:
        The numeral in capitals.

    Raises:
        ValueError: If the number is not from 1 to 3999.

    Examples:
        >>> to_roman_numeral(1994)
        'MCMXCIV'
        >>> to_roman_numeral(number=2024)
        'MMXXIV'
        >>> to_roman_numeral(49)
        'XLIX'
    """
    if not 1 <= number <= 3999:
        raise ValueError("number must be from 1 to 3999")
    numeral = ""
    for value, letters in _ROMAN_VALUES:
        count, number = divmod(number, value)
        numeral += letters * count
    return numeral


def from_roman_numeral(
    numeral: Annotated[str, {"pattern": "^[IVXLCDMivxlcdm]+$", "maxLength": 15}],
) -> int:
    """Read a Roman numeral as an integer.

    Args:
        numeral: The numeral in its standard form, such as IV rather than IIII; case is ignored.

    Returns:
        The value, from 1 to 3999.

    Raises:
        ValueError: If the text is not a Roman numeral in standard form.

    Examples:
        >>> from_roman_numeral("MCMLXXXIV")
        1984
        >>> from_roman_numeral(numeral="xlii")
        42
        >>> from_roman_numeral("MMMCMXCIX")
        3999
    """
    rest, total = numeral.upper(), 0
    for value, letters in _ROMAN_VALUES:
        while rest.startswith(letters):
            rest = rest.removeprefix(letters)
            total += value
    if rest or not 1 <= total <= 3999 or to_roman_numeral(total) != numeral.upper():
        raise ValueError(f"{numeral!r} is not a Roman numeral in standard form")
    return total
