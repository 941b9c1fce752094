"""A model's results next to published ones, each with the data it was measured on."""

from collections.abc import Mapping
from typing import Any

from dfjax.data.sources import title
from dfjax.evaluation.tables import Markdown, cell, table
from dfjax.reporting.recorded import Recorded

_HEADER = ("detector", "trained on", "measured on", "figure", "source")

_SBI = "Self-blended images (Shiohara and Yamasaki, CVPR 2022), EfficientNet-B4"
_SBI_SOURCE = "[README of its code](https://github.com/mapooon/SelfBlendedImages), weights for c23"
_GEND = "GenD (Yermakov et al., 2025), a large vision transformer"
_GEND_SOURCE = (
    "[arXiv 2508.06248](https://arxiv.org/abs/2508.06248), as listed by wizwand.com; the paper's "
    "own table was not available"
)

PUBLISHED = (
    (_SBI, "real videos of FaceForensics++ c23", "Celeb-DF 2, test", "AUC 0.929", _SBI_SOURCE),
    (_SBI, "the same", "DFDC, test", "AUC 0.720", _SBI_SOURCE),
    (
        _SBI,
        "real videos of FaceForensics++ raw",
        "FaceForensics++ **raw**, test, 4 methods",
        "AUC 0.996",
        "the paper, [arXiv 2204.08376](https://arxiv.org/abs/2204.08376)",
    ),
    (_GEND, "FaceForensics++ c23", "Celeb-DF 2, test", "AUC 0.96", _GEND_SOURCE),
    (_GEND, "the same", "DFDC, test", "AUC 0.871", _GEND_SOURCE),
    (
        "[Streamlit and Keras app](https://github.com/abhinavyy/deepfake_model), ResNet-50, LSTM",
        "DFDC sample, 323 fake and 77 real videos",
        "12,000 frames of the same videos: split by frame, so no frame is of an unseen video",
        "accuracy 0.81; calling every frame fake gives 0.814 there",
        "its README and notebook",
    ),
    (
        "[Keras app](https://github.com/RishiPratap/Deep-fake-Detection-app), ResNet and LSTM",
        "FaceForensics++, 3,000 videos according to its README",
        "200 videos; its README does not say how they were selected",
        "accuracy 0.995",
        "its README",
    ),
)
"""Results reported by others. None was measured here, or on the videos of this model."""


def results_table(evaluation: Mapping[str, Any]) -> str:
    """Returns a table of a model's figures and the published ones.

    The model card shows it, and the project's README shows the one of `checkpoint/`.

    Args:
      evaluation: The report from `evaluate`.

    Raises:
      ModelFormatError: A figure is missing.
    """
    figures = Recorded(evaluation, file="report.json").at("figures")
    rows = []
    for row in figures.rows("per_compression"):
        real, fake, groups = (row.count(key) for key in ("real", "fake", "groups"))
        if real and fake:
            setting = f"{title(row.text('dataset'))} {row.text('compression')}".strip()
            rows.append(
                (
                    Markdown("**dfjax**"),
                    "see its card",
                    f"{setting}, {figures.text('split')}: {real} real, {fake} fake, "
                    f"{groups} groups of identities",
                    f"AUC {cell(row.figure('auc'))}",
                    Markdown("its `report.json`"),
                )
            )
    return table(_HEADER, [*rows, *([*map(Markdown, row)] for row in PUBLISHED)])
