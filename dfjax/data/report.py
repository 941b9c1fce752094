"""What `prepare` writes about its run: the report, and the README of the data set."""

from collections.abc import Iterable, Mapping
from typing import Any

from huggingface_hub import DatasetCardData

from dfjax.data.rows import NO_FACE, CodecConfig, Outcome
from dfjax.data.sources import Source, title
from dfjax.video.film import NUM_FRAMES


def make_report(outcomes: Mapping[str, Mapping[str, Outcome]], source: Source) -> dict[str, Any]:
    """Returns the counts, and the videos that gave no clip, with the reason.

    Args:
      outcomes: Per split, by the video's key; re-encoded versions count as videos.
      source: Where the videos come from.

    Returns:
      `splits`: per split `videos`, `clips`, `faces` (frames that show one), `no_face`,
      `unreadable`, and `skipped`: each video that gave no clip, with its `reason`, `is_fake`,
      `method`, `group`, and whether the reason `may_pass`, as that of a disk that is away.
      `missing`: keys that are in a list but not in the folder. `dropped`: for each reason, the
      `count` and the keys of the `videos` that the source left out.
      `left_out`: for each reason, the `count` of files that were not taken, or of originals that
      are named and not listed, and the first of these `files`.
    """
    dropped: dict[str, dict[str, Any]] = {}
    for key, reason in source.dropped.items():
        group = dropped.setdefault(reason, {"count": 0, "videos": []})
        group["count"] += 1
        group["videos"].append(key)
    return {
        "splits": {split: _counts(members) for split, members in outcomes.items()},
        "missing": list(source.missing),
        "dropped": dropped,
        "left_out": {
            reason: {"count": files.count, "files": list(files.examples)}
            for reason, files in source.left_out.items()
        },
    }


def _counts(outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    skipped = {key: outcome for key, outcome in outcomes.items() if outcome.reason}
    no_face = sum(outcome.reason == NO_FACE for outcome in skipped.values())
    return {
        "videos": len(outcomes),
        "clips": sum(outcome.clips for outcome in outcomes.values()),
        "faces": sum(outcome.faces for outcome in outcomes.values()),
        "no_face": no_face,
        "unreadable": len(skipped) - no_face,
        "skipped": {
            key: {
                "reason": outcome.reason,
                "is_fake": outcome.is_fake,
                "method": outcome.method,
                "group": outcome.group,
                "may_pass": outcome.may_pass,
            }
            for key, outcome in skipped.items()
        },
    }


def dataset_card(datasets: Iterable[str], codec: CodecConfig, report: Mapping[str, Any]) -> str:
    """Returns the README of the data set, whose front matter names the splits for `load_dataset`.

    Args:
      datasets: Names of the data sets that the videos come from.
      codec: Which re-encoded versions there are.
      report: What `make_report` returned.
    """
    names = ", ".join(sorted({title(dataset) for dataset in datasets}))
    # `load_dataset` refuses a folder of which one split has no row.
    splits = [split for split, counts in report["splits"].items() if counts["clips"]]
    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in splits]
    front_matter = DatasetCardData(
        pretty_name=f"Face clips of {names}",
        license="other",
        license_name="as-the-original-data-set",
        task_categories=["video-classification"],
        tags=["deepfake-detection"],
        configs=[{"config_name": "default", "data_files": files}],
    )
    columns = ("videos", "clips", "faces", "no_face", "unreadable")
    rows = "\n".join(
        f"| {split} | {' | '.join(str(counts[column]) for column in columns)} |"
        for split, counts in report["splits"].items()
    )
    dropped = "".join(
        f"- {group['count']} videos were left out: {reason}\n"
        for reason, group in report["dropped"].items()
    )
    dropped += "".join(
        f"- {files['count']} files were left out: {reason}\n"
        for reason, files in report["left_out"].items()
    )
    factor = f"a constant rate factor between {codec.min_crf} and {codec.max_crf}"
    shared = "that is the same within a group; it is part of `compression`.\n\n"
    versions = ""
    if codec.variants:
        versions += f"Further versions of each video: {codec.variants}, re-encoded with H.264 at "
        versions += f"{factor} {shared}"
    if codec.small and codec.variants:
        versions += f"{codec.small:.0%} of them are also scaled down to 480 pixels.\n\n"
    if codec.only_encoded:
        versions += "The training split has only these versions, not the videos as they are.\n\n"
    if codec.filmed:
        versions += f"Further versions of each training picture: {codec.filmed}, as a "
        versions += f"{NUM_FRAMES}-frame film by a moving camera, in H.264 at {factor} {shared}"
    return f"""---
{front_matter.to_yaml()}
---
# Face clips of {names}

Made by `python -m dfjax prepare`: one row per face that was followed through a video, with the face
crops as lossless PNG. `label` is `real` or `fake` and applies to the whole video. `group` names the
identities that a row shares with others: never put one group into two splits.

**These are people's faces.** They are personal data, and the terms of the original data set still
apply to the crops: most forbid passing them on. Keep this data set private.

{versions}| split | videos | clips | frames with a face | without a face | unreadable |
|---|---|---|---|---|---|
{rows}

- {len(report["missing"])} videos in the data set's lists were not found
{dropped}
`report.json` lists every video that gave no clip, and why.
"""
