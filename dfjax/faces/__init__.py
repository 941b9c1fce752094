"""Finds faces in frames, follows them, and cuts out a clip of crops for each."""
