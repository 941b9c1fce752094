"""Sends a folder of small files as if it were a model."""

from pathlib import Path

from dfjax.hub.model import MODEL_OWNED
from dfjax.hub.push import push_folder

REPO_ID = "owner/tiny"
CARD = b"---\nlicense: mit\n---\n"


def send(folder: Path, repo_id: str = REPO_ID, **options) -> str:
    files = sorted(path.name for path in folder.iterdir())
    return push_folder(folder, files, repo_id, "model", owned=MODEL_OWNED, **options)
