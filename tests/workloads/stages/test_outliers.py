"""Networks and masks that learn with outliers, and detection that must not be measured on these."""

from __future__ import annotations

import pytest

from orchestrator.errors import SpecError
from orchestrator.spec import load
from workloads.datasets.digits import Digits
from workloads.datasets.noise import Noise
from workloads.datasets.textures import Textures
from workloads.detectors.msp import Msp
from workloads.objectives.outlier_exposure import OutlierExposure
from workloads.sparse_training.hydra import Hydra
from workloads.stages.detect import Detect
from workloads.stages.features import Features

TEXTURES = OutlierExposure(Textures(count=100), "validation")


def detected(runs, network):
    fit, inside = (runs.output(Features(split=split), model=network) for split in ("train", "test"))
    outside = runs.output(Features(dataset=Noise()), model=network)
    return runs(Detect(detector=Msp()), train=fit, inside=inside, outside=outside)[1]["auroc"]


def test_masks_that_are_learned_with_outliers_find_other_images_from_elsewhere(runs):
    dense = runs.output(runs.small(epochs=5))
    learned = [
        runs(
            runs.small(architecture=None, dataset=None, epochs=10, sparsify=Hydra(sparsity=0.5), **fields),
            model=dense,
        )
        for fields in ({}, {"objective": TEXTURES})
    ]
    plain, exposed = (detected(runs, space.output) for space, _ in learned)
    assert exposed > plain
    assert learned[1][1]["density"] == pytest.approx(0.5, abs=0.01)
    assert learned[1][1]["validation.accuracy"] > 0.8
    assert 'textures{"count":100} validation 1x8x8' in learned[1][0].fingerprints


def test_outliers_of_classes_that_are_learned_are_refused(runs, trained):
    own = OutlierExposure(Digits(keep=(0, 1)))
    with pytest.raises(ValueError, match=r"outliers must be of no class .* both show 0, 1"):
        runs.small(objective=own).check([])
    with pytest.raises(ValueError, match="outliers must be of no class that is learned"):
        runs(runs.small(architecture=None, dataset=None, objective=own), model=trained)


SWEEP = """
name: outliers
axes: {seed: [0]}
methods:
  exposed:
    dense:  {stage: train, dataset: glyphs, architecture: mlp, epochs: 1, seed: $seed}
    masks:
      stage: train
      reads: {model: dense}
      epochs: 1
      seed: $seed
      sparsify: {name: hydra, sparsity: 0.5}
      objective: {name: outlier_exposure, dataset: OUTLIERS}
    model:  {stage: train, reads: {model: masks}, epochs: 1, seed: $seed}
evaluate:
  own:    {stage: features, reads: {model: model}}
  others: {stage: features, reads: {model: model}, dataset: OUTSIDE}
  ood:    {stage: detect, reads: {train: own, inside: own, outside: others}, detector: msp ALLOWED}
  asked:  {stage: probe, reads: {model: model}, detector: odin, dataset: OUTSIDE ALLOWED}
"""
GREEK = "{name: glyphs, alphabet: greek}"


def plan(tmp_path, outliers: str, outside: str, allowed: str = ""):
    file = tmp_path / "outliers.yaml"
    text = SWEEP.replace("OUTLIERS", outliers).replace("OUTSIDE", outside).replace("ALLOWED", allowed)
    file.write_text(text)
    return load(file).plan()


@pytest.mark.parametrize(
    ("outliers", "outside"),
    [
        (GREEK, GREEK),
        (GREEK, "{name: glyphs, alphabet: greek, held_out: 5}"),
        ("{name: noise, kind: gaussian}, split: validation", "noise"),
        ("cifar10", "cifar10"),
    ],
)
def test_a_plan_refuses_to_detect_what_was_learned(tmp_path, outliers, outside):
    with pytest.raises(SpecError, match="must be none that the network learned as outliers") as refused:
        plan(tmp_path, outliers, outside)
    assert str(refused.value).count("learned as outliers") == 2  # detect and probe


def test_a_plan_takes_other_sets_and_what_is_allowed(tmp_path):
    plan(tmp_path, GREEK, "{name: glyphs, alphabet: georgian}")
    plan(tmp_path, GREEK, "noise")
    plan(tmp_path, GREEK, GREEK, ", allow_overlap: [glyphs]")
