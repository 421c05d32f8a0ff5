"""Which kind of sandbox is chosen, and on which image it stands."""

import asyncio
import io
import pickle

import docker
import pytest
from sandboxes import benign_code, call, opened

from apigen_ray.errors import BadInput
from apigen_ray.records import CallResult, Returned
from apigen_ray.stages.execute.sandbox import SandboxSettings, choose_kind, ensure_image, opening
from apigen_ray.stages.execute.sandbox.image import RUNNER_FILES, host_root, runner_files


def no_engine() -> None:
    raise BadInput("no Docker engine answers")


@pytest.mark.docker
def test_auto_prefers_docker() -> None:
    assert choose_kind(SandboxSettings()) == ("docker", None)


@pytest.mark.parametrize(("bubblewrap", "expected"), [(True, "bubblewrap"), (False, "process")])
def test_auto_falls_back_and_says_what_is_weaker(
    monkeypatch: pytest.MonkeyPatch, bubblewrap: bool, expected: str
) -> None:
    monkeypatch.setattr(opening, "connect", no_engine)
    monkeypatch.setattr(opening, "_bubblewrap_works", lambda: bubblewrap)
    kind, notice = choose_kind(SandboxSettings())
    assert kind == expected
    assert notice
    assert "\n" not in notice


def test_a_kind_that_was_asked_for_is_no_fallback() -> None:
    _, notice = choose_kind(SandboxSettings(kind="process"))
    assert str(notice).startswith("sandbox: process: calls can read this machine's files")


@pytest.mark.docker
def test_what_was_chosen_is_not_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An actor is handed the kind and the image; another node may have others to choose from."""
    tag = ensure_image(SandboxSettings(base_image="host")).tag
    monkeypatch.setattr(opening, "choose_kind", None)
    monkeypatch.setattr("apigen_ray.stages.execute.sandbox.image._image_on", None)

    async def add() -> CallResult:
        settings = SandboxSettings(kind="docker", image=tag, slots=1)
        async with opened(settings) as sandbox:
            return await call(sandbox, "add", a=1, b=2)

    assert isinstance(asyncio.run(add()), Returned)


@pytest.mark.docker
def test_an_image_that_is_not_there_is_bad_input() -> None:
    with pytest.raises(BadInput, match="no image no/such:image"):
        ensure_image(SandboxSettings(image="no/such:image"))


@pytest.mark.parametrize("kind", ["docker", "bubblewrap", "sidecar"])
def test_a_kind_that_does_not_work_is_bad_input(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(opening, "connect", no_engine)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadInput):
        choose_kind(SandboxSettings.model_validate({"kind": kind}))


def test_settings_and_code_travel_by_pickle() -> None:
    code = benign_code()
    assert pickle.loads(pickle.dumps((SandboxSettings(), code))) == (SandboxSettings(), code)


@pytest.mark.docker
def test_an_image_is_built_once() -> None:
    settings = SandboxSettings(base_image="host")
    assert ensure_image(settings) == ensure_image(settings)
    assert ensure_image(settings).notice is None


@pytest.mark.docker
def test_a_base_that_can_not_be_pulled_is_replaced_with_a_notice() -> None:
    image = ensure_image(SandboxSettings(base_image="localhost:1/no/such:image"))
    assert image.tag == ensure_image(SandboxSettings(base_image="host")).tag
    assert "no/such" in str(image.notice)
    assert "\n" not in str(image.notice)


def test_the_copied_python_holds_the_runner_and_no_packages() -> None:
    root = host_root()
    for name in RUNNER_FILES:
        copied = (root / "opt/sandbox" / name).read_bytes()
        assert copied == (runner_files() / name).read_bytes()
    assert (root / "usr/local/bin/python3").is_symlink()
    assert not list(root.rglob("site-packages"))
    assert not [path for path in root.rglob("*") if path.name == "shadow"]


@pytest.mark.docker
async def test_an_image_whose_tmp_can_not_be_written_is_bad_input() -> None:
    """Docker gives what it mounts there the mode of the image's folder."""
    good = ensure_image(SandboxSettings(base_image="host")).tag
    dockerfile = f"""FROM {good}
USER 0
RUN ["python3", "-c", "import os; os.chmod('/tmp', 0o755)"]
"""
    client = docker.from_env()
    image, _ = client.images.build(fileobj=io.BytesIO(dockerfile.encode()), rm=True, forcerm=True)
    try:
        with pytest.raises(BadInput, match="sandbox: calls can't write to /tmp"):
            async with opened(SandboxSettings(kind="docker", image=str(image.id), slots=1)):
                pass
    finally:
        client.images.remove(str(image.id), force=True)
