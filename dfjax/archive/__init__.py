"""Scores whole archives: folders and buckets of files, in processes or on a Ray cluster."""
