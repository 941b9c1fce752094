"""Finds faces in frames, follows them, and cuts a clip of crops out for each."""
