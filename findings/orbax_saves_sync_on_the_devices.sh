#!/usr/bin/env bash
# One would guess: processes that save a state with orbax wait for each other by the coordination
# service of jax.distributed, which orbax has barriers for, and leave the devices to the training step.
# What happens: unless the processes are named, each barrier is JAX's `sync_global_devices`: an exchange
# between all devices, 26 of them in three asynchronous saves. With Gloo, on CPUs that have too much to
# do, we saw runs end with "sync_global_devices name mismatch" while steps were still being computed.
# With MultiprocessingOptions(active_processes={0, 1}) there is no exchange between the devices at all.
# (orbax then does not make the root folder: `create=True` raises.)
# Version: orbax-checkpoint 0.12.8, jax 0.10.2, on CPUs with Gloo. Source: `sync_global_processes` in
# orbax/checkpoint/_src/multihost/multihost.py.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  jax==0.10.2 orbax-checkpoint==0.12.8

cat >"$folder/save.py" <<'PYTHON'
import sys

import jax
import numpy as np
from jax.experimental import multihost_utils

address, number, named, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "named", sys.argv[4]
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(address, 2, number)
import orbax.checkpoint as ocp

calls = []
sync = multihost_utils.sync_global_devices


def counted(name):
    calls.append(name)
    return sync(name)


multihost_utils.sync_global_devices = counted
more = {}
if named:
    processes = ocp.options.MultiprocessingOptions(active_processes={0, 1})
    more = {"multiprocessing_options": processes, "create": False}
mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
state = {"x": jax.make_array_from_callback((4,), everywhere, lambda _: np.zeros(4, np.float32))}
options = ocp.CheckpointManagerOptions(enable_async_checkpointing=True, **more)
with ocp.CheckpointManager(folder, options=options) as manager:
    for step in range(3):
        manager.save(step, args=ocp.args.StandardSave(state))
if number == 0:
    print("\ncounted", len(calls))
PYTHON

save() {
  local port out
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  mkdir "$folder/$1"
  "$folder/venv/bin/python" "$folder/save.py" "127.0.0.1:$port" 1 "$1" "$folder/$1" >/dev/null 2>&1 &
  out=$("$folder/venv/bin/python" "$folder/save.py" "127.0.0.1:$port" 0 "$1" "$folder/$1" 2>/dev/null | sed -n 's/^counted //p')
  wait
  echo "$out"
}

default=$(save default)
named=$(save named)
echo "orbax-checkpoint 0.12.8, jax 0.10.2"
echo "exchanges between the devices in three saves: $default; with the processes named: $named"
[[ $default -gt 0 && $named -eq 0 ]]
