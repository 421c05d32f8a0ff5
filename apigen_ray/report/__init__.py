"""What a run came to: counted in `stats` and `summary`, shown in `terminal` and as pages."""
