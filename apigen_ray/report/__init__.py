"""What a run came to: counted in `stats`, shown in `terminal`."""
