"""Do other models, given the query alone, make the same calls? The last part of stage 3.

Two models that were not told the answer seldom make the same mistake: on recorded answers of 71
models, agreement removes most of the wrong calls that every check without a model lets through
(`tests/bench/bench_agreement.py`). Self-consistency (Wang et al., arXiv 2203.11171) asks one model
several times; here, they may be different ones. Calls agree if they say the same (`compare`), or if
they return the same when they are run: `distance(km=5)` and `distance(m=5000)`.
"""

from apigen_ray.stages.agreement.agree import Agreement, AgreementSettings, Solution, Solver, agree
from apigen_ray.stages.agreement.compare import same_calls

__all__ = ["Agreement", "AgreementSettings", "Solution", "Solver", "agree", "same_calls"]
