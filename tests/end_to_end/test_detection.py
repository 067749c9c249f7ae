"""Detectors on networks that have learned glyphs: far images are found, by single images and in batches."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean

import pytest

SWEEP = """
name: detection
axes: {seed: [0, 1, 2]}
methods:
  dense: {model: {stage: train, architecture: lenet, dataset: OWN, epochs: 8, seed: $seed, optimizer: adam}}
evaluate:
  clean:    {stage: classify, reads: {model: model}}
  fit:      {stage: features, reads: {model: model}, split: train}
  features: {stage: features, reads: {model: model}, each: {dataset: [OWN, textures, noise]}}
  alone:
    stage: detect
    reads: {train: fit, inside: "features@{dataset: OWN}", outside: "features@{dataset: $far}"}
    each: {far: [textures, noise], detector: [DETECTORS]}
  batches:
    stage: probe
    reads: {model: model}
    samples: 400
    each: {dataset: [textures, noise, {name: noise, kind: gaussian}], detector: [odin, batch_msp, sensnorm]}
"""
OWN = "{name: glyphs, alphabet: digits, jitter: 0.5, clutter: 0}"
DETECTORS = "msp, max_logit, entropy, energy, gen, react, knn, mahalanobis, relative_mahalanobis, vim"


@pytest.mark.slow
def test_every_serious_detector_finds_far_images_and_sensnorm_beats_the_mean_of_msp(sweep):
    text = SWEEP.replace("DETECTORS", DETECTORS).replace("OWN", OWN)
    far = sweep(text)
    far.run("run", "--engine", "inline")
    found = defaultdict(list)
    for manifest in far.manifests().values():
        if manifest.stage in ("detect", "probe"):
            found[manifest.fields["detector"]["name"]].append(manifest.metrics["auroc"])
    assert sorted(map(len, found.values())) == [6] * 10 + [9] * 3  # three seeds of two sets, and of three
    means = {name: fmean(values) for name, values in found.items()}
    assert min(means.values()) > 0.7, means
    assert means["sensnorm"] > means["batch_msp"], means
