"""Models of others on the Hub: found by their names, and read without running their code."""

import json
from pathlib import Path

from dfjax.encoder_config import CLIPConfig
from dfjax.train_config import PUBLISHED_ENCODERS
from tests.hub.loopback_hub import LoopbackHub
from tests.hub.loopback_repo import Commit, File, Repo
from tests.hub.processes import run_python
from tests.models.clip_files import write_clip
from tests.models.gend_files import write_gend

GEND = "yermandy/GenD_CLIP_L_14"
SHAPE = CLIPConfig(
    image_size=32, patch_size=8, hidden_size=24, num_layers=1, num_heads=2, mlp_size=40
)

LOAD = """\
import json, sys
from pathlib import Path
from dfjax.commands.calibrate import Calibrate
from dfjax.errors import DfjaxError
from dfjax.json_values import to_json_value
from dfjax.models.encoders import load_encoder
from dfjax.predictor import Predictor
from train import Arguments

gend, cache = sys.argv[1:]
predictor = Predictor.from_pretrained(gend)
short = Arguments(data=("none",), out=Path("none"), encoder="clip-l14")
(name,) = short.starting_weights()
try:
    Calibrate(model=gend, data=("none",)).run()
except DfjaxError as error:
    refusal = str(error)
print(json.dumps({
    "id": predictor.model.id,
    "type": predictor.config.encoder.type,
    "clip": to_json_value(load_encoder(name).config),
    "files": sorted(path.name for path in Path(cache).rglob("*") if path.is_symlink()),
    "refusal": refusal,
}))
"""


def publish(hub: LoopbackHub, repo_id: str, folder: Path) -> None:
    """Puts a folder on the Hub, with a file of code beside it that must not be fetched."""
    repo = Repo("model", repo_id, private=False)
    files = {path.name: File(path.read_bytes(), False) for path in folder.iterdir()}
    code = {"modeling_gend.py": File(b"raise SystemExit", False)}
    repo.add("main", Commit("theirs", repo.refs["main"], {**repo.files(), **files, **code}))
    hub.repos["model", repo_id] = repo


def test_gend_and_clip_are_read_from_the_hub_by_name_and_their_code_is_not_fetched(hub, tmp_path):
    publish(hub, GEND, write_gend(tmp_path / "gend"))
    publish(hub, PUBLISHED_ENCODERS["clip-l14"], write_clip(tmp_path / "clip", SHAPE))
    home = tmp_path / "home"
    done = run_python("-c", LOAD, GEND, home, hub=hub, home=home)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["id"] == GEND and found["type"] == "clip"
    assert found["clip"]["hidden_size"] == SHAPE.hidden_size
    assert set(found["files"]) == {"config.json", "model.safetensors"}
    assert "is on the Hugging Face Hub. Give --out" in found["refusal"]
