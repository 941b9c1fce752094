"""From data sets on disk to face clips that training and evaluation read; on the host."""
