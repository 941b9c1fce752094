"""Composed videos: do verdicts hold for many faces, cuts and length, and is a short fake found?

They are put together from the scored clips of the split, each with faces of different people: calls
with several faces side by side, one person after the other, and one person for minutes, in whom a
stretch is replaced by the same moments of the person's own fake. What a file would add to this,
finding and following the faces, is left out.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dfjax.config import CalibrationConfig
from dfjax.evaluation.bootstrap import Draws
from dfjax.evaluation.estimates import MIN_GROUPS, Estimate
from dfjax.evaluation.studies.composed_videos import (
    SHOT,
    ComposedVideo,
    call,
    in_stretch,
    montage,
    one_fake,
    people_of,
    whole_fake,
)
from dfjax.evaluation.studies.study import Study, StudyContext
from dfjax.evaluation.tables import cell, table
from dfjax.inference.evidence import evidence_of, named_stretch, video_logit
from dfjax.inference.probabilities import probabilities
from dfjax.prediction import Decision
from dfjax.video.sampling import GRID_SECONDS

DURATIONS = (5.0, 60.0, 600.0)  # seconds
FACES = (1, 2, 4, 6)
STRETCHES = (1.0, 2.0, 4.0, 8.0)  # seconds, of `HOSTS`
HOSTS = (60.0, 300.0)  # seconds
NUM_VIDEOS = 200
"""Videos composed for each row of the tables."""


@dataclasses.dataclass(frozen=True)
class _Outcome:
    called_fake: bool
    names_the_face: bool
    overlap: float | None  # intersection over union of the stretch found and the true one


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComposedStudy(Study):
    """Error rates of verdicts on composed videos, and how well a short fake is found in them."""

    name = "composed"
    optional = True
    num_videos: int = NUM_VIDEOS
    seed: int = 0

    def measure(self, context: StudyContext) -> dict[str, Any]:
        """Returns the rates.

        Returns:
          `people`, `pairs`, `videos`: how many real people and pairs of a clip and its fake there
          are, and how many videos were composed for a row. `false_positives`: per duration and
          number of faces, of real people. `montages`: the same for one person after the other.
          `whole`: how often the fakes are called fake as they are. `stretches`: per duration of the
          video and of the stretch, how often it was called fake, and the overlap where a stretch
          was named. `one_of_many`: per number of faces of which one is fake, how often it was
          called fake, and how often that face had the highest score.
        """
        calibration = context.calibration
        people = people_of(context.scored, calibration)
        pairs = {
            group: [person for person in clips if person.fakes]
            for group, clips in people.items()
            if any(person.fakes for person in clips)
        }
        measured = _Measured(calibration, self.num_videos, self.seed)

        def rates(videos: Sequence[ComposedVideo]) -> dict[str, Any]:
            return {"called_fake": measured.share(videos, lambda outcome: outcome.called_fake)}

        whole = Estimate.absent("no real clip has a fake of it").to_json()
        if pairs:
            alone = measured.compose(lambda rng: whole_fake(pairs, rng))
            whole = measured.share(alone, lambda outcome: outcome.called_fake)
        return {
            "people": len(people),
            "pairs": len(pairs),
            "videos": self.num_videos,
            "grid_seconds": GRID_SECONDS,
            "false_positives": [
                {
                    "seconds": seconds,
                    "faces": faces,
                    **rates(
                        measured.compose(lambda rng, f=faces, s=seconds: call(people, f, s, rng))
                    ),
                }
                for seconds in DURATIONS
                for faces in FACES
                if faces <= len(people)
            ],
            "montages": [
                {
                    "shots": shots,
                    **rates(measured.compose(lambda rng, n=shots: montage(people, n, rng))),
                }
                for shots in (4, 12)
                if shots <= len(people)
            ],
            "whole": whole,
            "stretches": [
                {
                    "seconds": seconds,
                    "stretch": stretch,
                    **measured.stretches(
                        measured.compose(
                            lambda rng, s=seconds, n=stretch: in_stretch(pairs, s, n, rng)
                        )
                    ),
                }
                for seconds in HOSTS
                for stretch in STRETCHES
                if pairs
            ],
            "one_of_many": [
                {
                    "faces": faces,
                    **measured.named(
                        measured.compose(lambda rng, f=faces: one_fake(people, pairs, f, rng))
                    ),
                }
                for faces in FACES[1:]
                if pairs and faces <= len(people)
            ],
        }

    def section(self, result: Mapping[str, Any], split: str) -> str:
        """Returns tables of the rates."""
        called = [
            [f"{row['seconds']:g} s", row["faces"], cell(row["called_fake"])]
            for row in result["false_positives"]
        ]
        called += [
            [
                f"{row['shots'] * SHOT:g} s, a cut every {SHOT:g} s",
                row["shots"],
                cell(row["called_fake"]),
            ]
            for row in result["montages"]
        ]
        found = [
            [
                f"{row['stretch']:g} s of {row['seconds']:g} s",
                cell(row["called_fake"]),
                cell(row["overlap"]),
            ]
            for row in result["stretches"]
        ]
        found.insert(0, ["the fakes as they are", cell(result["whole"]), ""])
        named = [
            [row["faces"], cell(row["called_fake"]), cell(row["named"])]
            for row in result["one_of_many"]
        ]
        intro = (
            f"Put together from clips of {result['people']} groups of real people on the {split} "
            f"split, and fakes of {result['pairs']} of them: {result['videos']} videos a row, with "
            f"a burst of frames at least every {result['grid_seconds']:g} seconds. Finding and "
            "following faces is not part of it."
        )
        return f"""## Composed videos

{intro}

{table(["real videos of", "faces", "called fake"], called)}

{table(["fake is", "called fake", "overlap of the stretch named with the true one"], found)}

{table(["faces, one of them fake", "called fake", "that face has the highest score"], named)}"""


class _Measured:
    """Composes videos, and measures what the model says about them."""

    def __init__(self, calibration: CalibrationConfig, num_videos: int, seed: int):
        self._calibration, self._num_videos, self._seed = calibration, num_videos, seed
        self._decision = Decision.from_calibration(calibration)

    def compose(self, make: Callable[[np.random.Generator], ComposedVideo]) -> list[ComposedVideo]:
        """Returns videos that `make` composes, given a generator of random numbers."""
        return [make(np.random.default_rng((self._seed, n))) for n in range(self._num_videos)]

    def share(
        self, videos: Sequence[ComposedVideo], says: Callable[[_Outcome], bool]
    ) -> dict[str, Any]:
        """Returns the share of the videos of whose outcome `says` is true."""
        outcomes = [self._outcome(video) for video in videos]
        return _mean(videos, [float(says(outcome)) for outcome in outcomes]).to_json()

    def named(self, videos: Sequence[ComposedVideo]) -> dict[str, Any]:
        """Returns how often one fake face makes a video fake, and is named."""
        return {
            "called_fake": self.share(videos, lambda outcome: outcome.called_fake),
            "named": self.share(videos, lambda outcome: outcome.names_the_face),
        }

    def stretches(self, videos: Sequence[ComposedVideo]) -> dict[str, Any]:
        """Returns how often a stretch is found, and how well."""
        outcomes = [self._outcome(video) for video in videos]
        named = [
            (video, outcome.overlap)
            for video, outcome in zip(videos, outcomes, strict=True)
            if outcome.overlap is not None
        ]
        overlap = Estimate.absent("no stretch was named")
        if named:
            overlap = _mean([video for video, _ in named], [value for _, value in named])
        called = [float(outcome.called_fake) for outcome in outcomes]
        return {
            "called_fake": _mean(videos, called).to_json(),
            "named": len(named),
            "overlap": overlap.to_json(),
        }

    def _outcome(self, video: ComposedVideo) -> _Outcome:
        calibration = self._calibration
        evidence = [evidence_of(face, calibration) for face in video.faces]
        probability = float(probabilities(video_logit(evidence, calibration)))
        highest = int(np.argmax([face.logit for face in evidence]))
        overlap = None
        if video.fake is not None and video.stretch is not None:
            named = named_stretch(evidence[video.fake], calibration)
            if named is not None:
                times = video.faces[video.fake].timestamps
                overlap = _overlap(named.stretch.between(times), video.stretch)
        return _Outcome(
            called_fake=self._decision.label(probability) == "fake",
            names_the_face=highest == video.fake,
            overlap=overlap,
        )


def _overlap(found: tuple[float, float], true: tuple[float, float]) -> float:
    """Returns the intersection of two stretches of time over their union."""
    common = max(0.0, min(found[1], true[1]) - max(found[0], true[0]))
    return common / (found[1] - found[0] + true[1] - true[0] - common)


def _mean(videos: Sequence[ComposedVideo], values: Sequence[float]) -> Estimate:
    """Returns the mean over videos, with an interval over the people in them.

    In a bootstrap draw, a video counts once, and once more or less for each time that one of its
    people was drawn more often or less often than once. As often as all of its people were drawn
    together would be exact; but with several in a video, hardly any draw has one. People in one
    video are no independent trials, so that many fewer of these are counted.

    Source: after Hoeffding, A class of statistics with asymptotically normal distribution, 1948:
    the projection of a mean over sets of people onto the single ones.
    """
    names = sorted({group for video in videos for group in video.groups})
    value = float(np.mean(values))
    together = max(len(video.groups) for video in videos)
    if len(names) // together < MIN_GROUPS:
        reason = f"the videos show {len(names)} groups of identities"
        return Estimate(value, reason=reason + (f", {together} in one" if together > 1 else ""))
    place = {name: number for number, name in enumerate(names)}
    counts = Draws.of(names).counts
    weights = np.stack(
        [
            1 + (counts[:, [place[group] for group in video.groups]] - 1).sum(axis=1)
            for video in videos
        ],
        axis=1,
    )
    drawn = value + weights @ (np.array(values) - value) / len(videos)
    return Estimate.of_share(value, drawn, len(names) // together)
