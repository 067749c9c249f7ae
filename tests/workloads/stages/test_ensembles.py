"""Detection with the mean probabilities of several networks."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from orchestrator.build import build, names
from orchestrator.errors import SpecError
from orchestrator.spec import load
from workloads.architectures.mlp import Mlp
from workloads.attacks.fgsm import Fgsm
from workloads.datasets.textures import Textures
from workloads.detectors.base import Detector
from workloads.detectors.entropy import Entropy
from workloads.detectors.msp import Msp
from workloads.metrics.auroc import auroc
from workloads.stages.calibrate import Calibrate
from workloads.stages.classify import Classify
from workloads.stages.detect import Detect
from workloads.stages.features import Features

ABLE = {"msp", "entropy", "gen", "kl_matching"}


@pytest.fixture(scope="module")
def pair(shared_runs, trained):
    """Two networks of different seeds."""
    return [trained, shared_runs.output(shared_runs.small(seed=1))]


@pytest.fixture(scope="module")
def seen(shared_runs, pair):
    """What the pair makes of its training, validation and test images, and of textures."""
    stages = {
        "train": Features(split="train"),
        "validation": Features(split="validation"),
        "inside": Features(),
        "outside": Features(dataset=Textures(count=100)),
    }
    return {role: shared_runs.output(stage, models=pair) for role, stage in stages.items()}


def outputs(folder):
    return load_file(folder / "outputs.safetensors")


def test_an_ensemble_says_the_mean_of_its_members_probabilities(runs, pair, seen):
    members = [outputs(runs.output(Features(), model=member))["logits"].double() for member in pair]
    mean = torch.stack([logits.softmax(1) for logits in members]).mean(0)
    found = outputs(seen["inside"])
    assert torch.allclose(found["logits"].double().exp(), mean, rtol=1e-5)
    assert found["features"].shape == (400, 0)
    assert found["head.weight"].shape == (10, 0)


def test_detection_with_an_ensemble_agrees_with_a_plain_computation(runs, seen):
    roles = {role: seen[role] for role in ("train", "inside", "outside")}
    _, metrics = runs(Detect(detector=Entropy()), **roles)
    near, far = (outputs(seen[role])["logits"].double().softmax(1) for role in ("inside", "outside"))
    entropies = [-(p * p.log()).sum(1) for p in (near, far)]
    assert metrics["auroc"] == pytest.approx(auroc(*entropies), abs=1e-9)
    assert 0.5 < metrics["auroc"] < 1


def test_calibration_of_an_ensemble_is_that_of_its_mean_probabilities(runs, pair, seen):
    _, metrics = runs(Calibrate(), inside=seen["inside"], validation=seen["validation"])
    _, expected = runs(Classify(), models=pair)
    for name in ("accuracy", "nll", "ece", "brier"):
        assert metrics[f"test.{name}"] == pytest.approx(expected[f"test.{name}"], rel=1e-5)


@pytest.mark.parametrize("name", names(Detector))
def test_a_detector_takes_an_ensemble_if_it_reads_probabilities_alone(name, runs, seen):
    stage = Detect(detector=build(Detector, name))
    roles = {role: seen[role] for role in ("train", "inside", "outside")}
    if name in ABLE:
        assert runs(stage, **roles)[1]["auroc"] > 0.5
    else:
        with pytest.raises(
            ValueError, match=f"no logits or features for {name}; take one of entropy, gen, kl"
        ):
            runs(stage, **roles)


def test_outputs_of_two_ensembles_or_of_a_network_are_not_compared(runs, trained, pair, seen):
    other = runs.output(Features(), models=pair[::-1])
    alone = runs.output(Features(), model=trained)
    for inside in (other, alone):
        with pytest.raises(ValueError, match="must be outputs of one network, got those of several"):
            runs(Detect(detector=Msp()), train=seen["train"], inside=inside, outside=seen["outside"])
        with pytest.raises(ValueError, match="must be outputs of one network, got those of several"):
            runs(Calibrate(), inside=inside, validation=seen["validation"])


def test_members_must_have_equally_many_outputs(runs, pair):
    unknown = runs.output(runs.small(architecture=Mlp(hidden=(30,), unknown_outputs=1)))
    with pytest.raises(ValueError, match=r"equally many outputs, got \[10, 11\]"):
        runs(Features(), models=[pair[0], unknown])


def test_features_read_one_network_or_one_ensemble_and_attack_only_one_network():
    for reads in ([], ["model", "models"]):
        with pytest.raises(ValueError, match="features reads exactly one of model and models"):
            Features().check(reads)
    with pytest.raises(
        ValueError, match="an attack is on one network, and features of an ensemble take none"
    ):
        Features(attack=Fgsm()).check(["models"])
    Features(attack=Fgsm()).check(["model"])


SWEEP = """
name: ensembles
axes: {seed: [0, 1], sparsity: [0.5, 0.9]}
methods:
  pruned:
    base:  {stage: train, dataset: digits, architecture: mlp, epochs: 1, seed: $seed}
    model: {stage: prune, reads: {model: base}, criterion: magnitude, sparsity: $sparsity}
evaluate:
  fit: {stage: features, reads: {models: "model@{OVER: all}"}, split: train}
  all: {stage: features, reads: {models: "model@{OVER: all}"}, each: {dataset: [digits, DATASET]}}
  ood:
    stage: detect
    reads: {train: fit, inside: "all@{dataset: digits}", outside: "all@{dataset: DATASET}"}
    detector: DETECTOR
"""


def plan(tmp_path, over: str = "seed", dataset: str = "noise", detector: str = "msp"):
    file = tmp_path / "ensembles.yaml"
    text = SWEEP.replace("OVER", over).replace("DATASET", dataset).replace("DETECTOR", detector)
    file.write_text(text)
    return load(file).plan()


@pytest.mark.parametrize("over", ["seed", "sparsity"])
def test_a_plan_takes_ensembles_over_seeds_and_over_sparsities(tmp_path, over):
    nodes = [found.node(stage) for found in [plan(tmp_path, over)] for stage in range(len(found))]
    assert nodes.count("pruned.ood") == 2


def test_a_plan_refuses_what_an_ensemble_cannot_do(tmp_path):
    with pytest.raises(SpecError, match=r"evaluate\.ood: .*no logits or features for knn"):
        plan(tmp_path, detector="knn")
    with pytest.raises(SpecError, match=r"evaluate\.ood: .*both show 0, 1, 2"):
        plan(tmp_path, dataset="mnist")
