"""Every objective, sparse training and average of weights: the same bytes in this process and in workers."""

from __future__ import annotations

import dataclasses
import json

import pytest

from orchestrator.build import find, names
from workloads.averaging.base import Averaging
from workloads.objectives.base import Objective
from workloads.sparse_training.base import Sparsify

SWEEP = """
name: every-training
axes:
  dataset: [digits]
  method: [changed, averaged, minimised]
  topology: {values: TOPOLOGIES, only: {method: changed}}
  average: {values: AVERAGES, only: {method: averaged}}
  objective: {values: OBJECTIVES, only: {method: minimised}}
  seed: [0]
methods:
  changed:  {model: {stage: train, sparsify: $topology}}
  averaged: {model: {stage: train, sparsify: {name: static, sparsity: 0.8}, averaging: $average}}
  minimised: {model: {stage: train, architecture: {name: lenet, unknown_outputs: 1}, objective: $objective}}
evaluate: {clean: {stage: classify, reads: {model: model}}}
defaults: {train: {architecture: lenet, dataset: $dataset, seed: $seed, epochs: 2}}
"""
#: Digits in batches of 128 make ten steps an epoch: what a method waits for must come soon.
CHANGES = {"sparsity": 0.8, "interval": 4, "interval_late": 3, "window": 1, "rises": 0.0}
#: Where they would all be the mean of a few weights: other weights, and other shares of them.
MEANS = {"begin": 0.5, "snapshots": "ten_per_epoch", "decay": 0.5}
#: Two epochs are two replays of half the images; a step of each attack is enough; photographs are outliers.
LOSSES = {
    "replays": 2,
    "steps": 1,
    "attack": {"name": "pgd", "steps": 1},
    "dataset": "textures",
    "split": "validation",
}


def every_one(base, settings):
    """Every component of a package, as data, with those of the settings that it has."""
    fields = {name: [field.name for field in dataclasses.fields(find(base, name))] for name in names(base)}
    return [
        {"name": name} | {key: settings[key] for key in settings if key in fields[name]} for name in fields
    ]


@pytest.mark.ray
@pytest.mark.slow
def test_both_engines_give_the_same_bytes_for_every_objective_sparse_training_and_average(sweep):
    topologies, averages = every_one(Sparsify, CHANGES), every_one(Averaging, MEANS)
    objectives = every_one(Objective, LOSSES)
    text = SWEEP.replace("TOPOLOGIES", json.dumps(topologies)).replace("AVERAGES", json.dumps(averages))
    every = sweep(text.replace("OBJECTIVES", json.dumps(objectives)))
    inline_out, _ = every.run("run", "--engine", "inline", store="inline")
    ray_out, _ = every.run("run", "--engine", "ray", "--workers", "2", store="ray")
    assert ray_out == inline_out
    inline, ray = every.manifests("inline"), every.manifests("ray")
    assert inline.keys() == ray.keys()
    trained = [manifest for manifest in inline.values() if manifest.stage == "train"]
    shared = 1  # `static`, and the last weights of it
    assert len(trained) == len(topologies) + len(averages) + len(objectives) - shared
    for address, manifest in inline.items():
        assert ray[address].metrics == manifest.metrics, manifest.point
        assert ray[address].digest == manifest.digest, manifest.point
    assert len({manifest.digest for manifest in trained}) == len(trained)  # no two of them do the same
