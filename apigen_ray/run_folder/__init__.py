"""The run folder: its rows, parts, manifest, data set and event log, local or in an object store."""
