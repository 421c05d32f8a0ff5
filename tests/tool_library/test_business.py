import pytest


def test_discounts_apply_one_after_the_other_in_any_order(tools):
    one = tools.apply_discounts(99.99, [30, 5, 12.5])
    assert one == tools.apply_discounts(99.99, [12.5, 30, 5])
    assert one["net_price"] == 58.18  # 99.99 * 0.7 * 0.95 * 0.875


def test_a_coupon_is_worth_at_most_the_price(tools):
    assert tools.apply_discounts(10, [0], tax_percent=20, coupon=50)["final_price"] == 0
    with pytest.raises(ValueError, match="positive"):
        tools.apply_discounts(0, [10])


def test_half_a_cent_is_rounded_up(tools):
    assert tools.apply_discounts(1.005, [0])["net_price"] == 1.01
    assert tools.apply_discounts(2.675, [0])["net_price"] == 2.68


@pytest.mark.parametrize("people", [1, 3, 7, 100])
def test_shares_of_a_bill_add_up_to_the_cent(tools, people):
    bill = tools.split_bill(123.45, people, tip_percent=17.5, tax_percent=8.875)
    cents = [round(100 * share) for share in bill["shares"]]
    assert sum(cents) == round(100 * bill["total"])
    assert max(cents) - min(cents) <= 1


@pytest.mark.parametrize(("subtotal", "people"), [(0, 2), (10, 0), (10, 101)])
def test_bills_of_nothing_or_nobody_are_refused(tools, subtotal, people):
    with pytest.raises(ValueError, match="positive"):
        tools.split_bill(subtotal, people)


def test_one_unit_fewer_does_not_break_even(tools):
    units = tools.break_even_point(1000, 9.99, 2.99)["units"]
    assert (units - 1) * 7 < 1000 <= units * 7
    assert tools.break_even_point(0.3, 0.2, 0.1)["units"] == 3
    with pytest.raises(ValueError, match="above unit_cost"):
        tools.break_even_point(1000, 5, 5)


def test_margin_and_markup_are_two_views_of_a_price(tools):
    by_margin = tools.price_for_margin(75, 25)
    assert tools.price_for_margin(75, by_margin["markup_percent"], "cost")["price"] == 100
    with pytest.raises(ValueError, match="95"):
        tools.price_for_margin(75, 100)


def test_other_order_sizes_are_dearer(tools):
    best = tools.economic_order_quantity(1000, 10, 0.5)

    def cost(size):
        return 1000 / size * 10 + size / 2 * 0.5

    assert best["annual_cost"] < min(cost(150), cost(250))
    with pytest.raises(ValueError, match="positive"):
        tools.economic_order_quantity(0, 10, 0.5)


def test_the_lines_of_an_invoice_are_rounded_one_by_one(tools):
    line = {"description": "x", "quantity": 0.5, "unit_price": 0.01}
    assert tools.calculate_invoice_total([line] * 3)["subtotal"] == 0.03
    with pytest.raises(ValueError, match="empty"):
        tools.calculate_invoice_total([])


@pytest.mark.parametrize(
    ("invoice", "terms", "days", "due"),
    [
        ("2024-02-29", "net", 365, "2025-02-28"),
        ("2023-12-31", "net", 1, "2024-01-01"),
        ("2023-12-05", "end_of_month", 0, "2023-12-31"),
        ("2023-02-05", "end_of_month", 1, "2023-03-01"),
    ],
)
def test_due_days_pass_the_ends_of_months_and_years(tools, invoice, terms, days, due):
    assert tools.payment_due_date(invoice, terms, days) == due


@pytest.mark.parametrize("day", ["2024-06-08", "2024-06-09", "2024-06-10"])
def test_weekends_are_skipped_to_monday(tools, day):
    assert tools.payment_due_date(day, days=0, skip_weekends=True) == "2024-06-10"


@pytest.mark.parametrize("day", ["2023-02-29", "1899-12-31", "3000-01-01", "soon"])
def test_invoices_of_impossible_days_are_refused(tools, day):
    with pytest.raises(ValueError, match=r".+"):
        tools.payment_due_date(day)
