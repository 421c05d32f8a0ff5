"""Loans, investments, bonds, taxes and exchange rates.

Rates are in percent: 5 means 5 %. Amounts are in any one currency.
"""

import math
from collections.abc import Callable, Sequence
from datetime import date
from itertools import pairwise
from typing import Annotated, Literal, TypedDict

CATEGORY = "Finance"
__all__ = [
    "bond_price",
    "compound_annual_growth_rate",
    "convert_currency",
    "depreciation_schedule",
    "internal_rate_of_return",
    "loan_amortization",
    "net_present_value",
    "progressive_income_tax",
    "project_savings",
    "return_of_dated_cash_flows",
    "sharpe_ratio",
]

_Amount = Annotated[float, {"minimum": 0, "maximum": 1e12}]
_PositiveAmount = Annotated[float, {"minimum": 0.01, "maximum": 1e12}]
_Flow = Annotated[float, {"minimum": -1e12, "maximum": 1e12}]
_Rate = Annotated[float, {"minimum": 0, "maximum": 100}]
_CurrencyCode = Annotated[str, {"pattern": "^[A-Z]{3}$"}]


def loan_amortization(
    principal: _PositiveAmount,
    annual_rate_percent: _Rate,
    months: Annotated[int, {"minimum": 1, "maximum": 600}],
    extra_payment: _Amount = 0,
) -> dict[str, float]:
    """Calculate the monthly payment and the total cost of a loan repaid in equal installments.

    Args:
        principal: The amount borrowed.
        annual_rate_percent: The nominal yearly interest rate, in percent, compounded monthly.
        months: The term of the loan, in months.
        extra_payment: An amount paid each month on top of the regular installment.

    Returns:
        The regular `monthly_payment`, the number of months until the loan is repaid, the total
        paid, and the interest in it.

    Raises:
        ValueError: If an amount, the rate or the term is out of range.

    Examples:
        >>> loan_amortization(200000, 6, 360)["monthly_payment"]
        1199.1
        >>> loan_amortization(principal=200000, annual_rate_percent=6, months=360)["total_interest"]
        231676.38
        >>> loan_amortization(600, annual_rate_percent=0, months=12, extra_payment=50)
        {'monthly_payment': 50.0, 'months_to_repay': 6, 'total_paid': 600.0, 'total_interest': 0.0}
        >>> loan_amortization(10000, 12.0, 24, extra_payment=50.0)["months_to_repay"]
        22
    """
    if not 1 <= months <= 600:
        raise ValueError("months must be from 1 to 600")
    if principal <= 0 or annual_rate_percent < 0 or extra_payment < 0:
        raise ValueError("amounts and rate must not be negative, nor the principal zero")
    rate = annual_rate_percent / 1200
    payment = principal * _annuity_share(rate, months)
    balance, paid, month = principal, 0.0, 0
    while balance > 0.005 and month < months:
        balance *= 1 + rate
        installment = min(balance, payment + extra_payment)
        balance -= installment
        paid += installment
        month += 1
    return {
        "monthly_payment": _cents(payment),
        "months_to_repay": month,
        "total_paid": _cents(paid),
        "total_interest": _cents(paid - principal),
    }


def _annuity_share(rate: float, periods: int) -> float:
    """The installment that repays 1 over the periods."""
    return rate / (1 - (1 + rate) ** -periods) if rate > 1e-12 else 1 / periods


def _cents(amount: float) -> float:
    """Rounded to cents, and never a negative zero."""
    return round(float(amount), 2) + 0.0


def project_savings(
    initial_amount: _Amount,
    monthly_contribution: _Amount,
    annual_rate_percent: _Rate,
    years: Annotated[int, {"minimum": 1, "maximum": 80}],
    contribute_at: Literal["start", "end"] = "end",
) -> dict[str, float]:
    """Project savings with monthly contributions and monthly compounded interest.

    Args:
        initial_amount: The amount saved already.
        monthly_contribution: The amount added each month.
        annual_rate_percent: The nominal yearly interest rate, in percent.
        years: For how many years.
        contribute_at: Whether a contribution is made at the start or the end of its month.

    Returns:
        The final balance, what was put in, and what interest added.

    Raises:
        ValueError: If an amount, the rate or the number of years is out of range.

    Examples:
        >>> project_savings(1000, 0, 12, 1)
        {'final_balance': 1126.83, 'contributed': 1000.0, 'interest': 126.83}
        >>> project_savings(0, monthly_contribution=100, annual_rate_percent=6, years=10)
        {'final_balance': 16387.93, 'contributed': 12000.0, 'interest': 4387.93}
        >>> project_savings(0, 100, 6.0, 10, contribute_at="start")["final_balance"]
        16469.87
        >>> project_savings(500, monthly_contribution=50.5, annual_rate_percent=0, years=2)
        {'final_balance': 1712.0, 'contributed': 1712.0, 'interest': 0.0}
    """
    if not 1 <= years <= 80:
        raise ValueError("years must be from 1 to 80")
    if min(initial_amount, monthly_contribution, annual_rate_percent) < 0:
        raise ValueError("amounts and rate must not be negative")
    rate, months = annual_rate_percent / 1200, years * 12
    growth = (1 + rate) ** months
    contributions = monthly_contribution * growth * _present_value_of_ones(rate, months)
    if contribute_at == "start":
        contributions *= 1 + rate
    balance = initial_amount * growth + contributions
    contributed = initial_amount + monthly_contribution * months
    return {
        "final_balance": _cents(balance),
        "contributed": _cents(contributed),
        "interest": _cents(balance - contributed),
    }


def _present_value_of_ones(rate: float, periods: int) -> float:
    return 1 / _annuity_share(rate, periods)


def net_present_value(
    rate_percent: Annotated[float, {"minimum": -50, "maximum": 1000}],
    cash_flows: Annotated[list[_Flow], {"maxItems": 200}],
) -> float:
    """Calculate the net present value of a series of yearly cash flows.

    Args:
        rate_percent: The discount rate for one period, in percent.
        cash_flows: One amount per period, received (positive) or paid (negative). The first happens
            now and is not discounted.

    Returns:
        The net present value, to cents.

    Raises:
        ValueError: If there are no cash flows, or the rate is below -50 %.

    Examples:
        >>> net_present_value(10, [-1000, 500, 500, 500])
        243.43
        >>> net_present_value(rate_percent=0, cash_flows=[-100, 60, 60])
        20.0
        >>> net_present_value(8.0, [-5000, 1100, 2420])
        -1906.72
        >>> net_present_value(25, [0, 125])
        100.0
    """
    if not cash_flows:
        raise ValueError("cash_flows must not be empty")
    if rate_percent < -50:
        raise ValueError("rate_percent must be at least -50")
    factor = 1 / (1 + rate_percent / 100)
    return _cents(math.fsum(flow * factor**period for period, flow in enumerate(cash_flows)))


def internal_rate_of_return(
    cash_flows: Annotated[list[_Flow], {"maxItems": 200}],
) -> float:
    """Find the rate per period at which the net present value of cash flows is zero.

    Args:
        cash_flows: One amount per period, received (positive) or paid (negative), the first one
            now. The sign must change exactly once, since otherwise there may be several such rates.

    Returns:
        The rate in percent, to four decimals.

    Raises:
        ValueError: If the sign does not change exactly once, or the rate is not between -99 % and
            100,000 %.

    Examples:
        >>> internal_rate_of_return([-100, 110])
        10.0
        >>> internal_rate_of_return([-1000, 500, 500, 500])
        23.3752
        >>> internal_rate_of_return(cash_flows=[-3050, 640, 640, 640])
        -20.0
        >>> internal_rate_of_return([1000, 0, -1210])
        10.0
    """
    return _rate_of_return([(float(period), flow) for period, flow in enumerate(cash_flows)])


class DatedCashFlow(TypedDict):
    """An amount on a day."""

    date: Annotated[str, {"format": "date"}]
    amount: _Flow


def return_of_dated_cash_flows(
    cash_flows: Annotated[list[DatedCashFlow], {"maxItems": 200}],
) -> float:
    """Find the yearly rate of return of cash flows on irregular days (as XIRR in spreadsheets).

    Args:
        cash_flows: Each with an ISO `date` and an `amount`, received (positive) or paid (negative),
            in any order. In order of time, the sign must change exactly once.

    Returns:
        The effective yearly rate in percent, to four decimals, over years of 365 days.

    Raises:
        ValueError: If a date is invalid, the sign does not change exactly once, or the rate is not
            between -99 % and 100,000 %.

    Examples:
        >>> return_of_dated_cash_flows(
        ...     [
        ...         {"date": "2023-01-01", "amount": -1000},
        ...         {"date": "2024-01-01", "amount": 1080},
        ...     ]
        ... )
        8.0
        >>> return_of_dated_cash_flows(
        ...     cash_flows=[
        ...         {"date": "2008-01-01", "amount": -10000},
        ...         {"date": "2008-03-01", "amount": 2750},
        ...         {"date": "2008-10-30", "amount": 4250},
        ...         {"date": "2009-02-15", "amount": 3250},
        ...         {"date": "2009-04-01", "amount": 2750},
        ...     ]
        ... )
        37.3363
        >>> return_of_dated_cash_flows(
        ...     [
        ...         {"date": "2023-12-31", "amount": 900.0},
        ...         {"date": "2021-12-31", "amount": -1000.0},
        ...     ]
        ... )
        -5.1317
    """
    by_day: dict[date, float] = {}
    for flow in cash_flows:
        day = date.fromisoformat(flow["date"])
        by_day[day] = by_day.get(day, 0) + flow["amount"]
    return _rate_of_return([(day.toordinal() / 365, by_day[day]) for day in sorted(by_day)])


def _rate_of_return(flows: Sequence[tuple[float, float]]) -> float:
    """The rate in percent at which amounts at the given years are worth nothing together."""
    flows = [(years, amount) for years, amount in flows if amount]
    signs = [amount > 0 for _, amount in flows]
    changes = sum(before != after for before, after in pairwise(signs))
    if changes != 1:
        raise ValueError("the cash flows must change their sign exactly once")

    def worth(rate: float) -> float:
        # As of the last flow if the rate is negative, else of the first: nothing can overflow.
        origin = flows[-1 if rate < 0 else 0][0]
        return math.fsum(amount * (1 + rate) ** (origin - years) for years, amount in flows)

    return round(100 * _zero_between(worth, -0.99, 1000.0), 4) + 0.0


def _zero_between(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a continuous function that changes its sign is zero (bisection)."""
    rising = function(high) > 0
    if (function(low) > 0) == rising:
        raise ValueError("the rate of return is not between -99 % and 100,000 %")
    for _ in range(80):
        middle = (low + high) / 2
        if (function(middle) > 0) == rising:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def bond_price(
    face_value: _PositiveAmount,
    coupon_rate_percent: _Rate,
    yield_percent: _Rate,
    years_to_maturity: Annotated[int, {"minimum": 1, "maximum": 100}],
    payments_per_year: Literal[1, 2, 4] = 2,
) -> dict[str, float]:
    """Price a bond with fixed coupons on a coupon date, and measure its duration.

    Args:
        face_value: The amount repaid at maturity.
        coupon_rate_percent: The yearly coupon, in percent of the face value.
        yield_percent: The nominal yearly yield to maturity that the market asks, in percent.
        years_to_maturity: Full years until maturity.
        payments_per_year: How many coupons are paid each year.

    Returns:
        The clean `price`, the `current_yield_percent` (coupon over price), and the
        `macaulay_duration` and `modified_duration` in years.

    Raises:
        ValueError: If an amount, rate or maturity is out of range.

    Examples:
        >>> bond_price(1000, 5, 5, 10)["price"]
        1000.0
        >>> bond_price(1000, coupon_rate_percent=8, yield_percent=10, years_to_maturity=2)["price"]
        964.54
        >>> bond_price(100, 0, 25.0, 2, payments_per_year=1)["price"]
        64.0
        >>> bond_price(1000, 10, 10, years_to_maturity=2, payments_per_year=1)["macaulay_duration"]
        1.9091
    """
    if face_value <= 0 or coupon_rate_percent < 0 or yield_percent < 0:
        raise ValueError("face value must be positive, and rates not negative")
    if not 1 <= years_to_maturity <= 100:
        raise ValueError("years_to_maturity must be from 1 to 100")
    periods = years_to_maturity * payments_per_year
    rate = yield_percent / 100 / payments_per_year
    coupon = face_value * coupon_rate_percent / 100 / payments_per_year
    values = [coupon / (1 + rate) ** period for period in range(1, periods + 1)]
    values[-1] += face_value / (1 + rate) ** periods
    price = math.fsum(values)
    weighted = math.fsum(period * value for period, value in enumerate(values, start=1))
    duration = weighted / price / payments_per_year
    return {
        "price": _cents(price),
        "current_yield_percent": round(coupon * payments_per_year / price * 100, 4),
        "macaulay_duration": round(duration, 4),
        "modified_duration": round(duration / (1 + rate), 4),
    }


def compound_annual_growth_rate(
    start_value: _PositiveAmount,
    end_value: _PositiveAmount,
    years: Annotated[float, {"minimum": 0.25, "maximum": 200}],
) -> float:
    """Calculate the constant yearly growth that leads from one value to another.

    Args:
        start_value: The value at the start.
        end_value: The value at the end.
        years: The time between them, in years; fractions are allowed.

    Returns:
        The yearly growth rate in percent, to four decimals.

    Raises:
        ValueError: If a value is not positive, or the time is shorter than a quarter.

    Examples:
        >>> compound_annual_growth_rate(1000, 2000, 10)
        7.1773
        >>> compound_annual_growth_rate(start_value=100, end_value=121, years=2)
        10.0
        >>> compound_annual_growth_rate(500.0, end_value=450.0, years=0.5)
        -19.0
    """
    if start_value <= 0 or end_value <= 0:
        raise ValueError("start and end value must be positive")
    if years < 0.25:
        raise ValueError("years must be at least 0.25")
    return round(100 * (math.pow(end_value / start_value, 1 / years) - 1), 4) + 0.0


def sharpe_ratio(
    returns_percent: Annotated[
        list[Annotated[float, {"minimum": -100, "maximum": 1000}]], {"maxItems": 1000}
    ],
    annual_risk_free_rate_percent: Annotated[float, {"minimum": -10, "maximum": 100}] = 0,
    periods_per_year: Literal[1, 4, 12, 52, 252] = 12,
) -> float:
    """Calculate the annualized Sharpe ratio of an investment: excess return per unit of risk.

    Args:
        returns_percent: The return of each period, in percent; at least two that differ.
        annual_risk_free_rate_percent: The yearly rate of a riskless investment, in percent.
        periods_per_year: How many periods make a year: 12 for monthly returns, 252 for daily ones.

    Returns:
        The ratio, to four decimals, from the sample standard deviation.

    Raises:
        ValueError: If there are fewer than two returns, or all are the same.

    Examples:
        >>> sharpe_ratio([1, 2, 3], periods_per_year=1)
        2.0
        >>> sharpe_ratio(returns_percent=[1, 2, 3])
        6.9282
        >>> sharpe_ratio([10, 5, 15, 10], annual_risk_free_rate_percent=4, periods_per_year=4)
        4.4091
        >>> sharpe_ratio([0.4, -0.2, 0.1, 0.3], 2.0, periods_per_year=52)
        3.04
    """
    if len(returns_percent) < 2:
        raise ValueError("at least two returns are needed")
    mean = math.fsum(returns_percent) / len(returns_percent)
    squares = math.fsum((value - mean) ** 2 for value in returns_percent)
    deviation = math.sqrt(squares / (len(returns_percent) - 1))
    if deviation < 1e-9:
        raise ValueError("the returns must not all be the same")
    excess = mean - annual_risk_free_rate_percent / periods_per_year
    return round(excess / deviation * math.sqrt(periods_per_year), 4) + 0.0


def depreciation_schedule(
    cost: _PositiveAmount,
    life_years: Annotated[int, {"minimum": 1, "maximum": 50}],
    salvage_value: _Amount = 0,
    method: Literal[
        "straight_line", "sum_of_years_digits", "double_declining_balance"
    ] = "straight_line",
) -> list[dict[str, float]]:
    """Lay out how the book value of an asset declines over its useful life.

    Args:
        cost: What the asset cost.
        life_years: Its useful life, in years.
        salvage_value: What it is worth at the end; not above the cost.
        method: How depreciation is spread over the years. The double declining balance never goes
            below the salvage value, and does not switch to straight line.

    Returns:
        One entry a year: `year`, `depreciation`, and `book_value` at its end.

    Raises:
        ValueError: If the salvage value exceeds the cost, or a value is out of range.

    Examples:
        >>> depreciation_schedule(1000, 2)[0]
        {'year': 1, 'depreciation': 500.0, 'book_value': 500.0}
        >>> depreciation_schedule(10000, 5, salvage_value=1000, method="sum_of_years_digits")[0]
        {'year': 1, 'depreciation': 3000.0, 'book_value': 7000.0}
        >>> depreciation_schedule(cost=8000, life_years=4, method="double_declining_balance")[1]
        {'year': 2, 'depreciation': 2000.0, 'book_value': 2000.0}
        >>> depreciation_schedule(900.0, 3, salvage_value=300.0)[-1]
        {'year': 3, 'depreciation': 200.0, 'book_value': 300.0}
    """
    if salvage_value > cost:
        raise ValueError("salvage_value must not exceed cost")
    if cost <= 0 or salvage_value < 0 or not 1 <= life_years <= 50:
        raise ValueError("cost, salvage_value or life_years is out of range")
    base, book_value, schedule = cost - salvage_value, cost, []
    for year in range(1, life_years + 1):
        if method == "straight_line":
            depreciation = base / life_years
        elif method == "sum_of_years_digits":
            depreciation = base * (life_years - year + 1) * 2 / (life_years * (life_years + 1))
        else:
            depreciation = min(book_value * 2 / life_years, book_value - salvage_value)
        book_value -= depreciation
        row = {"depreciation": _cents(depreciation), "book_value": _cents(book_value)}
        schedule.append({"year": year, **row})
    return schedule


def convert_currency(
    amount: _Amount,
    source: _CurrencyCode,
    target: _CurrencyCode,
    rates: Annotated[
        dict[str, Annotated[float, {"minimum": 1e-6, "maximum": 1e6}]], {"maxProperties": 200}
    ],
    fee_percent: Annotated[float, {"minimum": 0, "maximum": 50}] = 0,
) -> dict[str, float]:
    """Convert an amount between currencies by a table of exchange rates.

    Args:
        amount: The amount to convert.
        source: The currency it is in, as a code of three capital letters.
        target: The currency wanted, as a code of three capital letters.
        rates: For each currency code, how much of it one unit of a common base currency buys. The
            base currency itself belongs in the table too, with the rate 1.
        fee_percent: A fee, in percent of the amount, kept back before conversion.

    Returns:
        The converted `amount`, the `rate` of target per source used, and the `fee` in the source
        currency.

    Raises:
        ValueError: If a currency is not in the table, or its rate is not positive.

    Examples:
        >>> convert_currency(100, "EUR", "USD", {"EUR": 1, "USD": 1.08})
        {'amount': 108.0, 'rate': 1.08, 'fee': 0.0}
        >>> convert_currency(540, source="GBP", target="JPY", rates={"GBP": 0.8, "JPY": 160})
        {'amount': 108000.0, 'rate': 200.0, 'fee': 0.0}
        >>> convert_currency(250.0, "USD", "CHF", {"USD": 1, "CHF": 0.9}, fee_percent=2)
        {'amount': 220.5, 'rate': 0.9, 'fee': 5.0}
    """
    for currency in (source, target):
        if currency not in rates:
            raise ValueError(f"no rate for {currency}; there are rates for {', '.join(rates)}")
        if rates[currency] <= 0:
            raise ValueError(f"the rate for {currency} must be positive")
    rate = rates[target] / rates[source]
    fee = amount * fee_percent / 100
    return {"amount": _cents((amount - fee) * rate), "rate": round(rate, 6), "fee": _cents(fee)}


class TaxBracket(TypedDict):
    """The rate on income above a threshold, up to the threshold of the next bracket."""

    above: _Amount
    rate_percent: _Rate


def progressive_income_tax(
    income: _Amount,
    brackets: Annotated[list[TaxBracket], {"maxItems": 30}],
    deduction: _Amount = 0,
) -> dict[str, float]:
    """Calculate income tax from brackets, each taxing only the part of income inside it.

    Args:
        income: The gross income.
        brackets: For each bracket, the threshold `above` which its `rate_percent` applies, in
            ascending order. Income below the first threshold is free of tax.
        deduction: What is subtracted from the income first.

    Returns:
        The `taxable_income`, the `tax`, the income left after it, the rate on the last unit of
        income, and the tax in percent of the gross income.

    Raises:
        ValueError: If there are no brackets, or they are not in ascending order.

    Examples:
        >>> progressive_income_tax(
        ...     50000, [{"above": 0, "rate_percent": 10}, {"above": 20000, "rate_percent": 20}]
        ... )["tax"]
        8000.0
        >>> progressive_income_tax(
        ...     income=30000,
        ...     brackets=[
        ...         {"above": 12570, "rate_percent": 20},
        ...         {"above": 50270, "rate_percent": 40},
        ...     ],
        ... )["net_income"]
        26514.0
        >>> progressive_income_tax(
        ...     8000, [{"above": 10000, "rate_percent": 15}], deduction=1500.0
        ... )["marginal_rate_percent"]
        0.0
        >>> progressive_income_tax(
        ...     100000.0,
        ...     [{"above": 0, "rate_percent": 0}, {"above": 40000, "rate_percent": 25}],
        ...     deduction=20000,
        ... )["effective_rate_percent"]
        10.0
    """
    if not brackets:
        raise ValueError("brackets must not be empty")
    thresholds = [bracket["above"] for bracket in brackets]
    if any(low >= high for low, high in pairwise(thresholds)):
        raise ValueError("brackets must be in ascending order of their thresholds")
    taxable = max(0, income - deduction)
    tax = marginal = 0.0
    for bracket, end in zip(brackets, [*thresholds[1:], math.inf], strict=True):
        if taxable > bracket["above"]:
            marginal = bracket["rate_percent"]
            tax += (min(taxable, end) - bracket["above"]) * marginal / 100
    return {
        "taxable_income": _cents(taxable),
        "tax": _cents(tax),
        "net_income": _cents(income - tax),
        "marginal_rate_percent": float(marginal),
        "effective_rate_percent": round(100 * tax / income, 4) if income else 0.0,
    }
