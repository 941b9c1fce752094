"""Turns a file or frames into a `Prediction`, with one model kept ready."""

import copy
import os
from collections.abc import Generator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np

from dfjax.config import Config
from dfjax.dataset_rows import judge_rows
from dfjax.errors import DfjaxError
from dfjax.faces.clips import OnProgress, face_clips
from dfjax.faces.detection import FaceDetector, check_frame
from dfjax.inference.begun_file import BegunFile
from dfjax.inference.engine import Engine, score_faces
from dfjax.inference.face_scorer import FaceScorer, ScoredFaces
from dfjax.inference.live import LiveScorer, live_searcher
from dfjax.inference.many_files import OnFileProgress, score_each
from dfjax.inference.one_file import READING_SHARE, FileScorer, OpenedFile, part_of
from dfjax.judgement import judge
from dfjax.memory import give_back
from dfjax.models.evaluation_file import read_evaluation
from dfjax.models.locate import find_folder, model_name
from dfjax.prediction import ModelSummary, Prediction
from dfjax.provenance import Origin
from dfjax.runtimes.runtime import RuntimeName, chosen_runtime, open_runtime
from dfjax.version import __version__
from dfjax.video.info import describe_frames
from dfjax.video.limits import VideoLimits
from dfjax.video.sampling import Effort, choose_frames

if TYPE_CHECKING:
    from dfjax.models.detector import Detector


class Predictor:
    """Scores videos with one detector, kept ready by an engine.

    Not to be called from two threads at once.

    Example:
      >>> from dfjax import Predictor
      >>> predictor = Predictor.from_pretrained("checkpoint")
      >>> prediction = predictor("clip.mp4")
      >>> prediction.label in ("real", "fake", "uncertain")
      True
      >>> [frame.probability_fake for frame in prediction.frames][:1]
      [0...]
    """

    def __init__(
        self,
        detector: "Detector | Engine",
        *,
        model_id: str = "unnamed",
        revision: str | None = None,
        face_detector: FaceDetector | None = None,
        limits: VideoLimits = VideoLimits(),
    ):
        """Takes a loaded detector.

        Args:
          detector: The model, or an engine that runs it; its config says how videos are sampled,
            cropped and decided.
          model_id: What the report names as the model: a folder's name or a Hub repository.
          revision: The branch, tag or commit on the Hub that was named, if one was.
          face_detector: Shared between predictors, if given; else made from the config, in JAX.
          limits: How much a file may cost to read; this is up to you, not to the model.
        """
        self.engine = detector if isinstance(detector, Engine) else _jax_engine(detector)
        self.config: Config = self.engine.config
        self.limits = limits
        self.evaluation: Mapping[str, Any] | None = None  # of exactly these weights, if known
        self.model = ModelSummary(
            id=model_id, revision=revision, version=__version__, digest=self.engine.digest()
        )
        self.face_detector = face_detector or FaceDetector(self.config.faces)
        self._searcher: FaceDetector | None = None  # for live frames

    @classmethod
    def from_pretrained(
        cls,
        folder_or_repo_id: str | PathLike[str],
        *,
        revision: str | None = None,
        runtime: RuntimeName | None = None,
        limits: VideoLimits = VideoLimits(),
    ) -> Self:
        """Returns a predictor with the weights of a folder or of a Hub repository.

        Args:
          folder_or_repo_id: A folder that `Detector.save_pretrained` wrote, or "owner/name".
          revision: Branch, tag or commit on the Hub; None: its main branch.
          runtime: What computes the networks; None: `DFJAX_RUNTIME`, or else JAX. With any other,
            jax is never imported. Probabilities differ by up to about 0.01; see docs/runtimes.md.
          limits: How much a file may cost to read.

        Raises:
          ModelFormatError: What is there is not a model of dfjax, or the runtime cannot run it.
          HubError: It could not be downloaded from the Hub.
          MissingExtraError: The packages of the runtime are not installed.
          RuntimeChoiceError: There is no such runtime.
        """
        chosen = chosen_runtime(runtime)
        opened = None if chosen == "jax" else open_runtime(chosen)  # fails before a download
        found = find_folder(folder_or_repo_id, revision=revision)
        if opened is None:
            from dfjax.models.detector import Detector

            detector, face_detector = Detector.from_pretrained(found), None
        else:
            from dfjax.faces.graph_networks import GraphNetworks
            from dfjax.inference.graph_engine import GraphEngine

            detector = GraphEngine.from_pretrained(found, opened)
            face_detector = FaceDetector(detector.config.faces, networks=GraphNetworks(opened))
        predictor = cls(
            detector,
            model_id=model_name(folder_or_repo_id),
            revision=revision,
            face_detector=face_detector,
            limits=limits,
        )
        predictor.evaluation = read_evaluation(found, predictor.model.digest)
        give_back()
        return predictor

    def __getstate__(self) -> NoReturn:
        """Refuses to be sent to another process, as by `dataset.map(..., num_proc=2)`.

        Raises:
          TypeError: Always; what a runtime has compiled or holds on a device cannot be sent.
        """
        raise TypeError(
            "A predictor cannot be pickled, and so not be sent to another process. Leave "
            "`num_proc` out of `map`; in processes of your own, load a predictor in each."
        )

    def warm_up(self) -> None:
        """Compiles everything that a video may need, so that no visitor waits for it."""
        self.face_detector.warm_up()
        size = self.config.crops.image_size
        features = self.engine.encode(np.zeros((1, size, size, 3), np.uint8))
        score_faces(self.engine, [features], [np.zeros(1, np.int64)])

    def __call__(
        self,
        path: str | PathLike[str],
        *,
        effort: Effort = "standard",
        on_progress: OnProgress | None = None,
    ) -> Prediction:
        """Scores one video or still picture.

        Args:
          path: The file.
          effort: How much of a long video is looked at: "quick" looks at as many frames as of a
            short one, "standard" at up to 128, "thorough" at up to 1,024, so that looks are at most
            three seconds apart. Where that is not enough, most looks go where faces are, and the
            last quarter of them where the first ones were the most suspicious. Models without
            `calibration.evidence` are not made for it, and always look quickly.
          on_progress: Called with the fraction done, 0 to 1, and a few words that name the stage.

        Returns:
          The prediction. A file without a face gets the label "no_face" and no probability.

        Raises:
          VideoError: The file cannot be read as a video; the message says why and what to do.
          ValueError: There is no such effort.
        """
        report = on_progress or _ignore_progress
        return self._finish(self._files().open(path, effort, report, encode=True), report)

    def each(
        self,
        paths: Sequence[str | PathLike[str]],
        *,
        effort: Effort = "standard",
        begun: BegunFile | None = None,
        on_progress: OnFileProgress | None = None,
    ) -> Generator[Prediction | DfjaxError, None, None]:
        """Scores files one after the other, which is faster than a call for each.

        While one is scored, the next two are read, if the frames of both take no more than half as
        much memory again as those of one may.

        Args:
          paths: The files.
          effort: As for `__call__`.
          begun: One of them that was begun while the model was loaded, with the same effort.
          on_progress: Called with the place of a file in `paths`, the fraction of it that is done,
            and a few words that name the stage; at times from another thread.

        Yields:
          For each file its prediction, or the error that says why it cannot be read.

        Raises:
          TypeError: `paths` is a single path.

        Example:
          >>> from dfjax import Predictor
          >>> predictor = Predictor.from_pretrained("checkpoint")
          >>> [prediction.label for prediction in predictor.each(["clip.mp4"])]
          [...]
        """
        if isinstance(paths, str | bytes | PathLike):
            raise TypeError(f"paths is {paths!r}; several are needed, as in [{paths!r}].")
        files = self._files()
        is_only = len(paths) == 1  # else the engine is wanted for the one before
        return score_each(
            [Path(os.fsdecode(path)) for path in paths],
            lambda path, report: files.open(path, effort, report, begun, encode=is_only),
            self._finish,
            on_progress or (lambda place, fraction, stage: None),
        )

    def batched(
        self,
        batch: Mapping[str, Sequence[Any]],
        *,
        column: str = "video",
        effort: Effort = "standard",
    ) -> dict[str, list[Any]]:
        """Scores rows of a data set: `dataset.map(predictor.batched, batched=True)`.

        Works for streamed ones too. A file that cannot be read loses none of the others. First cast
        a column of videos to `datasets.Video(decode=False)`, since dfjax decodes them itself.

        Args:
          batch: The rows by column.
          column: Which holds the files: paths, addresses of fsspec ("hf://..."), bytes, or dicts
            with `path` and `bytes`. To choose it: `map(..., fn_kwargs={"column": NAME})`.
          effort: As for `__call__`.

        Returns:
          New columns: `label`; `probability_fake`, NaN where there is no face; `prediction`, the
          JSON of `Prediction.to_dict`; `error`, why a file could not be judged. Where there is one,
          the others are empty, and NaN.

        Raises:
          DatasetError: There is no such column, it holds no files, or the rows already have one of
            the new columns, such as a `label` of their own.
        """
        return judge_rows(
            batch,
            column,
            lambda path: self(path, effort=effort),
            max_bytes=self.limits.max_file_bytes,
        )

    def score_frames(
        self,
        frames: Sequence[np.ndarray],
        timestamps: np.ndarray,
        *,
        name: str = "frames",
        on_progress: OnProgress | None = None,
    ) -> Prediction:
        """Scores frames that are in memory, from a camera or decoded by other means.

        If there are more than `config.video.num_frames`, that many are used, spread evenly over
        time as for a file of up to two minutes with the effort "quick", and give its result. Not so
        where frames have more than `config.video.max_frame_pixels`: those of a file are scaled down
        to that, and these are not.

        Args:
          frames: T frames, uint8 [H, W, 3] RGB, all of the same size, as a viewer sees them:
            upright, with square pixels.
          timestamps: float [T], seconds, increasing.
          name: What the report calls them.
          on_progress: As for `__call__`.

        Returns:
          The prediction. Boxes are in pixels of the frames; one frame counts as a still picture.

        Raises:
          ValueError: There are no frames, they differ in size or are not pictures, or the times do
            not match them.

        Example:
          >>> import numpy as np
          >>> from dfjax import Predictor
          >>> predictor = Predictor.from_pretrained("checkpoint")
          >>> grey = np.full((4, 120, 160, 3), 128, np.uint8)
          >>> predictor.score_frames(grey, np.arange(4) / 25).label
          'no_face'
        """
        report = on_progress or _ignore_progress
        for index, frame in enumerate(frames):  # of all, so that an error names the right one
            check_frame(frame, index)
        info = describe_frames(frames, timestamps, name=name)
        times = np.asarray(timestamps, np.float64)
        if len(frames) > self.config.video.num_frames:
            chosen = choose_frames(times, self.config.video)
            frames, times = [frames[index] for index in chosen], times[chosen]
        read = face_clips(
            frames,
            times,
            self.config,
            self.face_detector,
            info=info,
            on_progress=part_of(report, 0.0, READING_SHARE),
        )
        scored = FaceScorer(self.engine)(read, part_of(report, READING_SHARE, 1.0))
        return self._judge(scored, "quick", report)

    def live(self) -> LiveScorer:
        """Returns a scorer for one stream of frames, such as a camera's, taken one by one.

        Several can run beside each other and beside checks of files, each in a thread of its own.

        Example:
          >>> import numpy as np
          >>> from dfjax import Predictor
          >>> scorer = Predictor.from_pretrained("checkpoint").live()
          >>> scorer(np.zeros((120, 160, 3), np.uint8), 0.0).faces
          ()
        """
        engine = copy.copy(self.engine)
        engine.crops_per_batch = 1  # a camera mostly shows one face; a batch is as dear as if full
        self._searcher = self._searcher or live_searcher(self.face_detector)
        return LiveScorer(engine, self.face_detector, searcher=self._searcher)

    def _files(self) -> FileScorer:
        return FileScorer(self.engine, self.face_detector, self.limits)

    def _finish(self, opened: OpenedFile, report: OnProgress) -> Prediction:
        """Scores and judges what was opened."""
        scored = self._files().score(opened, report)
        origin = opened.origin.result()
        opened.require_unchanged()
        return self._judge(scored, opened.effort, report, origin)

    def _judge(
        self,
        scored: ScoredFaces,
        effort: Effort,
        report: OnProgress,
        origin: Origin | None = None,
    ) -> Prediction:
        report(1.0, "Done")
        return judge(
            scored.read,
            scored.faces,
            self.config,
            model=self.model,
            effort=effort,
            score_seconds=scored.seconds,
            origin=origin,
        )


def _jax_engine(detector: "Detector") -> Engine:
    from dfjax.inference.jax_engine import JaxEngine

    return JaxEngine(detector)


def _ignore_progress(fraction: float, stage: str) -> None:
    del fraction, stage
