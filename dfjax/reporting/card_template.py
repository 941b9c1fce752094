"""The text of a model card, with places for what `model_card` fills in."""

CARD = """\
---
{front_matter}
---

# dfjax: a deepfake-video detector

Given a video, this model estimates the probability that a face in it was manipulated, for the whole
video and for each frame. It detects and tracks faces (MTCNN), crops them to {image_size} x
{image_size} pixels, encodes each crop with {encoder} and scores each frame. The score of a clip of
up to {num_frames} frames of a face is their mean{correction}. {faces}

{trained} It was trained on {train_clips} face clips from {data_name}, and is for research.

## Use

```python
from dfjax import Predictor

predictor = Predictor.from_pretrained("{model_id}")
print(predictor("clip.mp4").to_dict())
```

The label is "real", "fake", "uncertain" or "no_face". {rule}

## How well it works

On the {split} split: {scored}. Parentheses show 95% intervals from {draws} bootstrap draws over
{over}. An area under the ROC curve (AUC) of 0.5 is chance, 1 is perfect.

{verdicts}{measures}

{comparison} The threshold is {threshold}. Counts at the threshold, and of the model's verdicts:

{decisions}

{operating_points}{notes}{novelty}\
Per manipulation method, each against the real videos of its data set and compression:

{per_method}

Per data set and compression:

{per_setting}

{failures}

{further}{unseen} Expect lower figures on other sources, codecs or manipulations.
`python -m dfjax evaluate` measures the model on other data.

## Training

{data_name}.{about} Training and validation share no group of identities; how well groups separate
people depends on the data set.

{splits}

Left out: {skipped}. Fingerprint of the prepared data: `{fingerprint}`. The run took {seconds} s
with {versions}. The published weights are those of step {step}, the {published}. \
{start}{share}{rounding}{before}

<details><summary>All training settings</summary>

{train_config}

</details>

## Train a better one

With your own copies of FaceForensics++ (published layout, with its split files) and DFDC, the files
of `microsoft/resnet-50`, a GPU, and the dfjax code, you can train the whole encoder on crops of 224
pixels; this model uses {image_size} pixels.

```
python -m dfjax prepare ffpp FFPP --out prepared/ffpp --compressions c23 c40 --codec-variants 1 \\
    --image-size 224
python -m dfjax prepare dfdc DFDC --out prepared/dfdc --image-size 224
python train.py --data prepared/ffpp prepared/dfdc --out runs/own --compute-dtype bfloat16 \\
    --trained-stages 5 --steps 20000 --pairs 16 --clip-frames 16 --augment-ramp 1000 \\
    --validate-every 1000
python -m dfjax evaluate prepared/ffpp prepared/dfdc --split validation --self-blended \\
    --shortcuts --roots FFPP DFDC --robustness --model runs/own/checkpoint --out report --card
```

`docs/training.md` in the project explains each part and what was tried.

## Intended use

For research on detection, for teaching, and as a starting point for a better model. Do not use it
as evidence about a person, to accuse or clear anyone, to moderate content without a human making
the decision, or in any decision with legal, financial or personal consequences. Do not use it to
tune fakes until they pass.

## Limitations

- It looks at faces only, not at sound, text, the background, or whether a genuine video is shown in
  a false context.
- It knows the kinds of manipulation it was trained on, and may miss others, such as newer methods
  and fully generated video.
- With detectors in general, heavy compression, screen recording, filters, and small, blurred or
  turned faces can cause errors in both directions. What was measured of this model is above.
- Its training data contains {train_groups} groups of identities. Error rates were not compared
  between demographic groups and may differ.
- "Real" means that the model finds too little to call a video manipulated. It does not prove that a
  video is authentic.

## Privacy

The model runs locally and sends no data anywhere. Faces are personal data: score only videos that
you are allowed to process. It does not compare identities or store faces.

## Licence

{licence} The terms of {datasets} also apply to anyone who uses that data. The dfjax code is
licensed under Apache-2.0.

## Sources

{sources}
"""
