import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dfjax import compiler_options as module
from dfjax.compiler_options import compiler_options


@pytest.fixture(autouse=True)
def asked_anew():
    compiler_options.cache_clear()
    yield
    compiler_options.cache_clear()


def convolved(pictures: jax.Array, kernel: jax.Array) -> jax.Array:
    dimensions = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        pictures, kernel, (1, 1), "SAME", dimension_numbers=dimensions
    )


def test_convolutions_on_a_cpu_are_not_handed_to_ynnpack():
    inputs = jnp.ones((8, 16, 16, 32)), jnp.ones((3, 3, 32, 32))
    asked = jax.jit(convolved, compiler_options=compiler_options())
    assert "ynn_fusion" not in str(asked.lower(*inputs).compile().as_text())
    np.testing.assert_allclose(asked(*inputs), jax.jit(convolved)(*inputs), rtol=1e-6)


def test_what_the_user_asks_of_xla_goes_first(monkeypatch: pytest.MonkeyPatch):
    assert compiler_options()
    compiler_options.cache_clear()
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_experimental_ynn_fusion_type=")
    assert compiler_options() == {}


def test_an_xla_without_the_option_compiles_as_it_likes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_FUSIONS", "xla_cpu_of_another_version")
    assert compiler_options() == {}


def test_other_devices_are_asked_for_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert compiler_options() == {}
