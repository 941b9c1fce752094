"""The model card: what a checkpoint is, and the figures that show how far to trust it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from dfjax.config import Config
from dfjax.data import sources
from dfjax.data.sources import DatasetLayout, title
from dfjax.encoder_config import CLIPConfig, DINOv2Config, ResNetConfig
from dfjax.evaluation import studies
from dfjax.evaluation.notes import is_fit_known, known_videos
from dfjax.evaluation.tables import table
from dfjax.head_config import DetectorConfig, HeadConfig
from dfjax.models.evaluation_file import EVALUATION_FILE
from dfjax.reporting import card_training, figure_tables
from dfjax.reporting.card_template import CARD
from dfjax.reporting.recorded import Recorded
from dfjax.reporting.results import results_table

MODEL_ID_PLACEHOLDER = "OWNER/NAME"
"""Placeholder for the repository's name in a card; a push replaces it."""

PICTURES = "figures"
"""Folder in a checkpoint with the evaluation's plots."""

_SELF_BLENDED = (
    "K. Shiohara, T. Yamasaki, Detecting Deepfakes with Self-Blended Images, CVPR 2022: fakes that "
    "are made while training."
)

_SWAPPED = (
    "L. Li et al., Face X-Ray for More General Face Forgery Detection, CVPR 2020: those of them "
    "with another person's face."
)

_NORMS = (
    "A. Yermakov et al., Deepfake Detection that Generalizes Across Benchmarks, WACV 2026: what "
    "was trained, and how.",
    "T. Wang, P. Isola, Understanding Contrastive Representation Learning through Alignment and "
    "Uniformity on the Hypersphere, ICML 2020: two of its losses.",
)
_ENCODER_SOURCES = {
    ResNetConfig.type: (
        "K. He et al., Deep Residual Learning for Image Recognition, CVPR 2016: the encoder.",
    ),
    CLIPConfig.type: (
        "A. Radford et al., Learning Transferable Visual Models From Natural Language Supervision, "
        "ICML 2021: the encoder and its weights before training.",
    ),
    DINOv2Config.type: (
        "M. Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, TMLR 2024: "
        "the encoder and its weights before training.",
    ),
}
_OWN_WEIGHTS = (
    "P. Stock et al., And the Bit Goes Down: Revisiting the Quantization of Neural Networks, "
    "ICLR 2020: its weights before training."
)
_ALWAYS_CITED = (
    "K. Zhang et al., Joint Face Detection and Alignment Using Multitask Cascaded Convolutional "
    "Networks, IEEE Signal Processing Letters, 2016: the faces.",
)

_HIGHEST = "With several faces, the highest score is the video's."
_WEIGHED = (
    "The video's score weighs all stretches of all faces together, as evidence that one of them "
    "was manipulated, so that looking longer or at more faces does not by itself accuse a real "
    "video."
)

_ENCODERS = {
    ResNetConfig.type: "a ResNet",
    CLIPConfig.type: "the vision tower of CLIP",
    DINOv2Config.type: "DINOv2",
}
"""What encoders are called in a sentence."""


def model_card(
    config: Config,
    *,
    training: Mapping[str, Any],
    evaluation: Mapping[str, Any] | None = None,
    model_id: str = MODEL_ID_PLACEHOLDER,
) -> str:
    """Returns the README.md of a checkpoint: YAML front matter and Markdown.

    Args:
      config: The checkpoint's config; its thresholds and shapes are stated.
      training: What training recorded in `training.json`.
      evaluation: What `evaluate` wrote to `report.json`. Its figures replace those that training
        recorded, and its plots are in `PICTURES`. None: there is no evaluation.
      model_id: Repository or folder named in the example. A push replaces the default.

    Raises:
      ModelFormatError: A value that the card states is missing or not finite.
    """
    record = Recorded(training)
    report = record.at("validation")
    if evaluation is not None:
        report = Recorded(evaluation, file=EVALUATION_FILE).at("figures")
    calibration = config.calibration
    datasets = [str(name) for name in report.values("counts", "datasets")]
    data_name = record.text("data", "name")
    used = _used_datasets(datasets, data_name)
    points = figure_tables.operating_points(report)
    verdicts = figure_tables.verdicts_table(report)
    novelty = figure_tables.novelty_table(report, ("auc", "tpr_at_5_percent_fpr"))
    settings = record.at("train_config").flat()
    return CARD.format(
        front_matter=_front_matter(report, model_id, weights_license(training)).to_yaml(),
        image_size=config.crops.image_size,
        encoder=_ENCODERS.get(config.encoder.type, f"an encoder ({config.encoder.type})"),
        correction=_correction(config.detector, training),
        num_frames=config.video.num_frames,
        faces=_HIGHEST if calibration.evidence is None else _WEIGHED,
        trained=card_training.trained(
            settings,
            pretraining="ImageNet" if config.encoder.type == ResNetConfig.type else "published",
        ),
        train_clips=record.count("data", "train", "clips"),
        train_groups=record.count("data", "train", "groups"),
        data_name=data_name,
        model_id=model_id,
        rule=calibration.caveat
        or f"A `probability_fake` below {calibration.real_below:.3f} is called real, above "
        f"{calibration.fake_above:.3f} fake, and between them uncertain.",
        split=report.text("split"),
        scored=_counted(report),
        draws=report.count("bootstrap", "draws"),
        over=report.text("bootstrap", "over"),
        verdicts=f"{verdicts}\n\n" if verdicts else "",
        measures=figure_tables.measures_table(report),
        comparison=report.text("mean_of_frames", "sentence"),
        threshold=f"{report.number('threshold', 'value'):.3f}",
        decisions=figure_tables.decisions_table(report),
        novelty=f"Methods that it was trained on, and others:\n\n{novelty}\n\n" if novelty else "",
        operating_points=f"{points}\n\n" if points else "",
        notes=_notes(evaluation, datasets, calibration.caveat),
        per_method=figure_tables.methods_table(report, ("auc", "tpr_at_5_percent_fpr")),
        per_setting=figure_tables.settings_table(report, ("auc",)),
        failures=figure_tables.unscored(report),
        further=_further(evaluation),
        unseen=_unseen(record, evaluation),
        splits=card_training.splits(record),
        skipped=_listed(record.at("data", "skipped").flat()),
        fingerprint=record.text("data", "fingerprint"),
        seconds=f"{record.number('seconds'):.0f}",
        versions=_listed(record.at("versions").flat()),
        step=record.count("step"),
        about=card_training.about(training),
        start=card_training.share_of_start(training),
        share=card_training.correction(training),
        rounding=card_training.rounding(training),
        before=card_training.before(training.get("started_from")),
        published="best on validation" if record.text("published") == "best" else "last",
        train_config=table(["setting", "value"], settings.items()),
        datasets=", ".join(str(layout.title) for layout in used) or "the data sets",
        licence=_licence_sentence(training),
        sources=_cited(used, settings, config.encoder.type, is_own=_is_own(training)),
    )


def _is_own(training: Mapping[str, Any]) -> bool:
    """Returns whether a record is from before licences were noted: those are of dfjax's own models.

    They started from ImageNet weights that may not be used commercially.
    """
    return "license" not in training


def weights_license(training: Mapping[str, Any]) -> str:
    """Returns the licence of the weights, as the Hub calls it.

    Args:
      training: What training recorded in `training.json`.
    """
    return "cc-by-nc-4.0" if _is_own(training) else str(training["license"])


def _licence_sentence(training: Mapping[str, Any]) -> str:
    if _is_own(training):
        return (
            "Weights: CC BY-NC 4.0, for research, because the ImageNet weights and the training "
            "clips are non-commercial."
        )
    if training["license"] == "other":
        return "Nothing was said of a licence for these weights: ask whoever published them."
    return f"Weights: {training['license']}."


def _correction(head: HeadConfig, training: Mapping[str, Any]) -> str:
    """Returns the part of a sentence on how the mean of frames is corrected; empty if it is not."""
    if not isinstance(head, DetectorConfig) or training.get("correction_share") == 0:
        return ""
    lstm = "a bidirectional LSTM" if head.bidirectional else "an LSTM"
    return f", corrected by {lstm} that reads them in order"


def _notes(
    evaluation: Mapping[str, Any] | None, datasets: Iterable[str], caveat: str | None
) -> str:
    """Returns the evaluation's caveats, each a paragraph, but those that the card states elsewhere.

    Args:
      evaluation: What `evaluate` wrote.
      datasets: Names of its data sets, which are shown by their titles.
      caveat: That of the model's calibration.
    """
    if evaluation is None:
        return ""
    stated = {caveat, *known_videos(evaluation["data"])}
    text = "".join(f"{note}\n\n" for note in evaluation["notes"] if note not in stated)
    names = "|".join(re.escape(name) for name in sorted(datasets, key=len, reverse=True))
    return re.sub(rf"(?<=videos of )({names})(?= )", lambda name: title(name[0]), text)


def _further(evaluation: Mapping[str, Any] | None) -> str:
    """Returns the plots, the sections of the studies and the comparison with published figures."""
    if evaluation is None:
        return ""
    pictures = "\n".join(
        f"![{words}]({name}.png)"
        for name, words in (
            ("roc", "ROC curves"),
            ("probabilities", "Scores of real and fake videos"),
            ("reliability", "Reliability"),
            ("methods", "Manipulation methods"),
        )
    )
    published = f"""## Compared with published figures

The rows of this model share no videos with the others, so they cannot be ranked against each other;
the figures of others are as they reported them.

{results_table(evaluation)}"""
    split = evaluation["figures"]["split"]
    further = [study.section(result, split) for study, result in studies.results(evaluation)]
    sections = [pictures, *map(str.strip, further), published]
    text = "".join(f"{section}\n\n" for section in sections if section)
    return re.sub(r"\]\((\w+\.png)\)", rf"]({PICTURES}/\1)", text)


def _unseen(record: Recorded, evaluation: Mapping[str, Any] | None) -> str:
    """Returns a sentence on whether the model was fitted to the videos it is measured on."""
    if evaluation is not None and any(data.get("trained_on") for data in evaluation["data"]):
        return (
            "**These figures say nothing about unseen data.** The model was trained on these "
            f"{evaluation['figures']['split']} videos."
        )
    if evaluation is not None and not any(data["calibrated_on"] for data in evaluation["data"]):
        if not all(map(is_fit_known, evaluation["data"])):
            return "It is not known whether the model was fitted to these videos."
        return "Calibration and thresholds were fitted on other videos, from the validation split."
    split = record.text("validation", "split")
    chosen = ", and the published weights were selected on them"
    return (
        "**These figures are not a measure of unseen data.** Calibration and thresholds were "
        f"fitted on the same {split} videos{chosen if record.text('published') == 'best' else ''}."
    )


def _front_matter(report: Recorded, model_id: str, licence: str) -> ModelCardData:
    """Returns the metadata that the Hub reads."""
    results = []
    for row in report.rows("per_dataset"):
        auc = row.figure("auc")["value"]
        if auc is not None:
            results.append(
                EvalResult(
                    task_type="video-classification",
                    task_name="Deepfake detection",
                    dataset_type=row.text("dataset"),
                    dataset_name=title(row.text("dataset")),
                    dataset_split=report.text("split"),
                    metric_type="roc_auc",
                    metric_name="Video-level ROC AUC",
                    metric_value=round(auc, 4),
                )
            )
    return ModelCardData(
        license=licence,
        library_name="dfjax",
        pipeline_tag="video-classification",
        tags=["deepfake-detection", "face-forensics", "jax", "flax"],
        metrics=["roc_auc"],
        model_name=model_id,
        eval_results=results or None,
    )


def _counted(report: Recorded) -> str:
    counts = report.at("counts")
    videos, real, fake = (counts.count(key) for key in ("videos", "real", "fake"))
    clips, frames, groups = (counts.count(key) for key in ("clips", "frames", "groups"))
    return (
        f"{videos} videos and pictures ({real} real, {fake} fake) from {groups} groups of "
        f"identities, {clips} face clips, {frames} frames with a face"
    )


def _used_datasets(validated: Iterable[str], data_name: str) -> list[DatasetLayout]:
    """Returns the data sets of a model that people know by a title.

    Args:
      validated: Names of those of the validation split.
      data_name: Titles of those of the training split, each with a compression, with commas.
    """
    known = [layout for layout in sources.LAYOUTS if layout.title is not None]
    used = set(validated)
    for part in data_name.split(", "):
        # The longest title that fits: "DFDC preview c23" starts with "DFDC", too.
        fitting = [layout for layout in known if part.startswith(str(layout.title))]
        if fitting:
            used.add(max(fitting, key=lambda layout: len(str(layout.title))).name)
    return [layout for layout in known if layout.name in used]


def _listed(entries: Mapping[str, Any]) -> str:
    """Returns the entries in one line."""
    return ", ".join(f"{key} {value}" for key, value in entries.items()) or "nothing"


def _cited(
    datasets: Iterable[DatasetLayout], settings: Mapping[str, Any], encoder: str, *, is_own: bool
) -> str:
    cited = [layout.citation for layout in datasets if layout.citation is not None]
    if settings.get("self_blended"):
        cited.append(_SELF_BLENDED)
    if settings.get("blend.swapped"):
        cited.append(_SWAPPED)
    if settings.get("train") == "norms":
        cited += _NORMS
    cited += _ENCODER_SOURCES.get(encoder, ())
    if is_own and encoder == ResNetConfig.type:
        cited.append(_OWN_WEIGHTS)
    return "\n".join(f"- {citation}" for citation in (*cited, *_ALWAYS_CITED))
