"""A real `SFTTrainer` takes exported folders as they are. Run by hand:

    uv venv t && uv pip install -p t/bin/python trl==1.16.0 torch==2.13.0 transformers==5.24.0
    TRL_PYTHON=t/bin/python uv run pytest -m trl -s

It trains a model of two layers and random weights for a step on the processor, once for each chat
template; the templates are those that TRL ships. It takes a minute.
"""

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from conversations import ROWS, TOOLS, call, user, verified_run

from apigen_ray.datasets.export.writing import export
from apigen_ray.errors import BadInput
from apigen_ray.workflows.verify import verify

PYTHON = os.environ.get("TRL_PYTHON")
pytestmark = [
    pytest.mark.trl,
    pytest.mark.skipif(not PYTHON, reason="run by hand: TRL_PYTHON=... pytest -m trl"),
]
TEMPLATES = ("qwen2_5", "qwen3", "llama3_1", "gptoss", "glm4moe", "deepseekv3")
TRAIN = """
import json, sys
from contextlib import suppress
from pathlib import Path
import datasets, trl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

out, *tasks = sys.argv[1:]
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
alphabet = pre_tokenizers.ByteLevel.alphabet()
special = ["<s>", "</s>", "<pad>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|return|>"]
tokenizer.train_from_iterator([], trainers.BpeTrainer(
    vocab_size=300, special_tokens=special, initial_alphabet=alphabet))
fast = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>")

def step(folder, template, kind):
    rows = datasets.load_dataset(folder, split="train")
    fast.chat_template = Path(template).read_text()
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=len(fast), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=8192,
        bos_token_id=0, eos_token_id=1, pad_token_id=2))
    model.save_pretrained(f"{out}/model")  # DPO loads its reference model from there
    fast.save_pretrained(f"{out}/model")
    settings = dict(output_dir=out, max_steps=1, per_device_train_batch_size=len(rows),
                    use_cpu=True, report_to=[], logging_steps=1, save_strategy="no",
                    max_length=None)
    made = {"sft": (trl.SFTTrainer, trl.SFTConfig), "dpo": (trl.DPOTrainer, trl.DPOConfig)}[kind]
    trainer = made[0](model=f"{out}/model", args=made[1](**settings), train_dataset=rows,
                      processing_class=fast)
    seen = trainer.train_dataset
    texts = [fast.decode(row["input_ids"]) for row in seen] if kind == "sft" else []
    return {"loss": trainer.train().training_loss, "rows": len(seen), "texts": texts}

print(json.dumps([step(*task.split("|")) for task in tasks]))
"""


def trained(out, *tasks):
    """What came of a step for each (folder, template, kind of trainer)."""
    made = subprocess.run(
        [str(PYTHON), "-c", TRAIN, str(out), *("|".join(map(str, task)) for task in tasks)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(out)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3000:]
    return json.loads(made.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def templates():
    """The folder of TRL's templates."""
    code = "import trl, pathlib; print(pathlib.Path(trl.__file__).parent / 'chat_templates')"
    found = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip())


def test_a_trainer_takes_what_is_exported_for_its_template(templates, tmp_path):
    run = verified_run(tmp_path / "run")
    tasks, written = [], []
    for name in TEMPLATES:
        template = templates / f"{name}.jinja"
        exported = export(run, "openai", tmp_path / name, for_model=str(template))
        written.append(exported.written)
        tasks.append((tmp_path / name, template, "sft"))
    steps = trained(tmp_path / "out", *tasks)
    for name, count, step in zip(TEMPLATES, written, steps, strict=True):
        print(f"{name}: {count} of {len(ROWS)} rows, loss {step['loss']:.2f}")
        assert step["rows"] == count >= len(ROWS) / 2
        assert 0 < step["loss"] < 20
        assert any("When is high tide?" in text and "Kiel" in text for text in step["texts"])


def test_preferences_are_taken_with_their_tools(templates, tmp_path):
    bad = [{"id": "bad", "messages": [user("When is high tide?"), call(("tide", {"port": 7}))]}]
    run = tmp_path / "run"
    verify([{"tools": TOOLS} | row for row in ROWS + bad], stages=["format"], out=run)
    export(run, "trl-preference", tmp_path / "data")
    task = tmp_path / "data", templates / "qwen3.jinja", "dpo"
    [step] = trained(tmp_path / "out", task)
    assert (step["rows"], round(step["loss"], 2)) == (1, 0.69)  # -log(1/2): nothing learned yet


def test_calls_come_back_from_the_templates_of_ten_families(templates, tmp_path):
    run = verified_run(tmp_path / "run")
    whole = []
    for template in sorted(templates.glob("*.jinja")):
        if template.stem.endswith("_training"):
            continue
        with suppress(BadInput):  # of images, or without a message's text: nothing comes back
            exported = export(run, "openai", tmp_path / template.stem, for_model=str(template))
            print(f"{template.stem}: {exported.written} of {len(ROWS)} as {exported.format}")
            whole += [template.stem] if exported.written == len(ROWS) else []
    assert {"qwen2_5", "qwen3", "qwen3_6", "deepseekv3", "gemma4_v5", "lfm2_v2"} <= {*whole}
