"""Tools: the library of a run, and the one form that is kept of each."""
