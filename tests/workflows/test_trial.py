"""`run --check` asks each model for one completion, and says what the run is to expect."""

import http.server
import json
import re
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from apigen_ray import pipeline  # noqa: F401 - it tells Ray about its environment first
from apigen_ray.config import load_config
from apigen_ray.errors import BadInput
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.simulated import SimulatedEndpoint, serving
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.tools.library import load_library
from apigen_ray.workflows.trial import generator_trial, judge_trial

CONFIG = load_config("configs/quickstart.yaml")
LIBRARY = load_library(CONFIG.tools)
SEEDS, _ = load_seeds(CONFIG.seeds, LIBRARY.by_name())


@contextmanager
def replying(behave):
    """A server that answers a request's body with a status and a body."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, reply = behave(given)
            with suppress(BrokenPipeError):  # the client does not wait for ever
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(reply).encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:  # else it is never joined, and pytest waits for it at its end
            server.shutdown()
            thread.join()


def completion(text, *, finish="stop", tokens=(900, 50)):
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish}
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
    return 200, {"choices": [choice], "usage": usage}


def tried(behave, **settings):
    with replying(behave) as url:
        endpoint = Endpoint(name="m", model="m", base_url=url, **settings)
        return generator_trial(CONFIG, LIBRARY, SEEDS).run(endpoint)


@pytest.mark.parametrize("strategy", ["query_and_calls", "calls_first"])
def test_the_first_prompt_is_asked_and_its_reply_judged_by_stage_1(strategy):
    config = CONFIG.model_copy(update={"strategy": strategy})
    with serving([SimulatedEndpoint(profile="perfect", latency_s=0.2, concurrency=8)]) as served:
        line = generator_trial(config, LIBRARY, SEEDS).run(served["simulated"])
    assert re.match(r"[\d,]+ tokens in, \d+ out, \d\.\d s, [\d.]+ tokens/s; fits the context", line)
    assert "stage 1 accepts it" in line
    assert re.search(r"about 0:\d\d for 400 prompts, 8 at a time", line)


def test_the_judge_is_asked_about_a_seed_pair():
    trial = judge_trial(CONFIG, SEEDS)
    with serving([SimulatedEndpoint(profile="perfect", latency_s=0.1)]) as served:
        line = trial.run(served["simulated"])
    assert "its verdict on a seed pair, without results: " in line
    assert "for 400 data points, if all are judged, 32 at a time" in line
    with replying(lambda _body: completion("Well.")) as url:
        line = trial.run(Endpoint(name="j", model="j", base_url=url))
    assert "gives no verdict: 'Well.'" in line
    assert judge_trial(CONFIG, ()) is None


def test_a_judge_may_answer_for_each_model():
    two = CONFIG.models[0].model_copy(update={"name": "b"})
    config = CONFIG.model_copy(update={"models": (*CONFIG.models, two)})
    assert judge_trial(config, SEEDS).requests == 800


def test_what_stage_1_would_reject_is_said():
    assert "stage 1 rejects it: invalid_json: " in tried(lambda _body: completion("Sure!"))


def test_a_reply_cut_by_its_own_limit_or_by_the_context_is_said():
    def cut(_body):
        return completion("[{", finish="length", tokens=(900, 124))

    assert "; cut at max_tokens (124); " in tried(cut, max_tokens=124)
    assert "; cut: the context is full after 1,024 tokens; " in tried(cut)


def test_the_schema_is_taken_or_its_fallback_named():
    def no_schema(body):
        kind = body.get("response_format", {}).get("type")
        if kind == "json_schema":
            return 400, {"error": {"message": "json_schema is not supported"}}
        return completion("{}")

    assert "; no schema asked for; " in tried(no_schema)
    line = tried(no_schema, response_format="json_schema")
    assert "; does not accept the whole schema; falls back to JSON of any shape; " in line
    assert "; takes json_schema; " in tried(
        lambda _body: completion("{}"), response_format="json_schema"
    )


def test_a_prompt_too_long_for_the_context_is_one_line():
    def too_long(_body):
        return 400, {"error": {"message": "the request exceeds the available context size"}}

    with pytest.raises(BadInput, match=r"^the prompt does not fit into its context: .*size$"):
        tried(too_long)


def test_a_fault_is_asked_about_once_and_is_one_line():
    asked = []

    def fails(body):
        asked.append(body)
        return 500, {"error": {"message": "out of\nmemory"}}

    with pytest.raises(BadInput, match=r"/v1: 500 out of memory$"):
        tried(fails)
    assert len(asked) == 1


def test_a_timeout_names_the_setting_to_raise():
    def sleeps(_body):
        time.sleep(0.5)
        return completion("late")

    with pytest.raises(BadInput, match=r"no answer within 0.1 s; .*raise its timeout_s"):
        tried(sleeps, timeout_s=0.1)
