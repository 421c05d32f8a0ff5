import pytest


def test_the_greater_weight_is_billed(tools):
    light = tools.shipping_dimensional_weight(100, 50, 50, 1)
    assert (light["billable_weight"], light["basis"]) == (50, "dimensional")
    even = tools.shipping_dimensional_weight(100, 50, 50, 50)
    assert (even["billable_weight"], even["basis"]) == (50, "actual")
    with pytest.raises(ValueError, match="positive"):
        tools.shipping_dimensional_weight(0, 50, 50, 1)


@pytest.mark.parametrize(
    ("code", "symbology"),
    [
        ("5901234123457", "EAN-13"),
        ("9780306406157", "EAN-13"),
        ("96385074", "EAN-8"),
        ("036000291452", "UPC-A"),
        ("10012345678902", "ITF-14"),
    ],
)
def test_published_barcodes_are_valid_with_no_other_check_digit(tools, code, symbology):
    assert tools.barcode_check_digit(code, symbology)["valid"]
    assert tools.barcode_check_digit(code[:-1], symbology)["code"] == code
    others = [code[:-1] + digit for digit in "0123456789" if digit != code[-1]]
    assert not any(tools.barcode_check_digit(other, symbology)["valid"] for other in others)


@pytest.mark.parametrize(
    "digits", ["12345678901", "12345678901234", "12345678901a", "٤٠٠٦٣٨١٣٣٣٩٣"]
)
def test_barcodes_of_wrong_length_or_letters_are_refused(tools, digits):
    with pytest.raises(ValueError, match="EAN-13"):
        tools.barcode_check_digit(digits, "EAN-13")


def test_an_isbn_comes_back_from_its_other_form(tools):
    for isbn in ("0306406152", "080442957X", "0131103628"):
        assert tools.convert_isbn(tools.convert_isbn(isbn), target="isbn10") == isbn


@pytest.mark.parametrize(
    ("isbn", "message"),
    [
        ("0306406153", "check digit"),
        ("9780306406158", "check digit"),
        ("1234567890123", "no ISBN"),
        ("12345", "no ISBN"),
        ("03064X6152", "no ISBN"),
    ],
)
def test_wrong_isbns_are_refused(tools, isbn, message):
    with pytest.raises(ValueError, match=message):
        tools.convert_isbn(isbn)


def test_an_isbn_of_979_has_no_short_form(tools):
    assert tools.convert_isbn("979-10-90636-07-1") == "9791090636071"
    with pytest.raises(ValueError, match="979"):
        tools.convert_isbn("979-10-90636-07-1", target="isbn10")


@pytest.mark.parametrize(
    ("number", "brand"),
    [
        ("4012888888881881", "Visa"),
        ("5105105105105100", "Mastercard"),
        ("2223003122003222", "Mastercard"),
        ("371449635398431", "American Express"),
        ("6011111111111117", "Discover"),
        ("30569309025904", "Diners Club"),
        ("3530111333300000", "JCB"),
        ("79927398713", "unknown"),
    ],
)
def test_published_test_cards_are_valid(tools, number, brand):
    checked = tools.check_card_number(number)
    assert (checked["valid"], checked["brand"]) == (True, brand)
    assert checked["masked"].count("*") == len(number) - 4


@pytest.mark.parametrize("number", ["1234567", "1" * 20, "4111-1111-1111-111x", "- - - - -"])
def test_what_is_no_card_number_is_refused(tools, number):
    with pytest.raises(ValueError, match="8 to 19 digits"):
        tools.check_card_number(number)


def test_points_are_counted_without_binary_noise(tools):
    assert tools.loyalty_points(0.29, points_per_unit=100)["earned"] == 29
    assert tools.loyalty_points(500)["points_to_next_reward"] == 500
    with pytest.raises(ValueError, match="negative"):
        tools.loyalty_points(-1)


def test_the_cheapest_items_are_free(tools):
    items = [
        {"name": "dear", "price": 30, "quantity": 1},
        {"name": "cheap", "price": 0.1, "quantity": 1},
        {"name": "middle", "price": 0.2, "quantity": 1},
    ]
    assert tools.free_items_promotion(items) == {
        "regular_total": 30.3,
        "free_items": 1,
        "savings": 0.1,
        "total": 30.2,
    }
    assert tools.free_items_promotion(items[:2])["savings"] == 0


@pytest.mark.parametrize("items", [[], [{"name": "x", "price": 1, "quantity": 0}]])
def test_empty_baskets_are_refused(tools, items):
    with pytest.raises(ValueError, match=r"empty|at least 1"):
        tools.free_items_promotion(items)


def test_equal_unit_prices_keep_the_first_offer(tools):
    offers = [{"name": n, "price": 2 * q, "quantity": q} for n, q in (("b", 3), ("a", 1))]
    best = tools.best_unit_price(offers)
    assert (best["best"], best["spread_percent"]) == ("b", 0)
    with pytest.raises(ValueError, match="empty"):
        tools.best_unit_price([])
