"""The Ray pipeline: the only room that imports Ray."""

import os

# On one machine the workers share this environment: building it again for them, as Ray does under
# `uv run`, takes half a minute. Ray reads this when it is imported.
if "RAY_ADDRESS" not in os.environ:
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
