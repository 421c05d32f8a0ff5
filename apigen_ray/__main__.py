"""`python -m apigen_ray` is `apigen-ray`."""

from apigen_ray.cli import main

main()
