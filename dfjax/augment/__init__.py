"""What is done to clips on the accelerator while training: blends, cameras, codecs."""
