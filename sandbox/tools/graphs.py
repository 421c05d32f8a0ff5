"""Graphs given as lists of edges: paths, orders, components, trees and centrality."""

import heapq
import math
from collections.abc import Iterator
from typing import Annotated, NotRequired, TypeAlias, TypedDict

CATEGORY = "Technology"
__all__ = [
    "connected_components",
    "degree_centrality",
    "find_cycle",
    "minimum_spanning_tree",
    "page_rank",
    "shortest_path",
    "topological_order",
]

Node: TypeAlias = Annotated[str, {"minLength": 1, "maxLength": 100}]


class WeightedEdge(TypedDict):
    """A connection of two nodes; one without a weight has the weight 1."""

    source: Node
    target: Node
    weight: NotRequired[Annotated[float, {"minimum": 0, "maximum": 1e9}]]


Link: TypeAlias = Annotated[list[Node], {"minItems": 2, "maxItems": 2}]

_Neighbours: TypeAlias = dict[str, list[str]]


def _neighbours(edges: list[list[str]], directed: bool) -> _Neighbours:
    """The distinct neighbours of every node, both in order of their names."""
    found: dict[str, set[str]] = {}
    for source, target in edges:
        found.setdefault(source, set()).add(target)
        found.setdefault(target, set())
        if not directed:
            found[target].add(source)
    return {node: sorted(found[node]) for node in sorted(found)}


def shortest_path(
    edges: Annotated[list[WeightedEdge], {"maxItems": 500}],
    start: Node,
    end: Node,
    directed: bool = False,
) -> dict[str, float | list[str]]:
    """Find the cheapest route between two nodes of a weighted network, by Dijkstra's algorithm.

    Args:
        edges: The connections: `source`, `target` and a `weight` such as a distance or cost, 1 if
            not given.
        start: The node where the route begins.
        end: The node where the route ends.
        directed: Whether edges can only be travelled from source to target.

    Returns:
        The total weight of the route, and its nodes in order.

    Raises:
        ValueError: if there are no edges, or no route between the nodes.

    Examples:
        >>> shortest_path(
        ...     [
        ...         {"source": "A", "target": "B", "weight": 4},
        ...         {"source": "A", "target": "C", "weight": 1},
        ...         {"source": "C", "target": "B", "weight": 2},
        ...     ],
        ...     "A",
        ...     "B",
        ... )
        {'distance': 3.0, 'path': ['A', 'C', 'B']}
        >>> shortest_path(
        ...     edges=[
        ...         {"source": "Paris", "target": "Lyon", "weight": 465.5},
        ...         {"source": "Lyon", "target": "Nice", "weight": 471},
        ...         {"source": "Nice", "target": "Paris", "weight": 932},
        ...     ],
        ...     start="Paris",
        ...     end="Nice",
        ...     directed=True,
        ... )
        {'distance': 936.5, 'path': ['Paris', 'Lyon', 'Nice']}
        >>> shortest_path(
        ...     [{"source": "web", "target": "api"}, {"source": "api", "target": "db"}], "db", "web"
        ... )
        {'distance': 2.0, 'path': ['db', 'api', 'web']}
    """
    if not edges:
        raise ValueError("edges: at least one edge is needed")
    costs: dict[str, dict[str, float]] = {start: {}}
    for edge in edges:
        ends = [(edge["source"], edge["target"])]
        ends += [] if directed else [ends[0][::-1]]
        for source, target in ends:
            row = costs.setdefault(source, {})
            row[target] = min(row.get(target, math.inf), edge.get("weight", 1))
    queue: list[tuple[float, list[str]]] = [(0.0, [start])]
    done: set[str] = set()
    while queue:
        distance, path = heapq.heappop(queue)
        node = path[-1]
        if node == end:
            return {"distance": round(float(distance), 9), "path": path}
        if node not in done:
            done.add(node)
            for target, cost in costs.get(node, {}).items():
                heapq.heappush(queue, (distance + cost, [*path, target]))
    raise ValueError(f"there is no route from {start!r} to {end!r}")


def topological_order(
    dependencies: Annotated[dict[str, list[Node]], {"minProperties": 1, "maxProperties": 300}],
) -> list[str]:
    """Order tasks, packages or courses so that each comes after everything it depends on.

    Among tasks that could come next, the first by name does, so that the order is unique.

    Args:
        dependencies: For each task, the tasks that it depends on. Tasks that appear only as a
            dependency need no entry of their own.

    Returns:
        All tasks, in an order in which they can be done.

    Raises:
        ValueError: if tasks depend on each other in a circle.

    Examples:
        >>> topological_order({"deploy": ["test", "build"], "test": ["build"], "build": []})
        ['build', 'test', 'deploy']
        >>> topological_order({"calculus": ["algebra"], "physics": ["calculus"]})
        ['algebra', 'calculus', 'physics']
        >>> topological_order(dependencies={"roof": ["walls"], "walls": ["floor"], "garden": []})
        ['floor', 'garden', 'walls', 'roof']
    """
    waits_for = {task: set(before) for task, before in dependencies.items()}
    for tasks in dependencies.values():
        waits_for |= {task: set() for task in tasks if task not in waits_for}
    unlocks: dict[str, list[str]] = {task: [] for task in waits_for}
    for task, needed in waits_for.items():
        for before in needed:
            unlocks[before].append(task)
    ready = sorted(task for task, needed in waits_for.items() if not needed)
    order = []
    while ready:
        done = heapq.heappop(ready)
        order.append(done)
        for task in unlocks[done]:
            waits_for[task].discard(done)
            if not waits_for[task]:
                heapq.heappush(ready, task)
    if len(order) < len(waits_for):
        stuck = ", ".join(sorted(set(waits_for) - set(order))[:10])
        raise ValueError(f"there is a circle of dependencies among or before: {stuck}")
    return order


def connected_components(edges: Annotated[list[Link], {"maxItems": 1000}]) -> list[list[str]]:
    """Split an undirected network into its connected parts.

    Args:
        edges: Pairs of connected nodes. A pair of a node with itself names a node that may be
            connected to nothing.

    Returns:
        The parts, largest first, each as the sorted list of its nodes.

    Raises:
        ValueError: if there are no edges.

    Examples:
        >>> connected_components([["ann", "bob"], ["bob", "cem"], ["dia", "eli"]])
        [['ann', 'bob', 'cem'], ['dia', 'eli']]
        >>> connected_components([["10.0.0.1", "10.0.0.2"], ["10.0.0.9", "10.0.0.9"]])
        [['10.0.0.1', '10.0.0.2'], ['10.0.0.9']]
        >>> connected_components(edges=[["a", "b"], ["c", "d"], ["b", "c"]])
        [['a', 'b', 'c', 'd']]
    """
    if not edges:
        raise ValueError("edges: at least one edge is needed")
    neighbours = _neighbours(edges, directed=False)
    seen: set[str] = set()
    parts = []
    for node in neighbours:
        if node not in seen:
            part = {node}
            waiting = [node]
            while waiting:
                new = set(neighbours[waiting.pop()]) - part
                part |= new
                waiting += new
            seen |= part
            parts.append(sorted(part))
    return sorted(parts, key=lambda part: (-len(part), part))


def minimum_spanning_tree(
    edges: Annotated[list[WeightedEdge], {"minItems": 1, "maxItems": 500}],
) -> dict[str, float | list[WeightedEdge]]:
    """Choose the cheapest set of connections that still links all nodes, by Kruskal's algorithm.

    Args:
        edges: The possible connections, undirected: `source`, `target` and a `weight` such as the
            cost of a cable, 1 if not given.

    Returns:
        The total weight, and the edges chosen, from the cheapest to the most expensive one.

    Raises:
        ValueError: if the edges don't link all nodes.

    Examples:
        >>> minimum_spanning_tree(
        ...     [
        ...         {"source": "A", "target": "B", "weight": 7},
        ...         {"source": "B", "target": "C", "weight": 2.5},
        ...         {"source": "A", "target": "C", "weight": 4},
        ...     ]
        ... )["total_weight"]
        6.5
        >>> minimum_spanning_tree([{"source": "x", "target": "y"}])
        {'total_weight': 1.0, 'edges': [{'source': 'x', 'target': 'y', 'weight': 1.0}]}
        >>> minimum_spanning_tree(
        ...     edges=[
        ...         {"source": "hub", "target": "east", "weight": 10},
        ...         {"source": "hub", "target": "west", "weight": 12},
        ...         {"source": "east", "target": "west", "weight": 30},
        ...     ]
        ... )["total_weight"]
        22.0
    """
    tree_of = {node: node for edge in edges for node in (edge["source"], edge["target"])}
    chosen: list[WeightedEdge] = []
    for edge in sorted(edges, key=lambda edge: edge.get("weight", 1)):
        source, target = tree_of[edge["source"]], tree_of[edge["target"]]
        if source != target:
            tree_of = {node: target if tree == source else tree for node, tree in tree_of.items()}
            weight = float(edge.get("weight", 1))
            chosen.append({"source": edge["source"], "target": edge["target"], "weight": weight})
    if len(set(tree_of.values())) > 1:
        raise ValueError(f"the network falls into {len(set(tree_of.values()))} separate parts")
    return {"total_weight": round(sum(edge["weight"] for edge in chosen), 9), "edges": chosen}


def degree_centrality(
    edges: Annotated[list[Link], {"maxItems": 1000}], normalized: bool = True
) -> dict[str, float]:
    """Measure how well connected each node of an undirected network is.

    Args:
        edges: Pairs of connected nodes. Repeated pairs and pairs of a node with itself don't add
            connections.
        normalized: Whether to divide the number of neighbours by the number of other nodes, so
            that 1.0 is a node connected to all others.

    Returns:
        The centrality by node, in order of the names.

    Raises:
        ValueError: if there are no edges.

    Examples:
        >>> degree_centrality([["hub", "a"], ["hub", "b"], ["hub", "c"], ["hub", "d"]])
        {'a': 0.25, 'b': 0.25, 'c': 0.25, 'd': 0.25, 'hub': 1.0}
        >>> degree_centrality([["ann", "bob"], ["bob", "cem"], ["bob", "ann"]], normalized=False)
        {'ann': 1.0, 'bob': 2.0, 'cem': 1.0}
        >>> degree_centrality(edges=[["p", "q"], ["q", "r"]])
        {'p': 0.5, 'q': 1.0, 'r': 0.5}
    """
    if not edges:
        raise ValueError("edges: at least one edge is needed")
    neighbours = _neighbours(edges, directed=False)
    others = max(1, len(neighbours) - 1) if normalized else 1
    return {node: round(len(set(near) - {node}) / others, 6) for node, near in neighbours.items()}


def find_cycle(
    edges: Annotated[list[Link], {"minItems": 0, "maxItems": 500}],
) -> dict[str, bool | list[str]]:
    """Look for a circle in a directed network, such as circular imports or dependencies.

    Args:
        edges: Pairs of nodes, each from the first node to the second one; none is fine.

    Returns:
        Whether there is a cycle, and the nodes of one, in order and without the return to its
        start; an empty list if there is none.

    Examples:
        >>> find_cycle([["a", "b"], ["b", "c"], ["c", "a"], ["c", "d"]])
        {'has_cycle': True, 'cycle': ['a', 'b', 'c']}
        >>> find_cycle([["app", "models"], ["models", "db"], ["app", "db"]])
        {'has_cycle': False, 'cycle': []}
        >>> find_cycle(edges=[["main", "parser"], ["parser", "parser"]])
        {'has_cycle': True, 'cycle': ['parser']}
        >>> find_cycle([])
        {'has_cycle': False, 'cycle': []}
    """
    neighbours = _neighbours(edges, directed=True)
    finished: set[str] = set()
    for start in neighbours:
        cycle = _cycle_from(start, neighbours, finished)
        if cycle:
            return {"has_cycle": True, "cycle": cycle}
    return {"has_cycle": False, "cycle": []}


def _cycle_from(start: str, neighbours: _Neighbours, finished: set[str]) -> list[str]:
    """Search in depth, without recursion, since a chain may be long."""
    path: list[str] = []
    branches: list[Iterator[str]] = [iter([start])]
    while branches:
        node = next((near for near in branches[-1] if near not in finished), None)
        if node is None:
            branches.pop()
            if path:
                finished.add(path.pop())
        elif node in path:
            return path[path.index(node) :]
        else:
            path.append(node)
            branches.append(iter(neighbours[node]))
    return []


def page_rank(
    links: Annotated[list[Link], {"minItems": 1, "maxItems": 500}],
    damping: Annotated[float, {"minimum": 0, "maximum": 0.99}] = 0.85,
) -> dict[str, float]:
    """Rank the nodes of a directed network, such as web pages, by who links to them (PageRank).

    Args:
        links: Pairs of nodes, each a link from the first to the second; repeated links count once.
        damping: The chance that a visitor follows a link instead of jumping to a random node.

    Returns:
        The rank by node, highest first; the ranks add up to 1, but for rounding.

    Examples:
        >>> page_rank([["a", "b"], ["b", "a"]])
        {'a': 0.5, 'b': 0.5}
        >>> page_rank([["blog", "home"], ["shop", "home"]], damping=0.5)
        {'home': 0.5, 'blog': 0.25, 'shop': 0.25}
        >>> page_rank(links=[["x", "y"], ["y", "z"], ["z", "x"]], damping=0)
        {'x': 0.333333, 'y': 0.333333, 'z': 0.333333}
    """
    neighbours = _neighbours(links, directed=True)
    count = len(neighbours)
    ranks = dict.fromkeys(neighbours, 1 / count)
    for _ in range(100):
        stranded = sum(ranks[node] for node, near in neighbours.items() if not near)
        following = dict.fromkeys(neighbours, (1 - damping + damping * stranded) / count)
        for node, near in neighbours.items():
            for target in near:
                following[target] += damping * ranks[node] / len(near)
        ranks = following
    ordered = sorted(ranks.items(), key=lambda item: (-round(item[1], 6), item[0]))
    return {node: round(rank, 6) for node, rank in ordered}
