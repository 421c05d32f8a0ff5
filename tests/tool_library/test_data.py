import pytest


def test_quoted_fields_may_hold_anything(tools):
    text = 'a,b\r\n"1,5","say ""hi""\nand go"\r\n\r\n,x\r\n'
    assert tools.parse_csv(text) == [
        {"a": "1,5", "b": 'say "hi"\nand go'},
        {"a": "", "b": "x"},
    ]


def test_only_plain_numbers_become_numbers(tools):
    fields = {"0": 0, "-7": -7, "1.50": 1.5, "007": "007", "1e5": "1e5", "+1": "+1", "nan": "nan"}
    fields |= {
        "TRUE": True,
        "٣": "٣",
        "1_000": "1_000",
        "12345678901234567890": "12345678901234567890",
    }
    for text, value in fields.items():
        [record] = tools.parse_csv(f"x\n{text}")
        assert record["x"] == value
        assert type(record["x"]) is type(value)


@pytest.mark.parametrize("text", ["a,a\n1,2", "a,\n1,2", "a,b\n1", "a\n1,2", '"a', "\n"])
def test_tables_out_of_shape_are_refused(tools, text):
    with pytest.raises(ValueError, match=r"header|fields|CSV"):
        tools.parse_csv(text)


def test_paths_find_all_or_nothing(tools):
    document = {"a": [{"b": 1}, {"c": 2}, {"b": 3}], "x.y": {"0": True}}
    assert tools.lookup_json_path(document, "$.a[*].b") == [1, 3]
    assert tools.lookup_json_path(document, "$['x.y'].0") == [True]
    assert tools.lookup_json_path(document, "$") == [document]
    for path in ("$.a[3]", "$.a[-4]", "$.z", "$.a.b", "$..b", "$.a[", "$.a[*"):
        with pytest.raises(ValueError, match="path"):
            tools.lookup_json_path(document, path)


def test_truth_is_not_one(tools):
    records = [{"v": 1}, {"v": True}, {"v": 1.0}, {"v": "1"}, {}]
    assert tools.filter_records(records, "v", "==", 1)["count"] == 2
    assert tools.filter_records(records, "v", "==", True)["count"] == 1
    assert tools.filter_records(records, "v", "!=", 1)["count"] == 2
    assert tools.deduplicate_records(records[:3], ["v"])["removed"] == 1


@pytest.mark.parametrize(
    ("operator", "value"), [("<", "a"), (">=", True), ("contains", 1), ("starts_with", True)]
)
def test_values_without_an_order_are_not_compared(tools, operator, value):
    with pytest.raises(ValueError, match=r"no order|compares text"):
        tools.filter_records([{"v": 1}], "v", operator, value)


def test_sorting_keeps_the_order_of_equals(tools):
    records = [{"k": 1, "n": "a"}, {"k": 0, "n": "b"}, {"k": 1, "n": "c"}]
    for descending, names in ((False, "bac"), (True, "acb")):
        ordered = tools.sort_records(records, ["k"], descending)
        assert "".join(record["n"] for record in ordered) == names


@pytest.mark.parametrize("records", [[], [{"x": 1}], [{"k": 1}, {"k": "1"}]])
def test_records_that_have_no_order_are_refused(tools, records):
    with pytest.raises(ValueError, match=r"at least one|no field|mixes"):
        tools.sort_records(records, ["k"])


def test_a_join_pairs_all_matches_and_has_its_limit(tools):
    left, right = [{"k": 1, "v": i} for i in range(3)], [{"k": 1, "v": i} for i in range(2)]
    assert len(tools.join_records(left, right, "k")) == 6
    assert tools.join_records([], right, "k") == []
    with pytest.raises(ValueError, match="5000"):
        tools.join_records(left * 50, right * 50, "k")
    with pytest.raises(ValueError, match="no field"):
        tools.join_records([{"x": 1}], right, "k")


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [("sum", 0.6), ("mean", 0.2), ("median", 0.2), ("min", 0.1), ("max", 0.3), ("count", 3)],
)
def test_aggregates_have_no_binary_noise(tools, aggregate, value):
    records = [{"g": "x", "v": v} for v in (0.1, 0.2, 0.3)]
    [group] = tools.group_and_aggregate(records, "g", "v", aggregate)
    assert group[aggregate] == value
    [row] = tools.pivot_records(
        records, row_field="g", column_field="g", value_field="v", aggregate=aggregate
    )
    assert row == {"g": "x", "x": value}


@pytest.mark.parametrize("value", ["1", True, 1e16])
def test_only_numbers_are_aggregated(tools, value):
    with pytest.raises(ValueError, match="number"):
        tools.group_and_aggregate([{"g": 1, "v": value}], "g", "v")


def test_a_column_does_not_hide_the_rows(tools):
    with pytest.raises(ValueError, match="name of the row field"):
        tools.pivot_records(
            [{"r": 1, "c": "r", "v": 1}], row_field="r", column_field="c", value_field="v"
        )
