"""What the commands and the Python API do, from input to result."""
