"""Turns data sets on disk into the face clips that training and evaluation read; on the host."""
