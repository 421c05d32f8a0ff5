"""An answer becomes a result, or a reason why there is none."""

import json

import pytest
from aiohttp import web

from apigen_ray.records import Failed, Reason, RestBackend, Returned
from apigen_ray.stages.execute.rest import RestSettings
from apigen_ray.stages.execute.rest.client import Response
from apigen_ray.stages.execute.rest.envelopes import ERROR_FORMS, error_in
from apigen_ray.stages.execute.rest.reading import read


def answer(body, content_type="application/json", status=200):
    body = body if isinstance(body, bytes) else body.encode()
    return read(Response(status, content_type, body, 0.5), ERROR_FORMS)


@pytest.mark.parametrize(
    ("body", "content_type", "value"),
    [
        ('{"a": [1, null]}', "application/json; charset=utf-8", {"a": [1, None]}),
        ("[]", "application/json", []),
        ("0", "application/json", 0),
        ("false", "application/json", False),
        ('"x"', "application/json", "x"),
        ('{"a": 1}', "text/html", {"a": 1}),
        ('{"a": 1}', "application/vnd.api+json", {"a": 1}),
        ('\ufeff{"a": 1}', "application/json", {"a": 1}),
        ("hello", "text/plain", "hello"),
        ("42", "text/plain", "42"),
        ("hello", "application/json", "hello"),
        ("<b>x</b>", "text/html", "<b>x</b>"),
        ("{not json", "text/plain", "{not json"),
        ("grün".encode("latin-1"), "text/plain; charset=ISO-8859-1", "grün"),
        ("grün", "text/plain; charset=no-such-thing", "grün"),
        ("grün", "text/plain; charset=hex", "grün"),
    ],
)
def test_a_body_is_its_json_value_or_its_text(body, content_type, value):
    result = answer(body, content_type)
    assert isinstance(result, Returned), result
    assert result.result == value
    assert result.seconds == 0.5


@pytest.mark.parametrize("body", ["", "  \n", "null"])
def test_nothing_is_an_empty_result(body):
    assert answer(body).reason == Reason.EMPTY_RESULT


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "image/png"),
        (b"\xff\xfe\xfd", "text/plain"),
        (b"%PDF\x00", "text/plain"),
        (b'{"a": NaN}', "application/json"),
        (b'{"a": 1e999}', "application/json"),
        (b'{"a": "\\ud800"}', "application/json"),
        (b'{"a": 1, "a": 2}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"a": 1', "application/json"),
        (b"[" + b"9" * 5000 + b"]", "application/json"),
    ],
)
def test_what_rows_cannot_hold_is_not_serializable(body, content_type):
    assert answer(body, content_type).reason == Reason.NOT_SERIALIZABLE


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503, 304, 599])
def test_a_status_that_is_no_success_fails(status):
    result = answer('{"message": "Not Found"}', status=status)
    assert result.reason == Reason.HTTP_STATUS
    assert str(status) in result.message
    assert "Not Found" in result.message


def test_a_status_that_is_no_success_fails_whatever_its_body():
    assert answer(b"\xff\x00", "image/png", 500).reason == Reason.HTTP_STATUS


ERRORS = [
    {"error": "invalid key"},
    {"error": {"code": 101, "info": "no key"}},
    {"error": True},
    {"Error": "x"},
    {"errors": [{"detail": "x"}]},
    {"errors": {"name": ["is required"]}, "data": None},
    {"error_message": "x"},
    {"errorMessage": "x"},
    {"success": False},
    {"success": "false", "data": "sort value is wrong"},
    {"ok": False, "description": "Bad Request"},
    {"status": "error", "data": {}},
    {"status": "fail", "data": {"title": "required"}},
    {"status": "Failure", "result": "Exception: 404"},
    {"status": "failed", "message": "jobId not found"},
    {"code": 403, "message": "only with a pro plan"},
    {"code": "404", "message": "x"},
    {"statusCode": 404, "message": "City not found"},
    {"status_code": 500, "status_txt": "MISSING_ARG_ACCESS_TOKEN", "data": []},
    {"type": "https://tools.ietf.org/html/rfc7231", "title": "Bad Request", "status": 400},
    {"status": 400},
    {"message": "You are not subscribed to this API."},
    {"message": "Not Found"},
    {"message": "Endpoint '/x' does not exist"},
    {"message": "This endpoint is disabled for your subscription"},
    {"message": "You have exceeded the MONTHLY quota for Requests on your current plan"},
    {"message": "Invalid API key. Go to https://docs.example.com for more info."},
    {"messages": "The API is unreachable, please contact the API provider"},
    {"detail": "Not Found"},
    {"detail": "Authentication credentials were not provided."},
    {"msg": "Request Fail", "err": "Error Store ApiKey"},
    {"meta": {"code": 4031, "message": "The API key is invalid"}},
    {"meta": {"code": 404, "message": "x"}, "data": []},
    {"data": {"error": "x"}},
    [{"error": "x"}],
    "404 Not Found",
    "403 - Forbidden | Access to this page is forbidden.",
    "Service Unavailable",
    "Error: Custom name already taken.",
    "<html><head><title>404 Not Found</title></head></html>",
    "Oops, Something Went Wrong!",
]


@pytest.mark.parametrize("body", ERRORS, ids=str)
def test_an_error_in_a_body_is_recognised(body):
    result = answer(json.dumps(body))
    assert isinstance(result, Failed), result
    assert result.reason == Reason.ERROR_IN_BODY


RESULTS = [
    {"error": "", "data": 1},
    {"error": None, "result": []},
    {"error": False},
    {"errors": [], "data": {}},
    {"error_code": 0, "x": 1},
    {"error": 0},
    {"success": True},
    {"success": {"total": 1}, "contents": {}},
    {"status": "ok"},
    {"status": "failed", "job": 7},
    {"status": "UP", "checks": []},
    {"status": True},
    {"status": 200, "data": []},
    {"code": 415, "city": "San Francisco"},
    {"code": "DE", "name": "Germany"},
    {"id": 404, "title": "A room"},
    {"code": 200, "message": "ok"},
    {"meta": {"code": 200, "message": "Success"}, "data": []},
    {"message": "Hello, user"},
    {"message": "Your parcel was not found at the door, but at the neighbour's house", "id": 1},
    {"title": "The Forbidden City", "description": "Not found in any guide book"},
    {"url": "https://example.com/404", "Message": "Thank you."},
    {"available": False, "valid": False},
    {"message": {"text": "hi"}, "ok": True},
    {"result": "fail-safe"},
    {"data": {"type": "error-correcting code"}},
    {"type": "FeatureCollection", "features": []},
    [{"error": "x"}, {"error": ""}],
    [],
    {},
    0,
    "404 people were found",
    "To err is human",
    "<html><head><title>How errors are handled</title></head></html>",
    "The page you asked for: 200 OK",
]


@pytest.mark.parametrize("body", RESULTS, ids=str)
def test_a_result_is_not_taken_for_an_error(body):
    result = answer(json.dumps(body))
    assert isinstance(result, Returned), result
    assert result.result == body


def test_an_error_is_told_in_the_answers_own_words():
    result = answer('{"success": false, "error": {"code": 101, "info": "no key"}}')
    assert '"info": "no key"' in result.message


def test_an_error_that_says_little_is_told_with_what_stands_beside_it():
    result = answer('{"success": false, "data": "sort value is wrong"}')
    assert "sort value is wrong" in result.message


def test_the_forms_of_errors_can_be_set():
    settings = RestSettings.model_validate({"errors": [{"key": "fehler"}]})
    assert error_in({"error": "x"}, settings.errors) is None
    assert error_in({"Fehler": "kaputt"}, settings.errors) == "kaputt"


def test_a_form_that_is_no_regular_expression_is_named():
    with pytest.raises(ValueError, match=r"is not a regular expression"):
        RestSettings.model_validate({"errors": [{"key": "("}]})


async def test_a_failure_is_one_short_line(caller, serve):
    async def respond(request):
        return web.json_response({"error": "a\nb\r\n" + "c" * 5000})

    result = await caller().call(RestBackend("GET", await serve(respond)), {})
    assert isinstance(result, Failed)
    assert "\n" not in result.message
    assert len(result.message) < 600
