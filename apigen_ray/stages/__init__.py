"""The three stages of verification as plain functions: `check`, `execute`, `judge`. No Ray."""
