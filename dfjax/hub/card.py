"""The model card: what a checkpoint is and how far to trust it, in its own figures."""

import math
from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from dfjax.config import Config
from dfjax.errors import ModelFormatError

MODEL_ID_PLACEHOLDER = "OWNER/NAME"
"""Stands in a card for the repository's name, until a push puts the name there."""

_TEMPLATE = """\
---
{front_matter}
---

# dfjax: a deepfake-video detector, frozen-encoder baseline

Given a video, this model says how probable it is that a face in it was manipulated, for the whole
video and frame by frame. It finds and follows faces (MTCNN), crops them to {image_size} x
{image_size} pixels, encodes each crop with a ResNet, and runs {lstm} over up to {num_frames}
frames.

It is a **baseline**: the encoder keeps the ImageNet weights that it came with, and only the
projection, the LSTM and the heads were trained, on {train_clips} face clips of {data_name}. It is
for research, and small.

## Use

```python
from dfjax import Predictor

predictor = Predictor.from_pretrained("{model_id}")
print(predictor("clip.mp4").to_dict())
```

The answer is "real", "fake", "uncertain" or "no_face". {rule}

## How well it works

Area under the ROC curve (AUC) over {scored} videos of the validation split; 0.5 is chance, 1 is
perfect. Intervals hold 95% of {num_bootstrap} bootstrap samples over {interval_over}.

| video score | AUC | 95% interval |
|---|---|---|
| LSTM over the frames | {auc} | {auc_interval} |
| mean of the frame scores, same checkpoint | {mean_auc} | {mean_auc_interval} |

{comparison} The frame scores come from the states of the LSTM too, so their mean is not blind to
time.

At the threshold {threshold}, balanced accuracy is {balanced_accuracy}:

| | called real | called fake |
|---|---|---|
| **real** | {true_real} | {false_fake} |
| **fake** | {false_real} | {true_fake} |

| method | AUC | videos |
|---|---|---|
{per_method}

**These figures are not a measure of unseen data.** Calibration and thresholds were fitted on the
same validation videos, and no separate test split was scored. On other sources, codecs or
manipulations expect less.

## Training

{data_name}, split by identity: no person is in both splits.

| split | videos | clips | real | fake | identity groups |
|---|---|---|---|---|---|
| train | {train_row} |
| validation | {validation_row} |

Left out: {skipped}. Fingerprint of the prepared data: `{fingerprint}`. Training took {seconds} s
with {train_config}; {versions}.

## What it is for, and what it is not for

For research on detection, for teaching, and as a starting point for a better model. Do not use it
as evidence about a person, to accuse or clear anyone, to moderate content without a human who
decides, or in any decision with legal, financial or personal effect. Do not use it to tune fakes
until they pass.

## What it cannot tell

- It looks at faces only: not at sound, text, background, or a true video in a false context.
- It knows the manipulations that it was trained on. Fully generated video and newer methods are out
  of its sight.
- Heavy compression, screen recording, filters, small, dark or turned faces lead to errors both
  ways.
- Its training data holds few identities. Error rates between groups of people were not measured and
  may differ.
- "Real" means that no trace was found. It does not prove that a video is authentic.

## Privacy

The model runs where you run it, and sends nothing anywhere. Faces are personal data: score only
videos that you may process. It compares no identities and stores no faces.

## Licence

Weights: CC BY-NC 4.0, research use, because the ImageNet weights and the training clips are
non-commercial. The terms of FaceForensics++ also bind whoever uses its data. The code of dfjax is
Apache-2.0.

## Sources

- A. Rössler et al., FaceForensics++: Learning to Detect Manipulated Facial Images, ICCV 2019: the
  clips.
- K. He et al., Deep Residual Learning for Image Recognition, CVPR 2016: the encoder.
- P. Stock et al., And the Bit Goes Down: Revisiting the Quantization of Neural Networks, ICLR 2020:
  its weights.
- K. Zhang et al., Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
  Networks, IEEE Signal Processing Letters, 2016: the faces.
"""


def model_card(
    config: Config,
    *,
    training: Mapping[str, Any],
    model_id: str = MODEL_ID_PLACEHOLDER,
) -> str:
    """Returns the README.md of a checkpoint: YAML front matter and Markdown.

    Args:
      config: The checkpoint's config; its thresholds and shapes are stated.
      training: What training recorded in `training.json`; every figure is taken from there.
      model_id: Repository or folder named in the example. The default is replaced by a push.

    Raises:
      ModelFormatError: `training` lacks a value that the card states, or it is not finite.
    """
    auc = _number(training, "validation", "auc")
    interval = _interval(training, "validation", "auc_interval")
    mean_auc = _number(training, "validation", "auc_mean_of_frames")
    mean_interval = _interval(training, "validation", "auc_mean_of_frames_interval")
    data_name = str(_value(training, "data", "name"))
    confusion = {
        key: _count(training, "validation", "confusion", key)
        for key in ("true_real", "false_fake", "false_real", "true_fake")
    }
    calibration = config.calibration
    return _TEMPLATE.format(
        front_matter=_front_matter(data_name, auc, model_id).to_yaml(),
        image_size=config.crops.image_size,
        lstm="a bidirectional LSTM" if config.detector.bidirectional else "an LSTM",
        num_frames=config.video.num_frames,
        train_clips=_count(training, "data", "train", "clips"),
        data_name=data_name,
        model_id=model_id,
        rule=calibration.caveat
        or f"`probability_fake` under {calibration.real_below:.3f} is called real, over "
        f"{calibration.fake_above:.3f} fake, and uncertain between them.",
        scored=_count(training, "validation", "videos"),
        num_bootstrap=_count(training, "validation", "num_bootstrap"),
        interval_over=_value(training, "validation", "interval_over"),
        auc=f"{auc:.3f}",
        auc_interval="{:.3f} to {:.3f}".format(*interval),
        mean_auc=f"{mean_auc:.3f}",
        mean_auc_interval="{:.3f} to {:.3f}".format(*mean_interval),
        comparison=_comparison(auc, interval, mean_auc, mean_interval),
        threshold=f"{_number(training, 'validation', 'threshold'):.3f}",
        balanced_accuracy=f"{_number(training, 'validation', 'balanced_accuracy'):.3f}",
        per_method="\n".join(_method_rows(training)),
        train_row=_split_row(training, "train"),
        validation_row=_split_row(training, "validation"),
        skipped=_listed(training, "data", "skipped"),
        fingerprint=_value(training, "data", "fingerprint"),
        seconds=f"{_number(training, 'seconds'):.0f}",
        train_config=_listed(training, "train_config"),
        versions=_listed(training, "versions"),
        **confusion,
    )


def _front_matter(data_name: str, auc: float, model_id: str) -> ModelCardData:
    """Returns the metadata that the Hub reads."""
    result = EvalResult(
        task_type="video-classification",
        task_name="Deepfake detection",
        dataset_type="faceforensics",
        dataset_name=data_name,
        dataset_split="validation",
        metric_type="roc_auc",
        metric_name="Video-level ROC AUC",
        metric_value=round(auc, 4),
    )
    return ModelCardData(
        license="cc-by-nc-4.0",
        library_name="dfjax",
        pipeline_tag="video-classification",
        tags=["deepfake-detection", "face-forensics", "jax", "flax"],
        metrics=["roc_auc"],
        model_name=model_id,
        eval_results=[result],
    )


def _comparison(
    auc: float,
    interval: tuple[float, float],
    mean_auc: float,
    mean_interval: tuple[float, float],
) -> str:
    """Returns in words what the two AUCs and their intervals do and do not show."""
    if auc > mean_auc:
        sentences = ["The LSTM's AUC is higher than that of the mean of the frames."]
    else:
        sentences = ["The LSTM does not beat the mean of the frames."]
    if interval[0] <= mean_interval[1] and mean_interval[0] <= interval[1]:
        sentences.append("The intervals overlap, so take neither as the better one.")
    if interval[0] <= 0.5:
        sentences.append("The LSTM's interval reaches down to chance.")
    return " ".join(sentences)


def _method_rows(training: Mapping[str, Any]) -> list[str]:
    """Returns a table row per manipulation method."""
    where = ("validation", "per_method")
    return [
        f"| {method} | {_number(training, *where, method, 'auc'):.3f} "
        f"| {_count(training, *where, method, 'videos')} |"
        for method in _mapping(training, *where)
    ]


def _split_row(training: Mapping[str, Any], split: str) -> str:
    """Returns the cells of one split: videos, clips, real, fake, identity groups."""
    keys = ("videos", "clips", "real", "fake", "groups")
    return " | ".join(str(_count(training, "data", split, key)) for key in keys)


def _listed(training: Mapping[str, Any], *keys: str) -> str:
    """Returns the entries of the mapping under `keys` in one line."""
    entries = _mapping(training, *keys).items()
    return ", ".join(f"{key} {value}" for key, value in entries) or "nothing"


def _value(training: Mapping[str, Any], *keys: str) -> Any:
    """Returns the value under `keys`, one inside the other."""
    value: Any = training
    for key in keys:
        if not isinstance(value, Mapping) or value.get(key) is None:
            raise ModelFormatError(
                f"training.json has no `{'.'.join(keys)}`, which the model card states. "
                "Train again with this version of dfjax."
            )
        value = value[key]
    return value


def _mapping(training: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """Returns the object under `keys`."""
    value = _value(training, *keys)
    if not isinstance(value, Mapping):
        raise _unusable(keys, value, "an object")
    return value


def _number(training: Mapping[str, Any], *keys: str) -> float:
    """Returns the finite number under `keys`."""
    value = _value(training, *keys)
    if not _is_finite(value):
        raise _unusable(keys, value, "a finite number")
    return value


def _count(training: Mapping[str, Any], *keys: str) -> int:
    """Returns the whole number under `keys`."""
    value = _value(training, *keys)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _unusable(keys, value, "a whole number")
    return value


def _interval(training: Mapping[str, Any], *keys: str) -> tuple[float, float]:
    """Returns the two ends of the interval under `keys`."""
    value = _value(training, *keys)
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(_is_finite, value)):
        raise _unusable(keys, value, "two finite numbers, [low, high]")
    return value[0], value[1]


def _is_finite(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _unusable(keys: tuple[str, ...], value: Any, needed: str) -> ModelFormatError:
    return ModelFormatError(
        f"`{'.'.join(keys)}` in training.json is {value!r}; the model card needs {needed}."
    )
