"""Opens the data of a run, checks for problems that would invalidate its figures, and counts it."""

import collections
import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dfjax.config import Config
from dfjax.data.clip_row import ClipInfo, ClipRow
from dfjax.data.prepared import load_report, load_skipped, open_rows
from dfjax.data.sources import title
from dfjax.data.store import ClipStore
from dfjax.data.trained_on import digests
from dfjax.errors import DatasetError
from dfjax.evaluation.scores import compression_name
from dfjax.faces.clips import crops_kind
from dfjax.train_config import TrainConfig
from dfjax.training.pairs import PairIndex
from dfjax.training.validation import SPLIT


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunData:
    """The prepared data sets of a run, for training and validation."""

    config: Config  # with the parts that all data sets were prepared with
    fingerprints: list[str]
    store: ClipStore  # training clips
    measured: list[str]  # data sets whose validation clips are scored
    validation_clips: Sequence[ClipInfo]
    skipped: dict[str, int]  # videos in the training data without a clip, by reason
    validation_skipped: dict[str, Any] | None  # the same for validation, from `load_skipped`

    def shown(self, config: TrainConfig) -> list[ClipInfo]:
        """Returns the training clips that come up in some step.

        Args:
          config: How many pairs of each kind a step has, and how many of them are self-blends.
        """
        rows: set[int] = set()
        for stills, count in ((False, config.pairs), (True, config.still_pairs)):
            if count:
                rows |= PairIndex.of(self.store.clips, stills=stills).shown(config)
        return [self.store.clips[row] for row in sorted(rows)]

    def identity(self) -> dict[str, Any]:
        """Returns how many clips there are, and a digest of which and in what order.

        The fingerprints are of the videos that were to be prepared. How many of them could be read
        may change: `prepare` makes up for a disk that was away when it is run again.
        """
        digest = hashlib.sha256()
        for clip in (*self.store.clips, *self.validation_clips):
            digest.update(f"{clip.video} {clip.track_id} {clip.frame_indices.tolist()}\n".encode())
        return {
            "training": len(self.store.clips),
            "validation": len(self.validation_clips),
            "digest": digest.hexdigest()[:16],
        }

    def refuse_trained_on(self, trained_on: frozenset[str]) -> None:
        """Checks that the weights that a run starts from were trained on no validation people.

        Args:
          trained_on: From `read_trained_on`.

        Raises:
          DatasetError: They were.
        """
        known = [clip.video for clip in self.validation_clips if digests(clip) & trained_on]
        if known:
            raise DatasetError(
                f"The models given with --weights were trained on {len(known)} of the "
                f"{len(self.validation_clips)} validation videos or their people, such as "
                f"{min(known)}. Figures and thresholds from such a split are meaningless. Hold the "
                "same people out as for those models, or start from others. If nothing but the "
                "names is the same, prepare the data under a name of its own, with --name."
            )

    def unused(self, config: TrainConfig) -> list[str]:
        """Returns a sentence on each kind of training clips that no step learns from.

        Where there are no pairs at all, fakes without a real clip of their kind are not counted.

        Args:
          config: As for `shown`.
        """
        sentences = []
        shown = {clip.video for clip in self.shown(config)}
        for stills, what, option in (
            (False, "videos", "--pairs"),
            (True, "pictures", "--still-pairs"),
        ):
            kind = [clip for clip in self.store.clips if _is_still(clip) == stills]
            num_reals = sum(not clip.is_fake for clip in kind)
            if num_reals and not _pairs_of(kind[0], config):
                sentences.append(
                    f"The training data has {num_reals} real {what} and {len(kind) - num_reals} "
                    f"fake ones, and nothing is learnt from them, because {option} is 0. Set it "
                    "to 8, for example, or leave them out of the data."
                )
            elif kind and _pairs_of(kind[0], config):
                share = config.share_blended(stills=stills)
                sentences += _unpaired(kind, shown, what, share, option)
        return sentences

    def describe(
        self, config: TrainConfig, validation_clips: Sequence[ClipRow], *, about: str
    ) -> dict[str, Any]:
        """Returns the description of the data for the run's record.

        Args:
          config: As for `shown`; only those training clips are described.
          validation_clips: The validation clips that were scored.
          about: Origin and terms of the data, in sentences.
        """
        clips = self.shown(config)
        names = {f"{title(clip.dataset)} {compression_name(clip.compression)}" for clip in clips}
        methods: dict[str, set[str]] = collections.defaultdict(set)
        for clip in clips:
            if clip.is_fake:
                methods[clip.dataset].add(clip.method)
        return {
            "name": ", ".join(sorted(name.strip() for name in names)),
            "about": about,
            "train": _counts(clips),
            "validation": _counts(validation_clips),
            "trained_methods": {name: sorted(found) for name, found in sorted(methods.items())},
            "skipped": self.skipped,
            "fingerprint": "+".join(self.fingerprints),
        }


def open_data(
    sources: Sequence[str], validation_data: Sequence[str], manifests: Sequence[dict]
) -> RunData:
    """Opens the data sets of a run, and checks that they can be used for training and validation.

    Args:
      sources: Prepared data sets, as for `open_rows`; each has the splits "train" and "validation",
        but for single parquet files, which have what they have.
      validation_data: More data sets, of which only the split "validation" is used.
      manifests: Manifests of `sources` and `validation_data`, in this order, from `load_manifest`.

    Raises:
      DatasetError: A data set was not prepared completely, two were prepared differently, splits
        share identities, or no data set has both labels in validation.
    """
    config = _shared_config([*sources, *validation_data], manifests)
    if empty := [source for source in validation_data if _lacks_validation(source)]:
        raise DatasetError(f"{', '.join(empty)} has no clip of the split {SPLIT!r}.")
    measured = [source for source in sources if not _lacks_validation(source)]
    measured += validation_data
    store, validation_clips = ClipStore(sources, "train"), ClipStore(measured, SPLIT).clips
    _refuse_shared_groups(store.clips, validation_clips)
    _require_both_labels(validation_clips)
    return RunData(
        config=config,
        fingerprints=[manifest["fingerprint"] for manifest in manifests],
        store=store,
        measured=measured,
        validation_clips=validation_clips,
        skipped=_skipped(sources),
        validation_skipped=load_skipped(measured, SPLIT),
    )


def _lacks_validation(source: str) -> bool:
    """Whether a data set is a lone file of another split: `prepare` writes each for one."""
    return Path(source).is_file() and not len(open_rows(source, SPLIT))


def _shared_config(sources: Sequence[str], manifests: Sequence[dict]) -> Config:
    """Returns the config with the parts that the data sets were prepared with."""
    configs = [Config.from_dict(manifest["config"]) for manifest in manifests]
    for source, other in zip(sources[1:], configs[1:], strict=True):
        if other != configs[0]:
            raise DatasetError(
                f"{sources[0]} and {source} were prepared with different configs, so their crops "
                "differ. Prepare both with the same config."
            )
    # Older manifests have none.
    versions = {of["crops_version"] for of in manifests if "crops_version" in of}
    if len(set(map(crops_kind, versions))) > 1:
        raise DatasetError(
            f"{', '.join(sources)} were prepared by versions of dfjax that make different crops "
            f"({', '.join(map(str, sorted(versions)))}). Prepare all with the same one."
        )
    return configs[0]


def _refuse_shared_groups(train_clips: Sequence[ClipInfo], validation: Sequence[ClipInfo]) -> None:
    trained = {clip.group: clip.dataset for clip in train_clips}
    shared = {clip.group: clip.dataset for clip in validation if clip.group in trained}
    if shared:
        group = min(shared)
        raise DatasetError(
            f"{len(shared)} groups of identities are in both training and validation, such as "
            f"{group}, in the training split of {trained[group]!r} and the validation split of "
            f"{shared[group]!r}. Figures from such a split are meaningless. Hold the same people "
            "out of all data sets, or leave one of them out."
        )


def _require_both_labels(validation: Sequence[ClipInfo]) -> None:
    labels = collections.defaultdict(set)
    for clip in validation:
        labels[clip.dataset].add(clip.is_fake)
    if not any(len(found) == 2 for found in labels.values()):
        raise DatasetError(
            "no data set has both real and fake validation videos, so nothing can be measured or "
            f"calibrated. The labels are {dict(labels)}. Add a data set that has both."
        )


def _unpaired(
    kind: Sequence[ClipInfo], shown: set[str], what: str, share_blended: float, option: str
) -> Iterator[str]:
    """Yields a sentence on the clips of each data set and label that come up in no step.

    Args:
      kind: The videos or the pictures.
      shown: Those that come up.
      what: Which they are.
      share_blended: The share of their pairs that are self-blends.
      option: The option that says how many pairs of them there are.
    """
    left = collections.defaultdict(list)
    for clip in kind:
        if clip.video not in shown:
            left[clip.dataset, clip.is_fake].append(clip)
    for (dataset, is_fake), clips in sorted(left.items()):
        sentence = f"{len(clips)} {'fake' if is_fake else 'real'} {what} of {dataset!r} come up in "
        sentence += "no step, and nothing is learnt from them"
        if not is_fake:
            yield f"{sentence}: no fake can stand beside them, and none are blended."
        elif share_blended == 1:
            share = option.replace("pairs", "self-blended")
            yield f"{sentence}: all fakes of pairs are self-blends, because {share} is 1."
        else:
            methods = ", ".join(sorted({clip.method for clip in clips}))
            yield (
                f"{sentence} ({methods}): there is no real one of their people to stand beside "
                "them. Prepare them in one folder with real ones of the same people."
            )


def _is_still(clip: ClipInfo) -> bool:
    return clip.num_frames == 1


def _pairs_of(clip: ClipInfo, config: TrainConfig) -> int:
    """Returns how many pairs of a clip's kind a step has."""
    return config.still_pairs if _is_still(clip) else config.pairs


def _counts(clips: Sequence[ClipInfo] | Sequence[ClipRow]) -> dict[str, int]:
    """Returns the numbers of videos, in all and by label, of clips and of identity groups."""
    labels = {clip.video: clip.is_fake for clip in clips}
    return {
        "videos": len(labels),
        "clips": len(clips),
        "real": sum(not is_fake for is_fake in labels.values()),
        "fake": sum(map(bool, labels.values())),
        "groups": len({clip.group for clip in clips}),
    }


def _skipped(sources: Sequence[str]) -> dict[str, int]:
    """Returns the number of videos without a clip, by reason, over all splits and data sets."""
    counts = {"no_face": 0, "unreadable": 0, "missing": 0}
    for source in sources:
        if Path(source).is_file():
            continue  # a lone parquet file has no report
        prepared = load_report(source)
        counts["missing"] += len(prepared["missing"])
        for split in prepared["splits"].values():
            counts["no_face"] += split["no_face"]
            counts["unreadable"] += split["unreadable"]
    return counts
