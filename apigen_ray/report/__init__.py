"""The results of a run: counted in `stats` and `summary`, shown in `terminal` and as pages."""
