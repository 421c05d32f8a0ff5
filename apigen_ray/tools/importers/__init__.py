"""Tools from OpenAPI, ToolBench, MCP, lists and Python, in the one form that is kept."""
