"""Why a video got its answer, in words a reporter uses: from the facts of a prediction alone."""

import dataclasses
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dfjax import prediction_warnings
from dfjax.faces.crops import detail
from dfjax.prediction import Prediction, Segment, TrackScore
from dfjax.shown_numbers import clock, clocks, percent, threshold_percent
from dfjax.words import translated, words

FEW_FRAMES = 8
"""With fewer frames of any face, their number is a reason for doubt."""

_SOFT = 0.25
"""`faces.crops.detail` of a face under which it is called soft."""

_GREY = 4.0  # mean difference of the colour channels, of 255, under which crops are black and white

_DARK = 40.0  # mean brightness, of 255, under which crops are very dark

_CLOSE = 4.0  # seconds between looks, closer than which no effort looks (`sampling.GRID_SECONDS`)

_NEAR = 0.05  # distance from a threshold, or from one half, that hardly shows on the scale

_MOST_STRETCHES = 3  # that are named

_MOST_STEPS = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a video got its answer, and what to do with it. All are sentences of plain text."""

    findings: tuple[str, ...]  # which stretch, which face, how sure
    because: tuple[str, ...] = ()  # why it is uncertain, or why no face was found
    next_steps: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()  # of the prediction, in English, those not said in `because`


class _Reason(NamedTuple):
    """One reason why an answer is not plain."""

    sentence: str
    step: str
    warning: str | None = None  # that it repeats


# What in a warning makes it a reason for doubt, and the name of what to do about it.
_DOUBTS = (
    (prediction_warnings.SMALL, "do_sharper"),
    (prediction_warnings.TURNED, "do_upright"),
    (prediction_warnings.RARELY_SEEN, "do_longer"),
    (prediction_warnings.BLURRED, "do_sharper"),
    (prediction_warnings.CUT_OFF, "do_original_file"),
    (prediction_warnings.DAMAGED, "do_original_file"),
)


def explain(prediction: Prediction) -> Explanation:
    """Returns why a video got its answer.

    Args:
      prediction: Its crops, `clips`, are looked at too if they are there.
    """
    if prediction.probability_fake is None:
        reasons = list(_no_face(prediction))
        return _explanation(prediction, (), reasons, [])
    findings = (*_findings(prediction), _how_sure(prediction, prediction.probability_fake))
    if prediction.label == "fake":
        first = [words.reasons.do_stretch] if prediction.segments else []
        steps = [*first, words.reasons.do_source, words.reasons.do_others]
        return _explanation(prediction, findings, [], steps)
    if prediction.label == "real":
        return _explanation(prediction, findings, [], [words.reasons.do_context])
    if prediction.decision.is_withheld:
        return _explanation(prediction, findings[:-1], [], [words.reasons.do_source])
    reasons = [*_doubts(prediction)] or [_Reason(words.reasons.between, words.reasons.do_source)]
    return _explanation(
        prediction, findings, reasons, [words.reasons.do_source, words.reasons.do_others]
    )


def face_name(track: TrackScore, prediction: Prediction) -> str:
    """Returns what a face is called; where there are several, also where in the picture it is."""
    number = track.id + 1
    if len(prediction.tracks) < 2:
        return words.reasons.face.format(number=number)
    boxes = np.array([frame.box_xyxy for frame in track.frames], np.float64)
    middle = float(boxes[:, [0, 2]].mean()) / prediction.video.width
    where = (
        words.reasons.left
        if middle < 0.4
        else words.reasons.right
        if middle > 0.6
        else words.reasons.middle
    )
    return words.reasons.face_at.format(number=number, where=where)


def _explanation(
    prediction: Prediction,
    findings: tuple[str, ...],
    reasons: list[_Reason],
    steps: list[str],
) -> Explanation:
    said = {reason.warning for reason in reasons}
    wanted = dict.fromkeys([*(reason.step for reason in reasons), *steps])
    return Explanation(
        findings=findings,
        because=tuple(translated(reason.sentence) or reason.sentence for reason in reasons),
        next_steps=tuple(wanted)[:_MOST_STEPS],
        warnings=tuple(warning for warning in prediction.warnings if warning not in said),
    )


def _findings(prediction: Prediction) -> Iterator[str]:
    """Yields which faces look manipulated, and in which stretches."""
    heard = [track for track in prediction.tracks if track.left_out is None]
    top = max(heard, key=lambda track: track.probability_fake)
    segments = sorted(prediction.segments, key=lambda of: -of.probability_fake)
    if prediction.label == "fake":
        for segment in segments[:_MOST_STRETCHES]:
            yield _stretch(words.reasons.stretch, segment, prediction)
        if len(segments) > _MOST_STRETCHES:
            yield words.reasons.more_stretches.format(count=len(segments) - _MOST_STRETCHES)
        if top.id not in [segment.track for segment in segments]:
            yield _as_a_whole(top, prediction)
    elif prediction.label == "real":
        yield (
            _stretch(words.reasons.stretch_but_real, segments[0], prediction)
            if segments
            else words.reasons.no_stretch
            if prediction.video.duration > 0
            else words.reasons.no_face_suspicious
        )
    elif segments:
        yield _stretch(words.reasons.most_suspicious_part, segments[0], prediction)
    elif len(heard) > 1 and not prediction.decision.is_withheld:
        yield words.reasons.most_suspicious.format(
            face=face_name(top, prediction),
            percent=percent(top.probability_fake, prediction.decision),
        )


def _stretch(sentence: str, segment: Segment, prediction: Prediction) -> str:
    (track,) = [track for track in prediction.tracks if track.id == segment.track]
    start, end = clocks(segment.start, segment.end)
    return sentence.format(
        face=face_name(track, prediction),
        start=start,
        end=end,
        percent=percent(segment.probability_fake, prediction.decision),
    )


def _as_a_whole(track: TrackScore, prediction: Prediction) -> str:
    sentence = words.reasons.throughout if track.end > track.start else words.reasons.in_picture
    return sentence.format(
        face=face_name(track, prediction), start=clock(track.start), end=clock(track.end)
    )


def _how_sure(prediction: Prediction, probability: float) -> str:
    """Returns how far the answer is from being another one."""
    decision = prediction.decision
    fake, real = decision.fake_above, decision.real_below
    if prediction.label == "fake":
        clear = probability - fake > _NEAR
        sentence, threshold = (
            words.reasons.clearly_fake if clear else words.reasons.narrowly_fake,
            fake,
        )
    elif prediction.label == "real":
        clear = real - probability > _NEAR
        sentence, threshold = (
            words.reasons.clearly_real if clear else words.reasons.narrowly_real,
            real,
        )
    elif abs(probability - 0.5) < _NEAR:
        sentence, threshold = words.reasons.leans_neither, fake
    elif probability > 0.5:
        sentence, threshold = words.reasons.leans_fake, fake
    else:
        sentence, threshold = words.reasons.leans_real, real
    return sentence.format(
        percent=percent(probability, decision), threshold=threshold_percent(threshold)
    )


def _doubts(prediction: Prediction) -> Iterator[_Reason]:
    """Yields why the evidence of a video may point neither way."""
    for warning in prediction.warnings:
        if prediction_warnings.FAR_APART in warning:
            yield _Reason(warning, _look_again(prediction), warning)
        for part, step in _DOUBTS:
            if part in warning:
                yield _Reason(warning, words.reasons[step], warning)
    heard = [track for track in prediction.tracks if track.left_out is None]
    longest = max(len(track.frames) for track in heard)
    if prediction.video.duration <= 0:
        yield _Reason(words.reasons.still, words.reasons.do_recording)
    elif longest < FEW_FRAMES:
        yield _Reason(words.reasons.few_frames.format(count=longest), words.reasons.do_longer)
    top = max(heard, key=lambda track: track.probability_fake)
    low = min(heard, key=lambda track: track.probability_fake)
    decision = prediction.decision
    if low.probability_fake < decision.real_below and top.probability_fake > 0.5:
        yield _Reason(
            words.reasons.disagree.format(
                one=face_name(top, prediction),
                high=percent(top.probability_fake, decision),
                other=face_name(low, prediction),
                low=percent(low.probability_fake, decision),
            ),
            words.reasons.do_each_face,
        )
    if top.id in prediction.clips:
        yield from _picture_doubts(prediction.clips[top.id])


def _picture_doubts(crops: np.ndarray) -> Iterator[_Reason]:
    """Yields what in the pictures of a face, uint8 [n, S, S, 3] RGB, makes it hard to judge."""
    if detail(crops) < _SOFT:
        yield _Reason(words.reasons.blurred, words.reasons.do_sharper)
    colours = crops.astype(np.float32)
    if float((colours.max(-1) - colours.min(-1)).mean()) < _GREY:
        yield _Reason(words.reasons.grey, words.reasons.do_source)
    if float(colours.mean()) < _DARK:
        yield _Reason(words.reasons.dark, words.reasons.do_sharper)


def _no_face(prediction: Prediction) -> Iterator[_Reason]:
    """Yields why no face may have been found, the plainest reason first."""
    warnings = prediction.warnings
    for warning in warnings:
        if prediction_warnings.OTHER_STREAM in warning:
            yield _Reason(warning, words.reasons.do_stream, warning)
    (summary,) = [w for w in warnings if prediction_warnings.NO_FACE in w] or [None]
    coverage = prediction.coverage
    if prediction.video.duration <= 0:
        yield _Reason(words.reasons.none_in_picture, words.reasons.do_closer, summary)
    elif coverage.looks < 2 or coverage.longest_gap < 1:
        sentence = words.reasons.none_seen.format(frames=coverage.frames_sampled)
        yield _Reason(sentence, words.reasons.do_longer, summary)
    else:
        sentence = words.reasons.none_seen_apart.format(
            looks=coverage.looks, gap=clock(round(coverage.longest_gap, 1))
        )
        yield _Reason(sentence, _look_again(prediction), summary)
    if found := re.search(prediction_warnings.SMALLEST_FACE, summary or ""):
        yield _Reason(
            words.reasons.too_small.format(pixels=found["pixels"]), words.reasons.do_closer
        )
    yield _Reason(words.reasons.sideways, words.reasons.do_in_front)


def _look_again(prediction: Prediction) -> str:
    """Returns how to have more of a video looked at: with more effort, where that makes any."""
    coverage = prediction.coverage
    is_all = coverage.effort == "thorough" or coverage.longest_gap < _CLOSE
    return words.reasons.do_passage if is_all else words.reasons.do_thorough
