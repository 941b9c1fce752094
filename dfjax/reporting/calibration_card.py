"""The card of a model that somebody else trained, and that was only calibrated here."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import ModelCardData

from dfjax.config import Config
from dfjax.data.sources import title
from dfjax.reporting.card import MODEL_ID_PLACEHOLDER
from dfjax.shown_numbers import threshold_percent

_CARD = """\
---
{front_matter}
---

# {name}, calibrated for verdicts

{origin} Its weights are unchanged. `calibration.json` beside them says how dfjax turns its scores
into probabilities and verdicts; it was fitted to {real} real and {fake} fake videos of {groups}
groups of identities from {datasets}, of the {split} split. How well it does on other videos was not
measured.

{rule}

Faces are cropped to {image_size} x {image_size} pixels, and {num_frames} frames of a short video
are scored.

## Use

```python
from dfjax import Predictor

predictor = Predictor.from_pretrained("{model_id}")
print(predictor("clip.mp4").to_dict())
```

`python -m dfjax evaluate` measures it on other data.
"""


def calibration_card(
    config: Config,
    *,
    base_model: str | None,
    license: str,
    calibrated_on: Mapping[str, Any],
) -> str:
    """Returns the README.md: YAML front matter and Markdown.

    Args:
      config: The model's, with its calibration.
      base_model: Hub repository of the weights; None: not known.
      license: Of the weights, as the Hub names it.
      calibrated_on: What the calibration was fitted on, as in `calibration.json`.
    """
    calibration = config.calibration
    rule = calibration.caveat
    if rule is None:
        rule = (
            f"A `probability_fake` below {calibration.real_below:.3f} is called real, above "
            f"{calibration.fake_above:.3f} fake, and between them uncertain."
        )
        of_real, of_fakes = calibration.false_positive_rate, calibration.false_negative_rate
        if of_real is not None and of_fakes is not None:
            rule += (
                f" Of people like those of the data, at most {threshold_percent(of_real)} of real "
                f"videos are called fake, and at most {threshold_percent(of_fakes)} of fakes real."
            )
    data = ModelCardData(
        license=license,
        library_name="dfjax",
        pipeline_tag="video-classification",
        tags=["deepfake-detection", "face-forensics", "jax", "flax"],
        base_model=base_model,
    )
    return _CARD.format(
        front_matter=data.to_yaml(),
        name=base_model or "A deepfake detector",
        origin=f"The model is [{base_model}](https://huggingface.co/{base_model})."
        if base_model
        else "The model was trained elsewhere.",
        real=calibrated_on["real"],
        fake=calibrated_on["fake"],
        groups=calibrated_on["groups"],
        datasets=", ".join(map(title, calibrated_on["datasets"])),
        split=calibrated_on["split"],
        rule=rule,
        image_size=config.crops.image_size,
        num_frames=config.video.num_frames,
        model_id=MODEL_ID_PLACEHOLDER,
    )
