import pytest


def edge(source, target, weight=1):
    return {"source": source, "target": target, "weight": weight}


def test_one_way_streets_are_not_driven_backwards(tools):
    edges = [edge("a", "b"), edge("b", "c", 5)]
    assert tools.shortest_path(edges, "c", "a")["distance"] == 6
    with pytest.raises(ValueError, match="no route"):
        tools.shortest_path(edges, "c", "a", directed=True)


def test_the_cheapest_of_parallel_edges_is_taken(tools):
    edges = [edge("a", "b", 3), edge("a", "b", 0.5), edge("b", "a", 9)]
    assert tools.shortest_path(edges, "a", "b")["distance"] == 0.5


@pytest.mark.parametrize(("edges", "end"), [([], "b"), ([edge("a", "b")], "z")])
def test_routes_to_nowhere_are_refused(tools, edges, end):
    with pytest.raises(ValueError, match=r"edge|route"):
        tools.shortest_path(edges, "a", end)


def test_the_start_is_no_distance_away(tools):
    assert tools.shortest_path([edge("a", "b")], "a", "a") == {"distance": 0.0, "path": ["a"]}


@pytest.mark.parametrize("tasks", [{"a": ["a"]}, {"a": ["b"], "b": ["a"]}, {"x": [], "a": ["a"]}])
def test_tasks_in_a_circle_have_no_order(tools, tasks):
    with pytest.raises(ValueError, match="circle"):
        tools.topological_order(tasks)


def test_each_task_comes_after_all_it_depends_on(tools):
    tasks = {"a": ["d", "d"], "b": ["c", "e"], "c": ["a"], "e": ["a"]}
    order = tools.topological_order(tasks)
    assert order == ["d", "a", "c", "e", "b"]


def test_parts_are_those_of_a_chain_and_a_loner(tools):
    chain = [[str(i), str(i + 1)] for i in range(100, 900)]
    parts = tools.connected_components([*chain, ["x", "x"]])
    assert [len(part) for part in parts] == [801, 1]
    with pytest.raises(ValueError, match="edge"):
        tools.connected_components([])


def test_a_tree_leaves_out_the_dearest_edge_of_each_circle(tools):
    square = [edge("a", "b", 1), edge("b", "c", 2), edge("c", "d", 3), edge("d", "a", 4)]
    tree = tools.minimum_spanning_tree([*square, edge("a", "c", 10), edge("a", "a", 0)])
    assert tree["total_weight"] == 6
    assert len(tree["edges"]) == 3


def test_separate_parts_have_no_common_tree(tools):
    with pytest.raises(ValueError, match="2 separate parts"):
        tools.minimum_spanning_tree([edge("a", "b"), edge("c", "d")])


def test_loops_and_repeats_add_no_neighbours(tools):
    links = [["a", "b"], ["b", "a"], ["a", "a"], ["c", "c"]]
    assert tools.degree_centrality(links) == {"a": 0.5, "b": 0.5, "c": 0.0}
    with pytest.raises(ValueError, match="edge"):
        tools.degree_centrality([])


def test_a_long_chain_has_no_cycle_until_it_is_closed(tools):
    chain = [[str(i), str(i + 1)] for i in range(100, 599)]
    assert not tools.find_cycle(chain)["has_cycle"]
    closed = tools.find_cycle([*chain, ["599", "100"]])
    assert len(closed["cycle"]) == 500


def test_two_ways_to_a_node_are_no_cycle(tools):
    diamond = [["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"]]
    assert not tools.find_cycle(diamond)["has_cycle"]


def test_ranks_add_up_to_one_even_with_dead_ends(tools):
    ranks = tools.page_rank([["a", "b"], ["a", "c"], ["b", "c"], ["d", "c"]])
    assert sum(ranks.values()) == pytest.approx(1, abs=1e-5)
    assert next(iter(ranks)) == "c"
