"""The choice of how closely to look, in each tab that checks files."""

from typing import Any, get_args

import gradio as gr

from dfjax.video.sampling import Effort
from dfjax.words import words


def effort_choice(*, is_offered: bool, **settings: Any) -> gr.Radio:
    """Adds the choice to the page that is being built.

    Args:
      is_offered: Whether the model can look more or less closely.
      settings: Gradio's, such as `elem_id`.
    """
    return gr.Radio(
        [(words.page.efforts[effort], effort) for effort in get_args(Effort)],
        value="standard",
        label=words.page.effort,
        info=words.page.effort_info,
        visible=is_offered,
        **settings,
    )
