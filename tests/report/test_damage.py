"""A run folder with a half-written part: what is whole is shown, what is not is named."""

import json

import pytest
from points import fill, point

from apigen_ray.cli import main
from apigen_ray.records import Reason
from apigen_ray.run_folder.rows import as_table
from apigen_ray.run_folder.store import RunFolder


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    fill(folder, [point("lost", model="m0")])
    with folder.writing():
        folder.commit(
            as_table([point(f"m{n}-a", model=f"m{n}", query=f"add {n}") for n in range(2)])
        )
        folder.commit(as_table([point(f"m{n}-b", Reason.RAISED, model=f"m{n}") for n in range(2)]))
        folder.write_json("manifest.json", {"requested": 5, "config": {}})
    half = folder.parts()[0]
    half.write_bytes(half.read_bytes()[:100])
    return tmp_path / "run"


def test_the_commands_pass_it_over_and_name_it(run, tmp_path, capsys):
    out = tmp_path / "out"
    for command in (
        ["report", str(run)],
        ["export", str(run), "--format", "xlam", "--out", str(out)],
        ["compare", str(run), "--out", f"{out}/compared.html"],
        ["compare", str(run), "--out", f"{out}/compared.md"],
        ["compare", str(run), "--out", f"{out}/compared.json"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 0
        assert capsys.readouterr().out.count("part-0001-000001.parquet: skipped") == 1
    stats = json.loads((run / "stats.json").read_text())
    assert (stats["total"], stats["missing"]) == (4, 1)
    assert len((out / "train.jsonl").read_text().splitlines()) == 2
    for page in (run / "report.html", *out.glob("compared.*")):
        assert "part-0001-000001.parquet: skipped" in page.read_text()


def test_a_manifest_of_another_version_is_one_line(run, capsys):
    (run / "manifest.json").write_text("{}")
    with pytest.raises(SystemExit) as ended:
        main(["report", str(run)])
    assert ended.value.code == 2
    assert "`requested` is missing" in capsys.readouterr().err
