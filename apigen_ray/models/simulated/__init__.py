"""The simulated model: an OpenAI-compatible server with planted faults and no model behind it.

It reads a prompt as a model would (`reading`), draws calls from the tools' schemas (`drawing`),
puts them into a user's words (`writing`), and spoils a known share of them (`faults`, at the rates
of a profile); or it judges a pair (`judging`), or answers what `tools clean` asks (`cleaning`).
`answering` puts these together, `server` speaks HTTP, and `serving` starts the server as a child
process.

Since every planted fault is counted, the funnel of a run can be held against what was planted: that
proves the checks.
"""

from apigen_ray.models.simulated.server import run_server
from apigen_ray.models.simulated.serving import SimulatedEndpoint, serving

__all__ = ["SimulatedEndpoint", "run_server", "serving"]
