"""Certification of a trained network, checked on what it stores and against an attack."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import load_file

from workloads.pruning.magnitude import Magnitude
from workloads.stages.certify import Certify
from workloads.stages.prune import Prune

FAST = Certify(n0=20, n=200, samples=40, sigma=0.12, radii=(0.0, 0.1, 0.2), alpha=0.01)


def test_the_numbers_are_those_of_the_stored_certificates(runs, trained):
    space, metrics = runs(FAST, model=trained)
    stored = load_file(space.output / "certificates.safetensors")
    right, radii = stored["answers"] == stored["labels"], stored["radii"]
    assert len(radii) == 40
    for radius in FAST.radii:
        expected = (right & (radii >= radius)).double().mean().item()
        assert metrics[f"test.certified_{radius:g}"] == expected
    assert metrics["test.certified_0"] > metrics["test.certified_0.2"]
    assert metrics["test.abstained"] == radii.isnan().double().mean().item()
    assert metrics["test.mean_radius"] == pytest.approx(radii[right].nan_to_num().sum().item() / 40)
    assert metrics["test.clean_accuracy"] > 0.5
    assert not space.warnings
    assert space.measured["seconds_per_image"] > 0


def test_a_sparse_network_is_certified_for_fewer_operations(runs, trained):
    sparse = runs.output(Prune(criterion=Magnitude(), sparsity=0.5), model=trained)
    dense, pruned = (runs(FAST, model=folder)[1] for folder in (trained, sparse))
    assert dense["forward_passes"] == pruned["forward_passes"] == 40 * 220
    assert dense["flops"] == 40 * 220 * 2 * (64 * 30 + 30 * 10)
    assert pruned["flops"] == pytest.approx(dense["flops"] / 2, rel=1e-3)


def test_radii_that_no_network_could_reach_are_named(runs, trained):
    stage = Certify(n0=5, n=100, samples=2, sigma=0.1, radii=(0.1, 0.2, 1.0))
    space, metrics = runs(stage, model=trained)
    assert metrics["test.certified_1"] == 0
    (warning,) = space.warnings
    assert warning.startswith("no network can be certified at 0.2, 1: with 100 draws, sigma 0.1")


def test_fewer_images_are_some_of_the_same(runs, trained):
    few, many = (
        load_file(runs.output(Certify(n0=5, n=20, samples=count), model=trained) / "certificates.safetensors")
        for count in (5, 10)
    )
    shared = torch.isin(many["places"], few["places"])
    assert shared.sum() == 5
    assert torch.equal(many["votes"][shared], few["votes"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sigma": 0}, "sigma must be positive, got 0"),
        ({"sigma": 64}, r"sigma is in units of the pixel range \[0, 1\], got 64; for 0..255 write 64/255"),
        ({"sigma": math.nan}, "sigma must be positive, got nan"),
        ({"n": 0}, "n must be at least 1, got 0"),
        ({"alpha": 0.5}, r"alpha must be in \(0, 0.5\), got 0.5"),
        ({"radii": (0.1, 0.1)}, "radii must be different and not negative"),
        ({"samples": 0}, "samples must be at least 1, got 0"),
    ],
)
def test_fields_that_certify_nothing_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Certify(**fields)
