"""Data sets: from the folders that people have to typed rows of face clips."""
