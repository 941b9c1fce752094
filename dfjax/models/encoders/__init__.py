"""Encoders: from a picture of a face to features."""
