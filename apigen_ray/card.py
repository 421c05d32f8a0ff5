"""The data-set card of the verified rows."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from apigen_ray.records import Outcome
from apigen_ray.report.stats import Stats

LICENSE = "unknown"
"""Whoever publishes the data knows the licences of the models and tools it was made with."""
TAGS = ["function-calling", "tool-use", "synthetic"]


def dataset_card(stats: Stats, manifest: Mapping[str, Any]) -> str:
    """A README.md that the Hub and `datasets.load_dataset` understand."""
    config = manifest.get("config", {})
    front = {
        "configs": [{"config_name": "default", "data_files": "train.parquet"}],
        "license": LICENSE,
        "tags": TAGS,
    }
    outcomes = "\n".join(f"| {o} | {stats.whole.outcomes[o]:,} |" for o in Outcome)
    return f"""---
{yaml.safe_dump(front, sort_keys=False).strip()}
---
# Verified function-calling data
{simulated_warning(manifest)}
Query and answer pairs that passed a format check, an execution of their calls, and a judge, after
APIGen (arXiv 2406.18518). `answers`, `tools`, `categories` and `execution_results` are JSON text.

```python
from datasets import load_dataset

rows = load_dataset("path/to/this/folder", split="train")
```

| outcome | data points |
|---|---|
{outcomes}

Made with:

```json
{json.dumps(config, indent=2, ensure_ascii=False)}
```
"""


def simulated_warning(manifest: Mapping[str, Any]) -> str:
    """What a card says first of data that no real model made."""
    models = manifest.get("config", {}).get("models", [])
    names = [model["name"] for model in models if model.get("kind") == "simulated"]
    if not names:
        return ""
    return (
        f"\n**Made by a simulated model ({', '.join(names)}), which plants faults to test the "
        "pipeline. Do not train on it.**\n"
    )
