"""Prices, invoices, shared bills, stock and payment terms.

Rates are in percent: 20 means 20 %. Amounts are in any one currency with cents.
"""

import math
from calendar import monthrange
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Literal, TypedDict

CATEGORY = "Business"
__all__ = [
    "apply_discounts",
    "break_even_point",
    "calculate_invoice_total",
    "economic_order_quantity",
    "payment_due_date",
    "price_for_margin",
    "split_bill",
]

_Amount = Annotated[float, {"minimum": 0, "maximum": 1e9}]
_PositiveAmount = Annotated[float, {"minimum": 0.01, "maximum": 1e9}]
_Percent = Annotated[float, {"minimum": 0, "maximum": 100}]


def _cents(amount: Decimal) -> Decimal:
    """Rounded to cents, half a cent up."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _exact(number: float) -> Decimal:
    """The number that was written: 0.1 is a tenth."""
    return Decimal(str(number))


def _share(percent: float) -> Decimal:
    return _exact(percent) / 100


def apply_discounts(
    price: _PositiveAmount,
    discounts_percent: Annotated[list[_Percent], {"maxItems": 20}],
    tax_percent: _Percent = 0,
    coupon: _Amount = 0,
) -> dict[str, float]:
    """Calculate a final price after several discounts in a row, a coupon and tax.

    Each discount applies to what the one before has left: 20 % and 10 % make 28 %, not 30 %.

    Args:
        price: The list price, before tax.
        discounts_percent: The discounts, in percent, at least one.
        tax_percent: Sales tax or VAT added to the discounted price, in percent.
        coupon: An amount subtracted after the discounts and before tax; at most down to zero.

    Returns:
        The discounted `net_price`, the `tax`, the `final_price`, and the overall discount in
        percent of the list price.

    Raises:
        ValueError: If there are no discounts, or the price is not positive.

    Examples:
        >>> apply_discounts(100, [20, 10])
        {'net_price': 72.0, 'tax': 0.0, 'final_price': 72.0, 'total_discount_percent': 28.0}
        >>> apply_discounts(250.0, [15], tax_percent=8)
        {'net_price': 212.5, 'tax': 17.0, 'final_price': 229.5, 'total_discount_percent': 15.0}
        >>> apply_discounts(price=80, discounts_percent=[25], tax_percent=20, coupon=10)["tax"]
        10.0
    """
    if not discounts_percent:
        raise ValueError("discounts_percent must not be empty")
    if price <= 0:
        raise ValueError("price must be positive")
    reduced = _exact(price)
    for discount in discounts_percent:
        reduced *= 1 - _share(discount)
    net = _cents(max(Decimal(0), reduced - _exact(coupon)))
    tax = _cents(net * _share(tax_percent))
    return {
        "net_price": float(net),
        "tax": float(tax),
        "final_price": float(net + tax),
        "total_discount_percent": round(float(100 * (1 - net / _exact(price))), 2) + 0.0,
    }


def split_bill(
    subtotal: _PositiveAmount,
    people: Annotated[int, {"minimum": 1, "maximum": 100}],
    tip_percent: _Percent = 15,
    tax_percent: _Percent = 0,
) -> dict[str, object]:
    """Split a restaurant bill with tip and tax into shares that add up to the cent.

    Args:
        subtotal: The bill before tax and tip.
        people: How many people pay.
        tip_percent: The tip, in percent of the subtotal.
        tax_percent: The tax, in percent of the subtotal.

    Returns:
        The `tip`, the `tax`, the `total`, and the `shares`; the first ones are a cent larger if the
        total can't be divided evenly.

    Raises:
        ValueError: If the subtotal is not positive, or the number of people not from 1 to 100.

    Examples:
        >>> split_bill(100, 3)
        {'tip': 15.0, 'tax': 0.0, 'total': 115.0, 'shares': [38.34, 38.33, 38.33]}
        >>> split_bill(84.5, people=2, tip_percent=20, tax_percent=10)
        {'tip': 16.9, 'tax': 8.45, 'total': 109.85, 'shares': [54.93, 54.92]}
        >>> split_bill(subtotal=60.0, people=4, tip_percent=0)["shares"]
        [15.0, 15.0, 15.0, 15.0]
    """
    if subtotal <= 0 or not 1 <= people <= 100:
        raise ValueError("subtotal must be positive, and people from 1 to 100")
    bill = _cents(_exact(subtotal))
    tip, tax = _cents(bill * _share(tip_percent)), _cents(bill * _share(tax_percent))
    total = bill + tip + tax
    share, larger = divmod(int(total * 100), people)
    return {
        "tip": float(tip),
        "tax": float(tax),
        "total": float(total),
        "shares": [(share + (index < larger)) / 100 for index in range(people)],
    }


def break_even_point(
    fixed_costs: _Amount,
    unit_price: _PositiveAmount,
    unit_cost: _Amount,
    target_profit: _Amount = 0,
) -> dict[str, float]:
    """Find how many units must be sold to cover costs, or to reach a profit.

    Args:
        fixed_costs: Costs that don't depend on how much is sold.
        unit_price: The selling price of a unit.
        unit_cost: The variable cost of a unit; below the price.
        target_profit: The profit wanted; 0 to break even.

    Returns:
        The number of `units`, rounded up, the `revenue` they bring, and the contribution margin in
        percent of the price.

    Raises:
        ValueError: If the price is not above the variable cost.

    Examples:
        >>> break_even_point(10000, 50, 30)
        {'units': 500, 'revenue': 25000.0, 'contribution_margin_percent': 40.0}
        >>> break_even_point(fixed_costs=1000, unit_price=9.99, unit_cost=2.99)["units"]
        143
        >>> break_even_point(12000, 80.0, 20.0, target_profit=6000)
        {'units': 300, 'revenue': 24000.0, 'contribution_margin_percent': 75.0}
    """
    margin = _exact(unit_price) - _exact(unit_cost)
    if margin <= 0:
        raise ValueError("unit_price must be above unit_cost")
    units = math.ceil((_exact(fixed_costs) + _exact(target_profit)) / margin)
    return {
        "units": units,
        "revenue": round(float(units * _exact(unit_price)), 2),
        "contribution_margin_percent": round(float(100 * margin / _exact(unit_price)), 2),
    }


def price_for_margin(
    unit_cost: _PositiveAmount,
    margin_percent: Annotated[float, {"minimum": 0, "maximum": 95}],
    basis: Literal["price", "cost"] = "price",
) -> dict[str, float]:
    """Set a selling price from the cost, by profit margin or by markup.

    Args:
        unit_cost: What a unit costs.
        margin_percent: The profit wanted, in percent.
        basis: What the percentage refers to: the selling `price` (a margin) or the `cost` (a
            markup).

    Returns:
        The selling `price`, the `profit` in it, and that profit as margin and as markup in percent.

    Raises:
        ValueError: If the cost is not positive, or the percentage not from 0 to 95.

    Examples:
        >>> price_for_margin(60, 40)
        {'price': 100.0, 'profit': 40.0, 'margin_percent': 40.0, 'markup_percent': 66.67}
        >>> price_for_margin(unit_cost=60, margin_percent=25, basis="cost")
        {'price': 75.0, 'profit': 15.0, 'margin_percent': 20.0, 'markup_percent': 25.0}
        >>> price_for_margin(7.5, 50.0)["price"]
        15.0
    """
    if unit_cost <= 0 or not 0 <= margin_percent <= 95:
        raise ValueError("unit_cost must be positive, and margin_percent from 0 to 95")
    cost, share = _exact(unit_cost), _share(margin_percent)
    price = _cents(cost / (1 - share) if basis == "price" else cost * (1 + share))
    profit = _cents(price - cost)
    return {
        "price": float(price),
        "profit": float(profit),
        "margin_percent": round(float(100 * profit / price), 2),
        "markup_percent": round(float(100 * profit / cost), 2),
    }


def economic_order_quantity(
    annual_demand: Annotated[float, {"minimum": 1, "maximum": 1e9}],
    cost_per_order: _PositiveAmount,
    annual_holding_cost_per_unit: _PositiveAmount,
    lead_time_days: Annotated[int, {"minimum": 0, "maximum": 365}] = 0,
    safety_stock: Annotated[int, {"minimum": 0, "maximum": 10**6}] = 0,
) -> dict[str, float]:
    """Find the order size with the lowest yearly cost of ordering and storing (Wilson formula).

    Args:
        annual_demand: The units needed in a year.
        cost_per_order: The fixed cost of placing an order.
        annual_holding_cost_per_unit: What it costs to store one unit for a year.
        lead_time_days: The days from order to delivery.
        safety_stock: The units kept in reserve.

    Returns:
        The `order_quantity` and `reorder_point` in whole units, the `orders_per_year`, and the
        `annual_cost` of ordering and storing, the reserve included.

    Raises:
        ValueError: If the demand or a cost is not positive.

    Examples:
        >>> economic_order_quantity(1000, 10, 0.5)
        {'order_quantity': 200, 'reorder_point': 0, 'orders_per_year': 5.0, 'annual_cost': 100.0}
        >>> economic_order_quantity(
        ...     7300,
        ...     cost_per_order=50,
        ...     annual_holding_cost_per_unit=2,
        ...     lead_time_days=5,
        ...     safety_stock=40,
        ... )["reorder_point"]
        140
        >>> economic_order_quantity(
        ...     annual_demand=2400,
        ...     cost_per_order=32.0,
        ...     annual_holding_cost_per_unit=1.5,
        ...     safety_stock=100,
        ... )["annual_cost"]
        630.0
    """
    if min(annual_demand, cost_per_order, annual_holding_cost_per_unit) <= 0:
        raise ValueError("demand and costs must be positive")
    optimum = math.sqrt(2 * annual_demand * cost_per_order / annual_holding_cost_per_unit)
    quantity = max(1, round(optimum))
    orders = annual_demand / quantity
    cost = orders * cost_per_order + (quantity / 2 + safety_stock) * annual_holding_cost_per_unit
    return {
        "order_quantity": quantity,
        "reorder_point": math.ceil(annual_demand * lead_time_days / 365) + safety_stock,
        "orders_per_year": round(orders, 2),
        "annual_cost": round(cost, 2),
    }


class InvoiceLine(TypedDict):
    """A position on an invoice."""

    description: Annotated[str, {"minLength": 1, "maxLength": 200}]
    quantity: Annotated[float, {"minimum": 0.001, "maximum": 1e6}]
    unit_price: _Amount


def calculate_invoice_total(
    lines: Annotated[list[InvoiceLine], {"minItems": 1, "maxItems": 100}],
    tax_percent: _Percent = 0,
    discount_percent: _Percent = 0,
    shipping: _Amount = 0,
) -> dict[str, float]:
    """Add up an invoice, with a discount on the goods, shipping, and tax on both.

    Each line, the discount and the tax are rounded to cents, half a cent up.

    Args:
        lines: The positions, each with a description, a quantity and a price per unit before tax.
        tax_percent: The tax on goods and shipping, in percent.
        discount_percent: The discount on the goods, in percent.
        shipping: The price of shipping, before tax.

    Returns:
        The `subtotal` of the lines, the `discount`, the `tax` and the `total` to pay.

    Raises:
        ValueError: If there are no lines.

    Examples:
        >>> calculate_invoice_total([{"description": "Desk", "quantity": 2, "unit_price": 149.5}])
        {'subtotal': 299.0, 'discount': 0.0, 'tax': 0.0, 'total': 299.0}
        >>> calculate_invoice_total(
        ...     [
        ...         {"description": "Consulting, hours", "quantity": 7.5, "unit_price": 120},
        ...         {"description": "Travel", "quantity": 1, "unit_price": 100},
        ...     ],
        ...     tax_percent=19,
        ...     discount_percent=10,
        ... )
        {'subtotal': 1000.0, 'discount': 100.0, 'tax': 171.0, 'total': 1071.0}
        >>> calculate_invoice_total(
        ...     lines=[{"description": "Coffee, kg", "quantity": 0.25, "unit_price": 19.9}],
        ...     tax_percent=10,
        ...     shipping=5.0,
        ... )
        {'subtotal': 4.98, 'discount': 0.0, 'tax': 1.0, 'total': 10.98}
    """
    if not lines:
        raise ValueError("lines must not be empty")
    amounts = [_cents(_exact(line["quantity"]) * _exact(line["unit_price"])) for line in lines]
    subtotal = sum(amounts, start=Decimal(0))
    discount = _cents(subtotal * _share(discount_percent))
    taxed = subtotal - discount + _cents(_exact(shipping))
    tax = _cents(taxed * _share(tax_percent))
    return {
        "subtotal": float(subtotal),
        "discount": float(discount),
        "tax": float(tax),
        "total": float(taxed + tax),
    }


def payment_due_date(
    invoice_date: Annotated[str, {"format": "date"}],
    terms: Literal["net", "end_of_month"] = "net",
    days: Annotated[int, {"minimum": 0, "maximum": 365}] = 30,
    skip_weekends: bool = False,
) -> str:
    """Find the day on which an invoice is due.

    Args:
        invoice_date: The day of the invoice, as YYYY-MM-DD.
        terms: Count the days from the invoice (`net`) or from the last day of its month
            (`end_of_month`).
        days: The number of days.
        skip_weekends: Move a due day on a weekend to the Monday after.

    Returns:
        The due day, as YYYY-MM-DD.

    Raises:
        ValueError: If the date does not exist, or the year is not from 1900 to 2999.

    Examples:
        >>> payment_due_date("2024-01-31")
        '2024-03-01'
        >>> payment_due_date("2024-02-10", terms="end_of_month", days=15)
        '2024-03-15'
        >>> payment_due_date(invoice_date="2024-05-01", days=10, skip_weekends=True)
        '2024-05-13'
    """
    day = date.fromisoformat(invoice_date)
    if not 1900 <= day.year <= 2999:
        raise ValueError("the year must be from 1900 to 2999")
    if terms == "end_of_month":
        day = day.replace(day=monthrange(day.year, day.month)[1])
    day += timedelta(days=days)
    if skip_weekends and day.weekday() >= 5:
        day += timedelta(days=7 - day.weekday())
    return day.isoformat()
