"""MOON and CigL as trainings: their parts go together, plug into any topology, and refuse what cannot be."""

from __future__ import annotations

import pytest
from safetensors.torch import load_file

from orchestrator.build import build
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.averaging.cigl import Cigl
from workloads.averaging.ema import Ema
from workloads.averaging.moon import Moon
from workloads.averaging.swa import Swa
from workloads.datasets.noise import Noise
from workloads.detectors.msp import Msp
from workloads.objectives.unknown_aware import UnknownAware
from workloads.sparse_training.base import Sparsify
from workloads.sparse_training.rigl import Rigl
from workloads.sparse_training.static import Static
from workloads.stages.classify import Classify
from workloads.stages.detect import Detect
from workloads.stages.features import Features
from workloads.stages.train import Train


def sparse(name):
    often = {} if name == "static" else {"interval": 3}
    return build(Sparsify, {"name": name, "sparsity": 0.8, **often})


@pytest.mark.parametrize("topology", ["static", "set", "rigl"])
def test_moon_plugs_into_sparse_training_and_needs_no_warning(topology, runs):
    stage = runs.small(
        architecture=Mlp(hidden=(50,), unknown_outputs=1),
        objective=UnknownAware(),
        averaging=Moon(),
        sparsify=sparse(topology),
        epochs=10,
    )
    space, metrics = runs(stage)
    assert space.warnings == []
    assert metrics["averaged"] == 3  # the ends of epochs 8, 9 and 10
    assert metrics["validation.accuracy"] > 0.85
    prunable = 64 * 50 + 50 * 11
    assert metrics["density"] == 0.2
    tensors = load_file(space.output / "model.safetensors")
    weights = [name.removeprefix("mask/") for name in tensors if name.startswith("mask/")]
    assert sum(tensors[name].count_nonzero() for name in weights) <= 0.2 * prunable
    assert all(not tensors[name][~tensors[f"mask/{name}"]].any() for name in weights)
    _, clean = runs(Classify(), model=space.output)
    assert clean["test.accuracy"] > 0.85
    fit, inside, outside = (
        runs.output(look, model=space.output)
        for look in (Features(split="train"), Features(), Features(dataset=Noise()))
    )
    _, far = runs(Detect(detector=Msp()), train=fit, inside=inside, outside=outside)
    assert far["auroc"] > 0.7


def test_the_batch_norm_of_an_averaged_network_fits_its_weights(runs):
    fields = {"architecture": Resnet8(width=4), "epochs": 8}
    _, clean = runs(runs.small(averaging=Moon(), **fields))
    _, last = runs(runs.small(**fields))
    assert clean["validation.accuracy"] > last["validation.accuracy"] - 0.05


@pytest.mark.parametrize("averaging", [Swa(begin=0.6), Ema(), Moon(begin=0.74)])
def test_a_window_that_begins_before_the_topology_stays_is_refused(averaging, runs):
    with pytest.raises(ValueError, match=r"averaging window must begin when .* 0\.75 of the training; got"):
        runs.small(averaging=averaging, sparsify=Rigl(sparsity=0.5))
    runs.small(averaging=averaging, sparsify=Static(sparsity=0.5))
    runs.small(averaging=averaging, sparsify=Rigl(sparsity=0.5, end=0.0))


def test_an_average_of_masked_weights_may_begin_while_the_topology_changes(runs):
    stage = runs.small(averaging=Cigl(begin=0.7), sparsify=Rigl(sparsity=0.8, interval=5), epochs=8)
    _, metrics = runs(stage)
    assert metrics["averaged"] == 3
    assert metrics["density"] == pytest.approx(0.2)
    assert metrics["validation.accuracy"] > 0.75


def test_an_average_of_one_moment_is_said_to_be_none(runs):
    space, metrics = runs(runs.small(averaging=Moon()))
    assert metrics["averaged"] == 1
    assert space.warnings == ["the averaging window held the weights of 1 moments: nothing was averaged"]


def test_the_unknown_aware_objective_needs_an_unknown_output_before_anything_runs(runs):
    with pytest.raises(ValueError, match="unknown_aware needs an architecture with unknown_outputs"):
        runs.small(objective=UnknownAware())


def test_a_network_that_is_read_needs_an_unknown_output_too(runs, trained):
    with pytest.raises(ValueError, match="unknown_aware needs an architecture with unknown_outputs"):
        runs(Train(seed=0, epochs=1, objective=UnknownAware()), model=trained)
