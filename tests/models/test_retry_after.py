"""The Retry-After header is read in one way, for models and for REST APIs."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from apigen_ray.models import responses
from apigen_ray.models.retry_after_header import retry_after_s


@pytest.mark.parametrize(("header", "seconds"), [("3", 3), (" 0 ", 0), ("0.05", 0.05)])
def test_seconds_may_have_decimals(header, seconds):
    assert retry_after_s(header) == seconds


def test_a_date_is_how_long_it_is_until_then():
    now = datetime.now(UTC)
    soon, past = (now + timedelta(seconds=seconds) for seconds in (20, -20))
    assert retry_after_s(format_datetime(soon, usegmt=True)) == pytest.approx(20, abs=2)
    assert retry_after_s(format_datetime(past, usegmt=True)) == 0


@pytest.mark.parametrize("header", ["-5", "tomorrow", "", None])
def test_what_is_neither_gives_no_time(header):
    assert retry_after_s(header) is None


def test_no_endpoint_is_waited_for_longer_than_the_limit():
    assert responses._wait_s("99999") == responses.RETRY_AFTER_CAP_S
    assert responses._wait_s("9" * 400) == responses.RETRY_AFTER_CAP_S
