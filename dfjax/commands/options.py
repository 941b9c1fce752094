"""What commands ask of their own options."""

from collections.abc import Sequence

from dfjax.errors import DfjaxError


def given(command: object, names: Sequence[str]) -> list[str]:
    """Returns those options that have another value than their default, as they are typed.

    Args:
      command: A dataclass whose fields are the options.
      names: Of the fields.
    """
    changed = [name for name in names if getattr(command, name) != getattr(type(command), name)]
    return [f"--{name.replace('_', '-')}" for name in changed]


def require_switch(command: object, names: Sequence[str], switch: str) -> None:
    """Checks that options that have an effect with a switch alone are not given without it.

    Raises:
      DfjaxError: They are.
    """
    options = given(command, names)
    if options and not getattr(command, switch):
        does = "does" if len(options) == 1 else "do"
        raise DfjaxError(f"{' and '.join(options)} {does} nothing without --{switch}. Add it.")
