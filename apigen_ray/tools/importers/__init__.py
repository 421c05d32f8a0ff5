"""Tools from OpenAPI, ToolBench, MCP, lists and Python.

An importer is a function from sources to findings (`findings`), declared as an `IMPORTER`
(`importer`). `gather` turns what it finds into tools.
"""
