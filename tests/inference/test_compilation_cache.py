"""Where JAX keeps what it has compiled."""

import os
import subprocess
import sys

from dfjax.inference.compilation_cache import use_compilation_cache

FOLDER = "JAX_COMPILATION_CACHE_DIR"


def test_it_is_in_the_users_own_cache_unless_the_user_says_otherwise(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", {"XDG_CACHE_HOME": str(tmp_path)})
    use_compilation_cache()
    assert os.environ[FOLDER].startswith(str(tmp_path / "dfjax" / "jax-"))
    os.environ[FOLDER] = "elsewhere"
    use_compilation_cache()
    assert os.environ[FOLDER] == "elsewhere"


def test_a_cache_that_cannot_be_written_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(os, "environ", {"XDG_CACHE_HOME": str(tmp_path / "file")})
    use_compilation_cache()
    assert FOLDER not in os.environ


def test_a_cache_in_a_folder_that_may_not_be_searched_is_left_alone(tmp_path):
    code = (
        "import os, sys\n"
        "from dfjax.inference.compilation_cache import use_compilation_cache\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"  # root may search any folder
        "use_compilation_cache()\n"
        "print(os.environ.get('JAX_COMPILATION_CACHE_DIR'))"
    )
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    environment = {name: value for name, value in os.environ.items() if name != FOLDER}
    environment["XDG_CACHE_HOME"] = str(closed / "cache")
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "None", done.stderr


def test_what_is_compiled_is_kept(tmp_path):
    code = (
        "from dfjax.inference.compilation_cache import use_compilation_cache\n"
        "use_compilation_cache()\n"
        "import jax\n"
        "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)\n"
        "jax.jit(lambda x: x + 1)(1.0)"
    )
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("JAX_")},
        "JAX_PLATFORMS": "cpu",
        "XDG_CACHE_HOME": str(tmp_path),
    }
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "dfjax").glob("jax-*/*"))
