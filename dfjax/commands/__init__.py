"""The subcommands of `python -m dfjax`."""
