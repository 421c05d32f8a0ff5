import pytest


def test_extra_payments_save_interest(tools):
    plain = tools.loan_amortization(10000, 6, 60)
    faster = tools.loan_amortization(10000, 6, 60, extra_payment=100)
    assert faster["total_interest"] < plain["total_interest"]
    assert faster["months_to_repay"] < plain["months_to_repay"] == 60


@pytest.mark.parametrize("loan", [(0, 5, 12), (1000, -1, 12), (1000, 5, 0), (1000, 5, 601)])
def test_impossible_loans_are_refused(tools, loan):
    with pytest.raises(ValueError, match=r"months|amounts"):
        tools.loan_amortization(*loan)


def test_savings_without_interest_are_what_was_put_in(tools):
    saved = tools.project_savings(100, 10, 0, 80, contribute_at="start")
    assert saved == {"final_balance": 9700.0, "contributed": 9700.0, "interest": 0.0}
    with pytest.raises(ValueError, match="negative"):
        tools.project_savings(-1, 10, 0, 1)


def test_the_present_value_at_the_internal_rate_is_zero(tools):
    flows = [-1234, 300, 400, 500, 600]
    rate = tools.internal_rate_of_return(flows)
    assert tools.net_present_value(rate, flows) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("flows", [[], [0, 0], [1, 2], [-1, 2, -3], [-1]])
def test_flows_without_a_single_rate_are_refused(tools, flows):
    with pytest.raises(ValueError, match="sign exactly once"):
        tools.internal_rate_of_return(flows)


def test_a_loss_of_all_but_a_thousandth_has_no_rate_in_bounds(tools):
    with pytest.raises(ValueError, match="between -99"):
        tools.internal_rate_of_return([-1000, 1])


def test_dated_flows_on_one_day_count_together(tools):
    flows = [("2022-01-01", -600), ("2022-01-01", -400), ("2023-01-01", 1100)]
    dated = [{"date": day, "amount": amount} for day, amount in flows]
    assert tools.return_of_dated_cash_flows(dated) == 10
    assert tools.return_of_dated_cash_flows(dated[::-1]) == 10
    with pytest.raises(ValueError, match=r"month|day"):
        tools.return_of_dated_cash_flows([*dated, {"date": "2023-13-01", "amount": 1}])


def test_a_bond_below_par_yields_more_than_its_coupon(tools):
    cheap = tools.bond_price(1000, 4, 6, 10)
    assert cheap["price"] == 851.23  # 20 * 14.8775 + 1000 / 1.03²⁰
    assert 4 < cheap["current_yield_percent"] < 6
    zero = tools.bond_price(1000, 0, 6, 10)
    assert zero["macaulay_duration"] == 10
    with pytest.raises(ValueError, match="years_to_maturity"):
        tools.bond_price(1000, 4, 6, 0)


def test_no_growth_is_zero(tools):
    assert tools.compound_annual_growth_rate(5, 5, 7) == 0
    assert tools.compound_annual_growth_rate(100, 25, 2) == -50
    with pytest.raises(ValueError, match="positive"):
        tools.compound_annual_growth_rate(0, 5, 1)


@pytest.mark.parametrize("returns", [[], [1], [2, 2, 2]])
def test_returns_without_risk_have_no_sharpe_ratio(tools, returns):
    with pytest.raises(ValueError, match="returns"):
        tools.sharpe_ratio(returns)


@pytest.mark.parametrize("method", ["straight_line", "sum_of_years_digits"])
def test_assets_end_at_their_salvage_value(tools, method):
    schedule = tools.depreciation_schedule(10000, 7, 1500, method)
    assert schedule[-1]["book_value"] == 1500
    assert sum(row["depreciation"] for row in schedule) == pytest.approx(8500, abs=0.05)


def test_the_declining_balance_stops_at_the_salvage_value(tools):
    schedule = tools.depreciation_schedule(1000, 5, 500, "double_declining_balance")
    assert [row["book_value"] for row in schedule] == [600, 500, 500, 500, 500]
    with pytest.raises(ValueError, match="salvage_value"):
        tools.depreciation_schedule(1000, 5, 1001)


def test_currencies_without_a_rate_are_named(tools):
    with pytest.raises(ValueError, match="no rate for USD"):
        tools.convert_currency(1, "EUR", "USD", {"EUR": 1})
    assert tools.convert_currency(7, "EUR", "EUR", {"EUR": 2})["amount"] == 7


def test_tax_begins_just_above_a_threshold(tools):
    brackets = [{"above": 1000, "rate_percent": 10}, {"above": 2000, "rate_percent": 50}]
    taxes = [tools.progressive_income_tax(i, brackets)["tax"] for i in (0, 1000, 2000, 2100)]
    assert taxes == [0, 0, 100, 150]
    with pytest.raises(ValueError, match="ascending"):
        tools.progressive_income_tax(5000, brackets[::-1])
