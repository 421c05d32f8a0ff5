"""A small REST server of many kinds of endpoints, which stands in for the internet.

    uv run python tests/rest_server/server.py --port 8700

It checks what it is sent, serves its own description at `/openapi.json`, and says at `/calls` how
often each endpoint was called. `HARBOUR_BOOKS_CUSTOMER` and `HARBOUR_BOOKS_PARTNER` of its clients
are `customer-key` and `partner-key`.
"""

import argparse
import asyncio
import json
import os
import socket
import sys
import threading
from collections import Counter
from pathlib import Path

import yaml
from aiohttp import web

BOOKS = {
    "978-1001": ("Moby-Dick", 1851, "novel", 12.5, {"classic", "sea"}),
    "978-1002": ("The Odyssey", 1614, "poetry", 9.9, {"classic", "sea"}),
    "978-1003": ("On Growth and Form", 1917, "science", 24.0, {"classic", "science"}),
    "978-1004": ("The Histories", 1584, "history", 15.0, {"classic", "history"}),
    "978-1005": ("Northern Lanterns", 2023, "novel", 18.0, {"new"}),
    "978-1006": ("A Field Guide to Tides", 2021, "science", 21.5, {"new", "sea", "science"}),
}
AUTHORS = {
    1: ("Herman Melville", 1819),
    2: ("Homer", None),
    3: ("D'Arcy Thompson", 1860),
    4: ("Herodotus", -484),
}
RATES = {"EUR": 1.0, "USD": 1.1, "GBP": 0.85, "JPY": 160.0}
HOURS = {"en": "from 9 to 18", "de": "von 9 bis 18 Uhr", "fr": "de 9 h à 18 h"}
DOCUMENT = Path(__file__).with_name("openapi.yaml")

routes = web.RouteTableDef()


def book(isbn):
    if isbn not in BOOKS:
        raise web.HTTPNotFound(text=json.dumps({"message": f"no book {isbn}"}))
    title, year, genre, price, tags = BOOKS[isbn]
    return {"isbn": isbn, "title": title, "year": year, "genre": genre, "price": price} | {
        "tags": sorted(tags)
    }


def given(values, name, convert=str, *, default=None, allowed=None):
    """A value that was sent, read strictly."""
    if name not in values:
        if default is None:
            raise web.HTTPBadRequest(text=json.dumps({"message": f"{name} is missing"}))
        return default
    try:
        value = convert(values[name])
    except (TypeError, ValueError):
        raise web.HTTPBadRequest(text=json.dumps({"message": f"{name} is wrong"})) from None
    if allowed is not None and value not in allowed:
        raise web.HTTPBadRequest(text=json.dumps({"message": f"{name} is none of {allowed}"}))
    return value


def paged(items, query):
    page, size = given(query, "page", int, default=1), given(query, "per_page", int, default=10)
    shown = items[(page - 1) * size : page * size]
    return web.json_response({"items": shown, "page": page, "total": len(items)})


# --- where a parameter stands, and how it is written


@routes.get("/books")
async def list_books(request):
    query = request.query
    genre, tags = query.get("genre"), set(query.getall("tags", []))
    limit = given(query, "max_price", float, default=1e9)
    found = [
        book(isbn)
        for isbn, (_, _, kind, price, own) in BOOKS.items()
        if genre in (None, kind) and tags <= own and price <= limit
    ]
    return paged(found, query)


@routes.post("/books")
async def add_book(request):
    offer = await request.json()
    worth = {"new": 0.6, "good": 0.4, "worn": 0.1}
    condition = given(offer, "condition", allowed=tuple(worth))
    size = offer.get("size") or {"width_cm": 12, "height_cm": 19}
    area = given(size, "width_cm", float) * given(size, "height_cm", float)
    price = worth[condition] * (10 + area / 100)
    title, year = given(offer, "title"), given(offer, "year", int)
    answer = {"title": title, "year": year, "price": round(price, 2)}
    return web.json_response(answer, status=201)


@routes.get("/books/{isbn}")
async def get_book(request):
    return web.json_response(book(request.match_info["isbn"]))


@routes.patch("/books/{isbn}")
async def reprice_book(request):
    before = book(request.match_info["isbn"])["price"]
    if request.content_type != "application/merge-patch+json":
        raise web.HTTPUnsupportedMediaType
    change = await request.json()
    price = before * (1 + given(change, "percent", float) / 100)
    digits = 0 if change.get("rounded") else 2
    return web.json_response({"before": before, "after": round(price, digits)})


@routes.get("/books/{isbn}/reviews")
async def list_reviews(request):
    title = book(request.match_info["isbn"])["title"]
    texts = ("Could not put it down.", "Too long.", "A gift that was liked.")
    reviews = [{"book": title, "stars": 5 - i, "text": text} for i, text in enumerate(texts)]
    return paged(reviews, request.query)


@routes.post("/reviews")
async def post_review(request):
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPUnsupportedMediaType
    form = await request.post()
    title, stars = book(given(form, "isbn"))["title"], given(form, "stars", int)
    words = len(given(form, "text").split())
    return web.json_response({"book": title, "stars": stars, "words": words})


@routes.get("/authors")
async def list_authors(request):
    ids = given(request.query, "ids", lambda text: [int(part) for part in text.split(",")])
    known = [{"id": i, "name": AUTHORS[i][0], "born": AUTHORS[i][1]} for i in ids if i in AUTHORS]
    return web.json_response(known)


@routes.get("/rates")
async def exchange_rates(request):
    symbols = given(request.query, "symbols").split("|")
    return web.json_response({symbol: given(RATES, symbol, float) for symbol in symbols})


@routes.get("/search")
async def search_books(request):
    words = given(request.query, "q")
    genre = request.query.get("filter[genre]")
    before = given(request.query, "filter[before]", int, default=9999)
    kinds = [i for i, b in BOOKS.items() if genre in (None, b[2]) and b[1] < before]
    hits = [{"isbn": isbn, "hits": (len(words) * int(isbn[-1])) % 7} for isbn in kinds]
    return web.json_response({"q": words, "books": hits})


@routes.get("/convert/{amount}/{from}/{to}")
async def convert_price(request):
    path = request.match_info
    before, after = (RATES[given(path, end, allowed=tuple(RATES))] for end in ("from", "to"))
    amount = given(path, "amount", float) * after / before
    return web.json_response({"amount": round(amount, 2), "rate": after / before})


@routes.get("/opening-hours")
async def opening_hours(request):
    date = given(request.query, "date")
    language = given(request.headers, "X-Language", default="en", allowed=tuple(HOURS))
    currency = given(request.cookies, "currency", default="EUR", allowed=tuple(RATES))
    fee = {"amount": round(2 * RATES[currency], 2), "currency": currency}
    return web.json_response({"date": date, "open": HOURS[language], "fee": fee})


@routes.put("/shelves/{shelf}")
async def arrange_shelf(request):
    asked = await request.json()
    by = given(asked, "by", allowed=("title", "year", "price"))
    books = sorted(map(book, given(asked, "isbns", list)), key=lambda b: b[by])
    order = [b["title"] for b in books]
    return web.json_response({"shelf": request.match_info["shelf"], "order": order})


@routes.delete("/baskets/{basket}")
async def empty_basket(request):
    return web.json_response({"basket": given(request.match_info, "basket", int), "items": 0})


# --- access by a key


@routes.get("/orders")
async def list_orders(request):
    if request.headers.get("X-Api-Key") != "customer-key":
        raise web.HTTPUnauthorized
    state = given(request.query, "state", allowed=("open", "sent", "paid"))
    return web.json_response([{"order": 71, "state": state, "books": ["Moby-Dick"]}])


@routes.get("/discount")
async def customer_discount(request):
    if request.headers.get("Authorization") != "Bearer partner-key":
        raise web.HTTPForbidden
    amount = given(request.query, "amount", float)
    return web.json_response({"amount": amount, "discount": round(amount * 0.05, 2)})


# --- what is described badly, and works


@routes.get("/stock")
async def stock(request):
    found = book(given(request.query, "isbn"))
    return web.json_response({"isbn": found["isbn"], "copies": found["year"] % 5 + 1})


@routes.get("/delivery")
async def delivery(request):
    base = {"DE": 3.0, "FR": 5.0, "PT": 6.0}
    price = base[given(request.query, "country", allowed=tuple(base))]
    return web.json_response({"price": round(price + given(request.query, "weight_kg", float), 2)})


@routes.get("/old/books/{isbn}")
async def old_book(request):
    raise web.HTTPMovedPermanently(f"/books/{request.match_info['isbn']}")


@routes.get("/recommended")
async def recommended_books(request):
    age, busy = given(request.query, "age", int), request.app["busy"]
    busy[age] += 1
    if busy[age] == 1:
        raise web.HTTPServiceUnavailable(headers={"Retry-After": "0"})
    return web.json_response({"age": age, "books": [b[0] for b in BOOKS.values()][: 1 + age % 5]})


# --- what a cleaned library has no room for


@routes.get("/ping")
async def ping(_):
    return web.json_response({"up": True})


@routes.get("/misc")
async def misc(_):
    return web.json_response({"x": 1})


@routes.get("/report")
async def sales_report(_):
    await asyncio.sleep(60)
    return web.json_response({"sales": 1})


@routes.get("/broken")
async def print_catalogue(_):
    raise web.HTTPInternalServerError(text="out of paper")


@routes.get("/gift-cards")
async def check_gift_card(_):
    return web.json_response({"success": False, "error": "card service is down"})


@routes.get("/dump")
async def dump_sales(_):
    return web.json_response({"sales": list(range(200_000))})


@routes.get("/archive")
async def search_archive(request):
    raise web.HTTPFound(request.path_qs)


@routes.get("/partner")
async def ask_partner(_):
    raise web.HTTPFound("http://10.0.0.1/search")


@routes.get("/wishlist")
async def wishlist(_):
    return web.Response(status=204)


@routes.get("/cover")
async def book_cover(_):
    return web.Response(body=b"\x89PNG\r\n\x1a\n\0\0\0\xff", content_type="image/png")


# --- about the server


@routes.get("/openapi.json")
async def openapi(request):
    document = yaml.safe_load(DOCUMENT.read_text())
    document["servers"] = [{"url": f"http://{request.host}"}]
    return web.json_response(document)


@routes.get("/calls")
async def calls(request):
    return web.json_response(request.app["calls"])


@web.middleware
async def counting(request, handler):
    resource = request.match_info.route.resource
    if resource is not None and resource.canonical not in ("/calls", "/openapi.json"):
        request.app["calls"][f"{request.method} {resource.canonical}"] += 1
    return await handler(request)


def build_app():
    app = web.Application(middlewares=[counting])
    app["calls"], app["busy"] = Counter(), Counter()
    app.add_routes(routes)
    return app


def serve(app, port, *, child=False):
    """Print the address and serve; a child of a test ends with its standard input."""
    listener = socket.create_server(("127.0.0.1", port))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    if child:
        threading.Thread(target=exit_with_stdin, daemon=True).start()
    web.run_app(app, sock=listener, print=None, access_log=None, shutdown_timeout=1)


def exit_with_stdin():
    sys.stdin.buffer.read()
    os._exit(0)


def main(app, port):
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--child", action="store_true")
    given = parser.parse_args()
    serve(app, given.port, child=given.child)


if __name__ == "__main__":
    main(build_app(), 8700)
