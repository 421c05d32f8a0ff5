"""The simulated model: an OpenAI-compatible server with planted faults and no model behind it.

It ships with the package because users need it as much as tests do. The quickstart runs with it,
without a GPU, a key or any cost, and through the same client, cache and pipeline as with a real
model; `apigen-ray simulate` serves it to other programs. And since every planted fault is counted,
the funnel of a run can be compared with what was planted, which shows what the checks catch on
this machine, with these tools. Its data must never be used for training.

`reading` reads a prompt as a model would, `drawing` samples calls from the tools' schemas,
`writing` puts them into a user's words, and `faults` spoils a known share of them, at the rates of
a profile in `profiles`. `judging` judges pairs, and `cleaning` answers the questions of
`tools clean`. `answering` combines them, `server` speaks HTTP, and `serving` starts the server as a
child process.
"""

from apigen_ray.models.simulated.serving import SimulatedEndpoint, serving

__all__ = ["SimulatedEndpoint", "serving"]
