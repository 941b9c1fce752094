#!/usr/bin/env bash
# One would guess: where orbax saves a state without an error, it can restore it, whatever the folder is
# called.
# What happens: below a folder whose name has brackets, such as "run [2]", saving ends well, with no more
# than a logged warning that a merge was skipped: the parts that are to be merged are looked for by a glob
# pattern that begins with the path, which its own name does not match. Restoring raises a ValueError, also
# when the folder has been renamed. So it shows only when a run is to be resumed.
# Version: orbax-checkpoint 0.12.8, jax 0.10.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 orbax-checkpoint==0.12.8
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

print("orbax-checkpoint", ocp.__version__, "jax", jax.__version__)
state = {"weights": np.arange(4, dtype=np.float32)}


def restored(folder: Path) -> str:
    arguments = ocp.args.StandardRestore(jax.tree.map(ocp.utils.to_shape_dtype_struct, state))
    with ocp.CheckpointManager(folder) as manager:
        assert manager.all_steps() == [1]
        try:
            found = manager.restore(1, args=arguments)
        except Exception as error:
            return f"raises {type(error).__name__}"
    return "restored" if (found["weights"] == state["weights"]).all() else "other numbers"


root = Path(sys.argv[1])
outcomes = {}
for name in ("run 2", "run [2]"):
    with ocp.CheckpointManager(root / name) as manager:
        manager.save(1, args=ocp.args.StandardSave(state))
        manager.wait_until_finished()
    outcomes[name] = restored(root / name)
(root / "run [2]").rename(root / "renamed")
outcomes["run [2], renamed"] = restored(root / "renamed")
for name, outcome in outcomes.items():
    print(f"{name}: {outcome}")
kinds = [outcome.split()[0] for outcome in outcomes.values()]
assert kinds == ["restored", "raises", "raises"], "it behaves otherwise now"
PYTHON
