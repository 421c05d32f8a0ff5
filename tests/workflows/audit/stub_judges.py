"""Endpoints that judge without looking."""

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from apigen_ray.models.endpoints import Endpoint


@contextmanager
def always(verdict):
    """An endpoint that gives the same verdict about everything."""
    content = json.dumps({"thought": "Looks good to me.", "pass": verdict})
    body = json.dumps({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def do_GET(self):  # it is asked for its models before it is used
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_): ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/v1"
        yield Endpoint(name=f"always-{verdict}", base_url=address, model="m")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
