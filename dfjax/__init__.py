"""dfjax: a deepfake-video detector in JAX, as a Gradio app, a command line and a library."""
