"""What is measured beside the figures of a split: each study in a file of its own."""
