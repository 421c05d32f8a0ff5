"""A small real MCP server, with the faults that a server may have: `mcp_server.py KIND [PORT]`."""

import sys
import time

match sys.argv[1:]:  # before the imports, which take a while
    case ["hang"]:
        time.sleep(600)
    case ["die"]:
        sys.exit("no licence")
    case ["babble"]:
        print("Welcome to the library!", flush=True)
        print('{"jsonrpc": "2.0", "id": 0, "result": {"what": "ever"}}', flush=True)
        time.sleep(600)

from mcp.server.mcpserver import MCPServer

server = MCPServer("Library of Babel")


@server.tool()
def find_book(title: str, limit: int = 10) -> str:
    """Find a book by its title."""
    return title * limit


@server.tool(name="shelf.list")
def shelf_list(room: int) -> list[str]:
    """List the books of a room."""
    return [str(room)]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["stdio"]:
            server.run("stdio")
        case ["http", port]:
            server.run("streamable-http", port=int(port))
