"""How XLA compiles a program sooner, where it runs but a few times, on small pictures."""

COMPILE_SOON = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
"""Options of `jax.jit` with which it takes a fifth of the time, at the cost of some digits.

At this level, XLA takes twice as long with its fusion emitters as without them.
"""

COMPILE_SOON_FLAGS = " ".join(f"--{name}={int(value)}" for name, value in COMPILE_SOON.items())
"""The same for `XLA_FLAGS`."""
