"""What every stage promises: equal bytes, a clean process, numbers, no test split while it learns."""

from __future__ import annotations

import copy
import hashlib
import math
import random
import shutil

import numpy as np
import pytest
import torch

from orchestrator.build import build_class, data_of, find, names
from orchestrator.identity import address
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.attacks.pgd import Pgd
from workloads.channels.norm import Norm
from workloads.datasets.digits import Digits
from workloads.datasets.textures import Textures
from workloads.detectors.energy import Energy
from workloads.network_detectors.odin import Odin
from workloads.pruning.random import Random
from workloads.sensitivities.weight_perturbation import WeightPerturbation
from workloads.sparse_training.rigl import Rigl
from workloads.stages import _data
from workloads.stages.attack import Attack
from workloads.stages.base import TorchStage
from workloads.stages.calibrate import Calibrate
from workloads.stages.certify import Certify
from workloads.stages.classify import Classify
from workloads.stages.corruptions import Corruptions
from workloads.stages.detect import Detect
from workloads.stages.features import Features
from workloads.stages.initialise import Initialise
from workloads.stages.interpolate import Interpolate
from workloads.stages.pretrained import Pretrained
from workloads.stages.probe import Probe
from workloads.stages.prune import Prune
from workloads.stages.prune_channels import PruneChannels
from workloads.stages.sensitivity import Sensitivity

STAGES = names("workloads.stages")
LEARNING = ("initialise", "interpolate", "pretrained", "prune", "prune_channels", "sensitivity", "train")


@pytest.fixture(scope="module")
def weights(trained, tmp_path_factory):
    """Reads the weights of `trained` from a file in the data root, which is a folder of its own here."""
    file = shutil.copy(trained / "model.safetensors", tmp_path_factory.mktemp("data") / "net.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARSWEEP_DATA", str(file.parent))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        yield Pretrained(architecture=Mlp(hidden=(30,)), dataset=Digits(), file=file.name, sha256=digest)


@pytest.fixture(scope="module")
def cases(shared_runs, trained, weights):
    """Stage name -> a stage of that name and what it reads."""
    fit, held, inside, outside = (
        shared_runs.output(stage, model=trained)
        for stage in (
            Features(split="train"),
            Features(split="validation"),
            Features(),
            Features(dataset=Textures()),
        )
    )
    return {
        "attack": (Attack(attack=Pgd(steps=2), samples=50), {"model": trained}),
        "calibrate": (Calibrate(), {"inside": inside, "validation": held}),
        "certify": (Certify(n0=5, n=20, samples=10), {"model": trained}),
        "classify": (Classify(), {"models": [trained, trained]}),
        "corruptions": (
            Corruptions(corruptions=("fog", "shot_noise"), severities=(1, 5)),
            {"model": trained, "reference": trained},
        ),
        "detect": (Detect(detector=Energy()), {"train": fit, "inside": inside, "outside": outside}),
        "features": (Features(), {"model": trained}),
        "initialise": (Initialise(architecture=Mlp(), dataset=Digits(), seed=0), {}),
        "interpolate": (
            Interpolate(attack=Pgd(steps=2), steps=2, samples=50),
            {
                "start": trained,
                "end": shared_runs.output(shared_runs.small(epochs=1, only=("head",)), model=trained),
            },
        ),
        "pretrained": (weights, {}),
        "probe": (Probe(detector=Odin(), dataset=Textures(count=20), samples=20), {"model": trained}),
        "prune": (Prune(criterion=Random(), sparsity=0.5), {"model": trained}),
        "prune_channels": (PruneChannels(criterion=Norm(), sparsity=0.5), {"model": trained}),
        "sensitivity": (
            Sensitivity(measure=WeightPerturbation(epochs=1), attack=Pgd(steps=2), samples=50),
            {"model": trained},
        ),
        "train": (
            shared_runs.small(architecture=Resnet8(width=4), sparsify=Rigl(sparsity=0.5, interval=3)),
            {},
        ),
    }


def test_every_stage_is_looked_at_here(cases):
    assert sorted(cases) == list(STAGES)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_gives_finite_numbers(name, cases, runs):
    stage, inputs = cases[name]
    space, metrics = runs(stage, **inputs)
    assert metrics
    assert all(isinstance(key, str) and type(value) is float for key, value in metrics.items())
    assert all(math.isfinite(value) for value in [*metrics.values(), *space.measured.values()])


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_repeats_itself_to_the_byte(name, cases, runs):
    stage, inputs = cases[name]
    (first, one), (second, two) = (runs(stage, **inputs) for _ in range(2))
    assert runs.files(first.output) == runs.files(second.output)
    assert one == two
    assert (first.warnings, first.fingerprints) == (second.warnings, second.fingerprints)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_does_not_change_what_it_reads(name, cases, runs):
    stage, inputs = cases[name]
    folders = [
        folder for given in inputs.values() for folder in (given if isinstance(given, list) else [given])
    ]
    before = [runs.files(folder) for folder in folders]
    runs(stage, **inputs)
    assert [runs.files(folder) for folder in folders] == before


def global_state():
    cudnn = torch.backends.cudnn
    return {
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "fill": torch.utils.deterministic.fill_uninitialized_memory,
        "precision": torch.get_float32_matmul_precision(),
        "cudnn": (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32),
        "torch": torch.get_rng_state().tolist(),
        "numpy": repr(np.random.get_state()),
        "random": random.getstate(),
    }


@pytest.fixture
def odd_process():
    """A process as another stage or a notebook might have left it."""
    before = (torch.get_num_threads(), torch.get_default_dtype(), torch.get_float32_matmul_precision())
    deterministic = torch.get_deterministic_debug_mode()
    state = torch.get_rng_state()
    torch.set_num_threads(2)
    torch.set_default_dtype(torch.float64)
    torch.set_float32_matmul_precision("medium")
    torch.set_deterministic_debug_mode("default")
    torch.manual_seed(123)
    with torch.no_grad():
        yield
    torch.set_num_threads(before[0])
    torch.set_default_dtype(before[1])
    torch.set_float32_matmul_precision(before[2])
    torch.set_deterministic_debug_mode(deterministic)
    torch.set_rng_state(state)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_leaves_no_global_state_behind_and_does_not_depend_on_any(name, cases, runs, odd_process):
    stage, inputs = cases[name]
    before = global_state()
    odd, metrics = runs(stage, **inputs)
    assert global_state() == before
    torch.set_default_dtype(torch.float32)
    with torch.enable_grad():
        plain, expected = runs(stage, **inputs)
    assert metrics == expected
    assert runs.files(odd.output) == runs.files(plain.output)


def test_the_process_is_put_back_after_an_exception_too(runs):
    class Failing(TorchStage):
        def compute(self, space):
            torch.set_num_threads(3)
            torch.set_default_dtype(torch.float64)
            torch.rand(1)
            raise RuntimeError("on purpose")

    before = copy.deepcopy(global_state())
    with pytest.raises(RuntimeError, match="on purpose"):
        runs(Failing())
    assert global_state() == before


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("cpus", [0.5, 2.0])
def test_a_stage_runs_on_any_share_of_cpus_with_as_many_threads(name, cpus, cases, runs, monkeypatch):
    stage, inputs = cases[name]
    seen = []
    compute = type(stage).compute
    monkeypatch.setattr(
        type(stage),
        "compute",
        lambda self, space: seen.append(torch.get_num_threads()) or compute(self, space),
    )
    runs(stage, cpus=cpus, **inputs)
    assert seen == [max(1, int(cpus))]


@pytest.mark.parametrize("name", LEARNING)
def test_a_stage_that_learns_never_loads_the_test_split(name, cases, runs, monkeypatch):
    stage, inputs = cases[name]
    load = Digits.load

    def guarded(self, split, shape):
        assert split != "test", "a stage that learns asked for the test split"
        return load(self, split, shape)

    monkeypatch.setattr(Digits, "load", guarded)
    _data._learning.cache_clear()
    _data.viewed.cache_clear()
    runs(stage, **inputs)
    with pytest.raises(AssertionError, match="asked for the test split"):
        runs(cases["classify"][0], **cases["classify"][1])


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_rebuilt_from_its_fields_with_the_same_address(name, cases):
    stage, _ = cases[name]
    fields = {key: value for key, value in data_of(stage).items() if key != "name"}
    rebuilt = build_class(find("workloads.stages", name), fields)
    assert rebuilt == stage
    assert address(rebuilt, {}) == address(stage, {})


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_that_loads_images_says_what_they_were(name, cases, runs):
    stage, inputs = cases[name]
    found = runs(stage, **inputs)[0].fingerprints
    assert bool(found) == (name not in ("calibrate", "detect"))
    assert all(len(digest) == 64 for digest in found.values())
