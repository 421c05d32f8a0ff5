"""The data-set card of the verified rows."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from apigen_ray.records import Outcome
from apigen_ray.report.stats import Stats


def dataset_card(stats: Stats, manifest: Mapping[str, Any]) -> str:
    """A README.md that the Hub and `datasets.load_dataset` understand."""
    config = manifest.get("config", {})
    models = config.get("models", [])
    front = {
        "configs": [{"config_name": "default", "data_files": "train.parquet"}],
        "tags": ["function-calling", "tool-use", "synthetic"],
    }
    simulated = [model["name"] for model in models if model.get("kind") == "simulated"]
    warning = ""
    if simulated:
        warning = (
            f"\n**Made by a simulated model ({', '.join(simulated)}), which plants faults to test "
            "the pipeline. Do not train on it.**\n"
        )
    outcomes = "\n".join(f"| {o} | {stats.whole.outcomes[o]:,} |" for o in Outcome)
    return f"""---
{yaml.safe_dump(front, sort_keys=False).strip()}
---
# Verified function-calling data
{warning}
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
