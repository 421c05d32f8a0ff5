"""The run folder, local or in an object store: rows, parts, manifest, data set, event log."""
