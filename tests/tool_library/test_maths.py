import math

import pytest


@pytest.mark.parametrize("number", [2, 3, 4, 1_000_000_007, 999_999_999_989, 10**12, 2**39])
def test_factors_multiply_to_the_number(tools, number):
    found = tools.factorize_integer(number)
    assert math.prod(f["prime"] ** f["exponent"] for f in found["factors"]) == number
    assert found["is_prime"] == (number in {2, 3, 1_000_000_007, 999_999_999_989})


@pytest.mark.parametrize("number", [-7, 0, 1, 10**12 + 1])
def test_numbers_without_factorization_are_refused(tools, number):
    with pytest.raises(ValueError, match="from 2"):
        tools.factorize_integer(number)


def test_a_multiple_beyond_bounds_is_refused(tools):
    assert tools.gcd_and_lcm([8]) == {"gcd": 8, "lcm": 8}
    with pytest.raises(ValueError, match=r"10\*\*18"):
        tools.gcd_and_lcm([10**9, 10**9 - 1, 10**9 - 3])
    with pytest.raises(ValueError, match="positive"):
        tools.gcd_and_lcm([4, 0])


def test_numbers_come_back_from_each_base(tools):
    for base in range(2, 37):
        digits = tools.convert_number_base("-987654321", 10, base)
        assert tools.convert_number_base(digits, base) == "-987654321"
    assert tools.convert_number_base("-000", 8, 2) == "0"


@pytest.mark.parametrize(("digits", "base"), [("2", 2), ("8", 8), ("g", 16), ("1.5", 10), ("1", 1)])
def test_digits_that_a_base_lacks_are_refused(tools, digits, base):
    with pytest.raises(ValueError, match="base"):
        tools.convert_number_base(digits, base)


def test_repeated_roots_are_listed_as_often(tools):
    roots = tools.find_polynomial_roots([1, -6, 12, -8])  # (x - 2)³
    assert roots == [{"real": 2.0, "imaginary": 0.0}] * 3


def test_eight_roots_of_unity_lie_on_the_circle(tools):
    roots = tools.find_polynomial_roots([1, 0, 0, 0, 0, 0, 0, 0, -1])
    assert len(roots) == 8
    for root in roots:
        assert math.hypot(root["real"], root["imaginary"]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("coefficients", [[0, 1, 2], [5], [1] * 10])
def test_polynomials_of_wrong_degree_are_refused(tools, coefficients):
    with pytest.raises(ValueError, match=r"degree|zero"):
        tools.find_polynomial_roots(coefficients)


def test_determinants_are_those_of_the_numbers_as_written(tools):
    matrix = [[0.5, 0.25], [0.1, 0.05]]  # singular, and not in binary fractions
    assert tools.matrix_determinant(matrix) == 0
    assert tools.matrix_determinant([[0, 1], [1, 0]]) == -1


@pytest.mark.parametrize("matrix", [[], [[1, 2]], [[1, 2], [3]], [[1] * 9] * 9])
def test_matrices_that_are_not_square_are_refused(tools, matrix):
    with pytest.raises(ValueError, match="row"):
        tools.matrix_determinant(matrix)


def test_equations_without_a_single_solution_are_refused(tools):
    for constants in ([1, 2], [1, 3]):
        with pytest.raises(ValueError, match="no solution or infinitely many"):
            tools.solve_linear_system([[1, 1], [2, 2]], constants)
    with pytest.raises(ValueError, match="2 constants"):
        tools.solve_linear_system([[1, 0], [0, 1]], [1])


def test_integration_backwards_changes_the_sign(tools):
    there = tools.integrate_polynomial([4, 0, -1, 2], 0.3, 1.7)
    assert tools.integrate_polynomial([4, 0, -1, 2], 1.7, 0.3) == -there
    with pytest.raises(ValueError, match="coefficients"):
        tools.integrate_polynomial([], 0, 1)


def test_nothing_can_be_chosen_in_one_way(tools):
    for ordered in (False, True):
        for repeated in (False, True):
            assert tools.count_selections(0, 0, ordered, repeated) == 1
            assert tools.count_selections(5, 0, ordered, repeated) == 1
    assert tools.count_selections(3, 4) == 0
    with pytest.raises(ValueError, match="items"):
        tools.count_selections(61, 2)


def test_fractions_of_numbers_as_written(tools):
    assert tools.approximate_fraction(0.1, 10)["text"] == "1/10"
    assert tools.approximate_fraction(math.pi, 1)["text"] == "3"
    with pytest.raises(ValueError, match="max_denominator"):
        tools.approximate_fraction(0.5, 0)


def test_all_roman_numerals_come_back(tools):
    for number in range(1, 4000):
        assert tools.from_roman_numeral(tools.to_roman_numeral(number)) == number


@pytest.mark.parametrize("numeral", ["IIII", "VX", "IM", "MMMM", "", "ABC", "IXI", "VV"])
def test_numerals_out_of_form_are_refused(tools, numeral):
    with pytest.raises(ValueError, match="standard form"):
        tools.from_roman_numeral(numeral)


@pytest.mark.parametrize("number", [0, -1, 4000])
def test_there_are_no_roman_numerals_beyond_3999(tools, number):
    with pytest.raises(ValueError, match="3999"):
        tools.to_roman_numeral(number)
