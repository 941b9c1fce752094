"""The scores furthest from the truth, and what is unusual about those videos."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dfjax.evaluation.calibration import frozen_threshold
from dfjax.evaluation.scores import by_video, video_scores
from dfjax.evaluation.scoring import ScoredClip, main_faces
from dfjax.evaluation.studies.study import Study, StudyContext
from dfjax.evaluation.tables import table

NUM_EXAMPLES = 5
"""Number of videos listed per class."""

_RARE = 0.1
"""A property of a face is listed if it is in this extreme share of the split's videos."""


class WorstErrorsStudy(Study):
    """The real videos with the highest scores and the fakes with the lowest."""

    name = "mistakes"

    def measure(self, context: StudyContext) -> dict[str, Any]:
        """Returns the videos furthest from the truth.

        Args:
          context: The detector and its data.

        Returns:
          `real` and `fake`: up to `NUM_EXAMPLES` videos each, worst first, with `video`,
          `dataset`, `method`, `compression`, `probability_fake`, `is_wrong` at the frozen
          threshold, and `traits`, words for what is unusual about its main face in this split.
        """
        videos = video_scores(context.scored, context.calibration)
        clips = main_faces(context.scored)
        num_faces = [len(faces) for faces in by_video(context.scored).values()]
        traits = [
            [*words, *(["several faces"] if count > 1 else [])]
            for words, count in zip(_traits(clips), num_faces, strict=True)
        ]
        probabilities = videos.probabilities
        threshold = frozen_threshold(context.calibration)
        worst = {}
        for is_fake, label in enumerate(("real", "fake")):
            rows = np.flatnonzero(videos.is_fake == is_fake)
            distance = probabilities[rows] if label == "real" else -probabilities[rows]
            worst[label] = [
                {
                    "video": str(videos.videos[row]),
                    "dataset": str(videos.datasets[row]),
                    "method": str(videos.methods[row]),
                    "compression": str(videos.compressions[row]),
                    "probability_fake": round(float(probabilities[row]), 6),
                    "is_wrong": bool((probabilities[row] > threshold) != is_fake),
                    "traits": traits[row],
                }
                for row in rows[np.argsort(-distance, kind="stable")][:NUM_EXAMPLES]
            ]
        return worst

    def section(self, result: Mapping[str, Any], split: str) -> str:
        """Returns a table of these videos."""
        header = [
            "video",
            "label",
            "probability_fake",
            "misclassified",
            "unusual about its face",
        ]
        rows = [
            [
                example["video"],
                label,
                f"{example['probability_fake']:.3f}",
                "yes" if example["is_wrong"] else "no",
                ", ".join(example["traits"]),
            ]
            for label, examples in result.items()
            for example in examples
        ]
        return f"""## Furthest from the truth

The real videos with the highest scores and the fakes with the lowest. A property of the
face is listed if it is among the most extreme tenth of the split.

{table(header, rows)}"""


def _traits(clips: Sequence[ScoredClip]) -> list[list[str]]:
    """Returns, for each clip, words for the properties in which it is extreme."""
    if not clips:
        return []
    properties = (
        ("small face", "large face", [clip.face_size for clip in clips]),
        ("blurred", "very sharp or noisy", [clip.look.sharpness for clip in clips]),
        ("dark", "bright", [clip.look.brightness for clip in clips]),
        ("turned head", None, [_frontality(clip) for clip in clips]),
    )
    words: list[list[str]] = [[] for _ in clips]
    for low_word, high_word, values in properties:
        low, median, high = np.quantile(values, [_RARE, 0.5, 1 - _RARE])
        for row, value in enumerate(values):
            if value <= low and value < median:
                words[row].append(low_word)
            elif value >= high and value > median and high_word is not None:
                words[row].append(high_word)
    return words


def _frontality(clip: ScoredClip) -> float:
    """Returns eye distance over eye-to-mouth distance, which is smaller for turned heads."""
    landmarks = clip.row.landmarks.astype(np.float64)
    eyes, mouth = landmarks[:, :2].mean(axis=1), landmarks[:, 3:].mean(axis=1)
    apart = np.linalg.norm(landmarks[:, 1] - landmarks[:, 0], axis=1)
    below = np.maximum(np.linalg.norm(mouth - eyes, axis=1), 1.0)
    return float(np.median(apart / below))
