"""Run folders on an object store: the promises of a local folder, kept by a real S3 server."""

import json
import time

import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem
from stored_rows import ids, row
from upath import UPath

from apigen_ray.cli import main
from apigen_ray.errors import BadInput, StoreLost
from apigen_ray.models.reply_store import ReplyStore
from apigen_ray.records import Reply
from apigen_ray.run_folder import event_log as runlog
from apigen_ray.run_folder import storage
from apigen_ray.run_folder.event_log import RunLog
from apigen_ray.run_folder.rows import as_table
from apigen_ray.run_folder.storage import LEASES, atomic_write, lock, resolve_path
from apigen_ray.run_folder.store import REPLIES, RunFolder, clear


@pytest.fixture(scope="module")
def server():
    """An S3 server in this process, where boto's environment variables find it."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        S3FileSystem.clear_instance_cache()  # of tests with another environment
        UPath("s3://bucket").fs.mkdir("bucket")
        yield server
    server.stop()


@pytest.fixture
def url(server, request):
    return f"s3://bucket/{request.node.name}"


def test_rows_are_read_back_and_superseded_as_in_a_local_folder(url):
    folder = RunFolder(url)
    with folder.writing():
        folder.commit(as_table([row("a", "error"), row("b")]))
        folder.commit(as_table([row("a", tried=1)]))
    assert ids(RunFolder(url)) == ["a", "b"]
    settled, tried = RunFolder(url).attempts_by_id()
    assert (len(settled), tried) == (2, {})


def test_parts_of_a_later_attempt_never_overwrite_earlier_ones(url):
    for number in range(2):
        folder = RunFolder(url)
        with folder.writing():
            folder.commit(as_table([row(f"a{number}")]))
    assert [part.name for part in folder.parts()] == [
        "part-0001-000001.parquet",
        "part-0002-000001.parquet",
    ]


def test_a_second_writer_is_told_who_writes_and_until_when(url):
    with (
        RunFolder(url).writing(),
        pytest.raises(BadInput, match=r"process \d+ on .* is writing .* expires in \d+ s"),
        RunFolder(url).writing(),
    ):
        pass
    with RunFolder(url).writing():
        pass  # and when the first has ended, the second may


def test_of_two_that_begin_at_once_one_writes(url, monkeypatch):
    held = lock(resolve_path(url))
    monkeypatch.setattr(storage, "_numbers", lambda _: [])  # the other looked before
    with pytest.raises(BadInput, match="another process is writing"):
        lock(resolve_path(url))
    held.release()


def test_a_lease_that_is_not_renewed_ends_and_its_holder_stops(url, monkeypatch):
    monkeypatch.setattr(storage, "LEASE_S", 0.2)
    dead = RunFolder(url)
    entered = dead.writing()
    entered.__enter__()
    dead.commit(as_table([row("a")]))
    time.sleep(0.3)
    later = RunFolder(url)
    with later.writing():
        monkeypatch.setattr(storage, "LEASE_S", 60)
        with pytest.raises(StoreLost, match="could not be renewed"):
            dead.commit(as_table([row("b")]))
    assert ids(later) == ["a"]


def test_a_lease_is_renewed_and_a_later_attempt_is_noticed(url, monkeypatch):
    monkeypatch.setattr(storage, "RENEWAL_INTERVAL_S", 0.01)
    held = lock(resolve_path(url))
    path = resolve_path(url) / LEASES / "0001.json"
    first = held._until
    wait_until(lambda: json.loads(path.fs.cat_file(path.path))["until"] > first)
    (resolve_path(url) / LEASES / "0002.json").write_text('{"owner": "another", "until": 0}')
    wait_until(lambda: held._lost)
    with pytest.raises(StoreLost, match="a later attempt"):
        held.check()
    held.release()


def test_a_hiccup_is_waited_out_and_a_refusal_is_one_line(url, monkeypatch):
    monkeypatch.setattr(storage, "RETRY_DELAYS_S", (0, 0))
    path = resolve_path(url) / "x"
    put, failing = path.fs.pipe_file, [OSError("500"), OSError("503")]

    def sometimes(*given, **options):
        if failing:
            raise failing.pop()
        return put(*given, **options)

    monkeypatch.setattr(path.fs, "pipe_file", sometimes)
    with atomic_write(path) as handle:
        handle.write(b"text")
    assert path.read_bytes() == b"text"
    failing.extend([OSError("500")] * 3)
    with pytest.raises(StoreLost, match="x: can't be written: 500"), atomic_write(path) as handle:
        handle.write(b"other")
    assert path.read_bytes() == b"text"


def test_replies_outlive_the_machine_that_asked(url):
    reply = Reply("text", "stop", 1, 2, 0.5, 0.1, 1)
    first = ReplyStore(resolve_path(url) / REPLIES)
    first.put([("a", reply)])
    first.flush()
    first.put([("b", reply)])
    first.flush()
    first.flush()  # nothing new: no object
    assert len(list((resolve_path(url) / REPLIES).iterdir())) == 2
    second = ReplyStore(resolve_path(url) / REPLIES)
    assert all(key in second.known() for key in "ab")
    assert second.get("b") == reply
    assert second.cost_usd == 1.0


def test_the_log_of_a_run_goes_on_where_the_attempt_before_ended(url):
    for event in ("first", "second"):
        log = RunLog(resolve_path(url))
        log.add({"time": "now", "level": "info", "event": event})
        log.flush()
    lines = [
        json.loads(line) for line in (resolve_path(url) / "log.jsonl").read_text().splitlines()
    ]
    assert [(line["run"], line["event"]) for line in lines] == [(url, "first"), (url, "second")]


def test_a_log_is_put_by_itself_soon_after_a_line(url, monkeypatch):
    monkeypatch.setattr(runlog, "UPLOAD_INTERVAL_S", 0.01)
    RunLog(resolve_path(url)).add({"time": "now", "level": "info", "event": "alone"})
    wait_until((resolve_path(url) / "log.jsonl").exists)


def test_fresh_deletes_the_rows_and_keeps_the_replies(url):
    folder = RunFolder(url)
    with folder.writing():
        folder.commit(as_table([row("a")]))
        folder.write_json("manifest.json", {})
        folder.write_dataset("")
    (folder.path / REPLIES / "x.jsonl.gz").write_bytes(b"")
    clear(url, keeping=(REPLIES,))
    assert {entry.name for entry in resolve_path(url).iterdir()} == {LEASES, REPLIES}
    (resolve_path(url) / "thesis.tex").write_text("years of work")
    with pytest.raises(BadInput, match="not a run folder"):
        clear(url)


def test_report_and_export_read_a_url(url, tmp_path, capsys):
    folder = RunFolder(url)
    with folder.writing():
        folder.commit(as_table([row("a", query="How far?")]))
        folder.write_json("manifest.json", {"requested": 1})
        assert folder.write_dataset("") == 1
    with pytest.raises(SystemExit, match="0"):
        main(["report", url])
    assert "<html" in (folder.path / "report.html").read_text()
    with pytest.raises(SystemExit, match="0"):
        main(["export", url, "--format", "openai", "--out", str(tmp_path)])
    assert "1 examples" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("s3://no-such-bucket/run", "s3://no-such-bucket/run: not writable"),
        ("gopher://host/run", "gopher"),
        ("/proc/run", "/proc/run: not writable"),
    ],
)
def test_an_output_that_cant_be_written_is_one_line_and_exit_code_2(server, out, said, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["run", "configs/quickstart.yaml", "--out", out])
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def wait_until(holds):
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
