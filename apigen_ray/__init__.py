"""Verified function-calling training data, generated, checked, executed and judged on Ray.

The pipeline follows APIGen (arXiv 2406.18518). Read the modules in the order data meets them:
`records`, `tools`, `seeds`, `sampling`, `models`, `checking`, `execution`, `judging`, `pipeline`.
"""

__version__ = "0.1.0"
