"""What is packed as tool code, and what is refused."""

from pathlib import Path

import pytest

from apigen_ray.errors import BadInput
from apigen_ray.stages.execute.sandbox import ToolCode, pack, toolcode


@pytest.fixture
def package(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    (root / "data" / ".git").mkdir(parents=True)
    (root / "__pycache__").mkdir()
    (root / "__init__.py").write_text("")
    (root / "prices.py").write_text("def price(): return 1")
    (root / "data" / "prices.csv").write_text("1,2")
    (root / "data" / ".git" / "config").write_text("hidden")
    (root / ".env").write_text("KEY=secret")
    (root / "__pycache__" / "prices.pyc").write_text("compiled")
    return root


def test_a_package_keeps_its_name_modules_and_data(package: Path) -> None:
    code = pack([package], {"price": ("shop.prices", "price")})
    assert set(code.files) == {"shop/__init__.py", "shop/prices.py", "shop/data/prices.csv"}
    assert code.files["shop/data/prices.csv"] == b"1,2"


def test_a_file_is_a_module(package: Path) -> None:
    code = pack([package / "prices.py"], {"price": ("prices", "price")})
    assert set(code.files) == {"prices.py"}


def test_links_out_of_the_package_are_left_out(package: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (package / "leak.txt").symlink_to(tmp_path / "secret.txt")
    (package / "inside.csv").symlink_to(package / "data" / "prices.csv")
    files = pack([package], {}).files
    assert "shop/leak.txt" not in files
    assert files["shop/inside.csv"] == b"1,2"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("json.py", "standard library"),
        ("not-a-name.py", "can't be the name"),
        ("class.py", "can't be the name"),
        ("missing.py", "no such file"),
    ],
)
def test_a_root_that_can_not_be_imported_is_refused(
    tmp_path: Path, name: str, complaint: str
) -> None:
    if complaint != "no such file":
        (tmp_path / name).write_text("")
    with pytest.raises(BadInput, match=complaint):
        pack([tmp_path / name], {})


@pytest.mark.parametrize(
    ("module", "function", "complaint"),
    [
        ("os", "system", "not in the tool code"),
        ("shop.missing", "price", "not in the tool code"),
        ("../shop", "price", "not in the tool code"),
        ("shop.prices", "__import__", "can't be a tool's function"),
    ],
)
def test_a_function_must_be_in_the_code(
    package: Path, module: str, function: str, complaint: str
) -> None:
    with pytest.raises(BadInput, match=complaint):
        pack([package], {"tool": (module, function)})


def test_two_roots_may_not_hide_each_other(package: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "prices.py"
    other.parent.mkdir()
    other.write_text("")
    with pytest.raises(BadInput, match="another tool source"):
        pack([package / "prices.py", other], {})


def test_too_much_code_is_refused(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolcode, "MAX_BYTES", 10)
    with pytest.raises(BadInput, match="limited"):
        pack([package], {})


@pytest.mark.parametrize("path", ["../evil.py", "/etc/evil", "a/../../evil"])
def test_unpacking_stays_in_its_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadInput, match="leaves its folder"):
        toolcode.write(ToolCode({path: b""}, {}), tmp_path / "tools")
