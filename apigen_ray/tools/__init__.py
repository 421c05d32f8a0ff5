"""Tools: the library of a run, importers, and the forms in which tools are read and written."""
