"""A real `SFTTrainer` takes exported folders as they are. Run by hand:

    uv venv t && uv pip install -p t/bin/python trl==1.16.0 torch==2.13.0 transformers==5.24.0
    TRL_PYTHON=t/bin/python uv run pytest -m trl -s

It trains a model of two layers and random weights for a step on the processor, once for each chat
template; the templates are those that TRL ships. It takes three minutes.
"""

import json
import os
import subprocess

import pytest
from conversations import TOOLS, verified_run

from apigen_ray.datasets.export.writing import export

PYTHON = os.environ.get("TRL_PYTHON")
pytestmark = [
    pytest.mark.trl,
    pytest.mark.skipif(not PYTHON, reason="run by hand: TRL_PYTHON=... pytest -m trl"),
]
FORM_OF = {
    "qwen2_5": "openai-objects",
    "qwen3": "openai-objects",
    "gptoss": "openai-objects",
    "glm4moe": "openai-objects",
    "deepseekv3": "openai",
}
TRAIN = """
import json, sys
from pathlib import Path
import datasets, trl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

folder, template, trainer_name, out = sys.argv[1:]
rows = datasets.load_dataset(folder, split="train")
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
alphabet = pre_tokenizers.ByteLevel.alphabet()
special = ["<s>", "</s>", "<pad>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|return|>"]
tokenizer.train_from_iterator([], trainers.BpeTrainer(
    vocab_size=300, special_tokens=special, initial_alphabet=alphabet))
fast = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
fast.chat_template = (Path(trl.__file__).parent / f"chat_templates/{template}.jinja").read_text()
model = LlamaForCausalLM(LlamaConfig(
    vocab_size=len(fast), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
    num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=8192,
    bos_token_id=0, eos_token_id=1, pad_token_id=2))
settings = dict(output_dir=out, max_steps=1, per_device_train_batch_size=len(rows), use_cpu=True,
                report_to=[], logging_steps=1, save_strategy="no", max_length=None)
if trainer_name == "dpo":
    trainer = trl.DPOTrainer(model=model, args=trl.DPOConfig(**settings), train_dataset=rows,
                             processing_class=fast)
else:
    trainer = trl.SFTTrainer(model=model, args=trl.SFTConfig(**settings), train_dataset=rows,
                             processing_class=fast)
loss = trainer.train().training_loss
texts = [] if trainer_name == "dpo" else [
    fast.decode(row["input_ids"]) for row in trainer.train_dataset]
print(json.dumps({"loss": loss, "texts": texts}))
"""


def trained(folder, template, out, trainer="sft"):
    """The loss of a step, and the texts that the trainer made of the rows."""
    made = subprocess.run(
        [str(PYTHON), "-c", TRAIN, str(folder), template, trainer, str(out)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(out)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3000:]
    return json.loads(made.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return verified_run(tmp_path_factory.mktemp("trl") / "run")


@pytest.mark.parametrize(("template", "form"), FORM_OF.items())
def test_a_trainer_takes_conversations_as_they_are(template, form, run, tmp_path):
    export(run, form, tmp_path / "data")
    found = trained(tmp_path / "data", template, tmp_path / "out")
    assert 0 < found["loss"] < 20
    shown = found["texts"][0]
    assert "When is high tide?" in shown
    assert TOOLS[0]["name"] in shown
