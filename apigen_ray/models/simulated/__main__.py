"""A child process of `serving`: `python -m apigen_ray.models.simulated HOST ENDPOINT_AS_JSON`."""

import sys

from apigen_ray.models.simulated.serving import SimulatedEndpoint, serve_until_orphaned

serve_until_orphaned(sys.argv[1], SimulatedEndpoint.model_validate_json(sys.argv[2]))
