"""The Hugging Face Hub: what is published, checked before it leaves, and sent in one commit.

`model` and `space` each build a whole folder from known files only and load it back; `push` sends
it; `card` writes the model card from what training recorded.
"""
