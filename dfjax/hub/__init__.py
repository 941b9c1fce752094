"""Publishes to the Hugging Face Hub: checks what is to be sent, and sends it in one commit.

`model` and `space` each build a complete folder from known files only and load it back, `dataset`
checks a prepared data set in place, and `push` sends the files.
"""
