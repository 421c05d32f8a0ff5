"""A folder on the Hugging Face Hub."""

from pathlib import Path

from huggingface_hub import HfApi

from apigen_ray.errors import BadInput


def push(folder: Path, repo: str) -> str:
    """Upload a folder as a data set, which is private if it is new; return its address.

    The token is that of `hf auth login`, or in $HF_TOKEN.

    Raises:
        BadInput: if the Hub refuses it, or can't be reached.
    """
    hub = HfApi()
    try:
        address = hub.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
        hub.upload_folder(repo_id=address.repo_id, repo_type="dataset", folder_path=folder)
    except Exception as error:  # the hub client and its HTTP library raise a dozen types here
        raise BadInput(f"--push {repo}: {str(error).splitlines()[0]}") from error
    return str(address)
