"""The same work in distilabel 1.5.3, for `bench_models.py`; runs in an environment of its own.

v/bin/python tests/bench/distilabel_pipeline.py TOOLS.py ROWS BATCH REPLICAS URL JUDGE_URL
"""

import sys

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts, StepResources
from distilabel.steps.tasks import (
    APIGenExecutionChecker,
    APIGenGenerator,
    APIGenSemanticChecker,
)


def main() -> None:
    """Generate, execute and judge rows of one tool; each step waits for a whole batch."""
    tools, rows, batch, replicas, url, judge_url = sys.argv[1:]
    data = [
        {"examples": "", "func_name": "double", "func_desc": "Double a number.", "row": number}
        for number in range(int(rows))
    ]
    several = {"input_batch_size": int(batch), "resources": StepResources(replicas=int(replicas))}

    def model(base_url: str) -> OpenAILLM:
        return OpenAILLM(model="stub", base_url=base_url, api_key="none", timeout=600)

    with Pipeline("bench") as pipeline:
        load = LoadDataFromDicts(data=data, batch_size=int(batch))
        generate = APIGenGenerator(llm=model(url), **several)
        execute = APIGenExecutionChecker(libpath=tools, input_batch_size=int(batch))
        judge = APIGenSemanticChecker(llm=model(judge_url), **several)
        load >> generate >> execute >> judge
    split = pipeline.run(use_cache=False)["default"]["train"]
    verified = sum(bool(kept) for kept in split["keep_row_after_semantic_check"])
    print(f"{verified} of {len(split)} rows verified")
    sys.exit(verified != int(rows))


if __name__ == "__main__":
    main()
