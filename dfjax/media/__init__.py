"""Video files, faces, face tracks and face crops: numpy in, numpy out."""
