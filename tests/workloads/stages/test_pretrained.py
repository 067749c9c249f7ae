"""A sweep can start from a network that somebody else trained, and from no other file than was meant."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from workloads.architectures.lenet300 import Lenet300
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.datasets.digits import Digits
from workloads.masks import prunable
from workloads.pruning.magnitude import Magnitude
from workloads.stages._networks import read
from workloads.stages.classify import Classify
from workloads.stages.features import Features
from workloads.stages.pretrained import Pretrained
from workloads.stages.prune import Prune

SMALL = Mlp(hidden=(30,))


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("SPARSWEEP_DATA", str(folder))
    return folder


def digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stage(path, **fields) -> Pretrained:
    given = {"architecture": SMALL, "dataset": Digits(), "file": path.name, "sha256": digest(path)}
    return Pretrained(**given | fields)


def saved(root, content, name="net.pt"):
    torch.save(content, root / name)
    return root / name


def foreign(network) -> dict[str, torch.Tensor]:
    """The weights of a network as somebody else has them: without our normalisation."""
    return {key: value for key, value in network.state_dict().items() if key not in ("mean", "std")}


@pytest.mark.parametrize("kind", ["safetensors", "torch", "old torch"])
def test_the_network_of_a_file_answers_as_the_one_it_was_made_of(kind, root, runs, trained):
    tensors = load_file(trained / "model.safetensors")
    path = root / "net"
    if kind == "safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "torch")
    folder = runs.output(stage(path))
    assert runs.files(folder)["model.safetensors"] == runs.files(trained)["model.safetensors"]
    (_, ours), (_, theirs) = (runs(Classify(), models=[given]) for given in (folder, trained))
    assert ours["test.accuracy"] == theirs["test.accuracy"] > 0.5


def test_it_is_published_as_a_training_publishes_and_says_what_is_not_counted(root, runs):
    path = saved(root, SMALL.network((1, 8, 8), 10, 3).state_dict())
    space, metrics = runs(stage(path, epochs=7))
    assert metrics == {"epochs": 7.0, "density": 1.0}
    assert space.warnings == ["the weights come from a file: FLOPs that made them are not counted"]
    description = json.loads((space.output / "network.json").read_text(encoding="utf-8"))
    assert description["epochs"] == 7
    assert description["shape"] == [1, 8, 8]
    assert description["classes"] == 10
    pruned = runs.output(Prune(criterion=Magnitude(), sparsity=0.5), model=space.output)
    assert read(pruned).epochs == 7


def test_names_may_begin_with_a_prefix_and_lie_below_an_entry(root, runs):
    network = SMALL.network((1, 8, 8), 10, 3)
    parallel = {f"module.{key}": value for key, value in foreign(network).items()}
    path = saved(root, {"epoch": 3, "state_dict": parallel})
    found = read(runs.output(stage(path, entry="state_dict", prefix="module."))).network
    assert torch.equal(found.head.weight, network.head.weight)


def test_a_prefix_that_only_some_names_have_is_refused_where_two_would_be_one(root, runs):
    weights = foreign(SMALL.network((1, 8, 8), 10, 3))
    path = saved(root, weights | {"module.head.bias": weights["head.bias"]})
    with pytest.raises(ValueError, match=r"names both with and without the prefix 'module\.'"):
        runs(stage(path, prefix="module."))


@pytest.mark.parametrize("counts", [True, False])
def test_tensors_of_other_names_match_by_their_order(counts, root, runs):
    weights = foreign(Resnet8(width=4).network((1, 8, 8), 10, 3))
    theirs = {f"net.{key.replace('norm', 'bn')}": value for key, value in weights.items()}
    if not counts:  # files of old versions of torch do not count the batches of a norm
        theirs = {key: value for key, value in theirs.items() if "num_batches" not in key}
    path = saved(root, theirs)
    found = read(runs.output(stage(path, architecture=Resnet8(width=4), match="order"))).network
    assert all(torch.equal(value, weights[key]) for key, value in foreign(found).items())


def test_a_file_without_statistics_takes_those_of_the_data_set_or_those_that_are_given(root, runs, trained):
    path = saved(root, foreign(SMALL.network((1, 8, 8), 10, 3)))
    own, given = (
        read(runs.output(stage(path, **fields))) for fields in ({}, {"mean": (0.5,), "std": (0.25,)})
    )
    assert torch.equal(own.network.mean, read(trained).network.mean)
    assert torch.equal(own.network.std, read(trained).network.std)
    assert (given.network.mean.item(), given.network.std.item()) == (0.5, 0.25)
    with pytest.raises(
        ValueError, match=r"mean must have a value for each of 1 channels, got \(0\.5, 0\.5\)"
    ):
        runs(stage(path, mean=(0.5, 0.5), std=(0.5, 0.5)))


@torch.no_grad()
def test_weights_that_are_exactly_zero_are_masked_unless_it_is_said_otherwise(root, runs):
    network = SMALL.network((1, 8, 8), 10, 3)
    network.head.weight[:, :15] = 0
    path = saved(root, foreign(network))
    size = sum(weight.numel() for weight in prunable(network).values())
    space, metrics = runs(stage(path))
    masks = read(space.output).masks
    assert sorted(masks) == ["body.hidden1.weight", "head.weight"]
    assert torch.equal(masks["head.weight"], network.head.weight != 0)
    assert masks["body.hidden1.weight"].all()
    assert metrics["density"] == pytest.approx(1 - 150 / size)
    space, metrics = runs(stage(path, masks="none"))
    assert read(space.output).masks == {}
    assert metrics["density"] == 1.0


def test_a_wrong_digest_says_the_real_one(root, runs):
    path = saved(root, foreign(SMALL.network((1, 8, 8), 10, 3)))
    with pytest.raises(ValueError, match=rf"sha256 must be {'0' * 64}, the file has {digest(path)}"):
        runs(stage(path, sha256="0" * 64))


def test_a_file_that_is_not_there_is_said_with_its_whole_path(root, runs):
    missing = Pretrained(architecture=SMALL, dataset=Digits(), file="none.pt", sha256="0" * 64)
    with pytest.raises(ValueError, match=f"there is no file {root / 'none.pt'}"):
        runs(missing)


def test_weights_that_do_not_fit_are_one_error_with_all_their_names(root, runs):
    weights = foreign(SMALL.network((1, 8, 8), 10, 3))
    del weights["head.bias"]
    weights["fc.bias"] = torch.zeros(10)
    weights["head.weight"] = torch.zeros(4, 30)
    weights["body.hidden1.bias"] = torch.full((30,), torch.nan)
    path = saved(root, weights)
    with pytest.raises(ValueError) as caught:
        runs(stage(path))
    assert str(caught.value) == (
        "the weights of the file must be those of the network; missing: head.bias; unexpected: fc.bias; "
        "of another shape: head.weight (4, 30) for head.weight (10, 30); not finite: body.hidden1.bias"
    )


def test_a_long_list_of_names_is_cut(root, runs):
    path = saved(root, {f"layer{number}": torch.zeros(1) for number in range(9)})
    with pytest.raises(ValueError, match=r"unexpected: layer0, layer1, layer2, layer3, layer4 and 4 more$"):
        runs(stage(path))


def test_another_number_of_tensors_does_not_match_by_order(root, runs):
    weights = foreign(SMALL.network((1, 8, 8), 10, 3))
    path = saved(root, {**weights, "more": torch.zeros(1)})
    with pytest.raises(ValueError, match="the network needs 4 tensors in order, the file has 5"):
        runs(stage(path, match="order"))
    save_file(weights, root / "net.safetensors")
    with pytest.raises(ValueError, match=r"match by order in a file of torch\.save alone"):
        runs(stage(root / "net.safetensors", match="order"))


def test_a_file_with_more_than_tensors_says_what_it_has(root, runs):
    path = saved(root, {"epoch": 3, "weights": {}})
    with pytest.raises(ValueError, match="tensors by name, or entry say where; it has epoch, weights"):
        runs(stage(path))
    with pytest.raises(ValueError, match="there is no entry 'model'; it has epoch, weights"):
        runs(stage(path, entry="model"))
    path = saved(root, torch.zeros(3))
    with pytest.raises(ValueError, match="it is a Tensor"):
        runs(stage(path))


def test_a_file_with_objects_is_refused_and_nothing_in_it_runs(root, runs):
    path = saved(root, nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"must hold tensors alone, it has .*Linear.*; save a state_dict"):
        runs(stage(path))


def test_a_file_that_is_neither_kind_is_refused(root, runs):
    path = root / "net.bin"
    path.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{nothing of use}")
    with pytest.raises(ValueError, match=r"must be safetensors or a file of torch\.save"):
        runs(stage(path))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"file": "/net.pt"}, "file must be a name below the data root .*, got '/net.pt'"),
        ({"file": "../net.pt"}, "file must be a name below the data root .*, got '../net.pt'"),
        ({"file": ""}, "file must be a name below the data root .*, got ''"),
        ({"sha256": "abc"}, "sha256 must be 64 hexadecimal digits in lower case, got 'abc'"),
        ({"mean": (0.5,)}, r"mean and std must be given together, got \(0.5,\) and None"),
        ({"mean": (0.5,), "std": (0.0,)}, r"std must be above 0 for every channel, got \[0.0\]"),
        ({"epochs": -1}, "epochs must not be negative, got -1"),
        ({"match": "order", "prefix": "a."}, "prefix has no say where tensors match by order, got 'a.'"),
    ],
)
def test_fields_that_make_no_sense_are_refused(fields, message):
    given = {"architecture": SMALL, "dataset": Digits(), "file": "net.pt", "sha256": "0" * 64}
    with pytest.raises(ValueError, match=message):
        Pretrained(**given | fields)


@pytest.mark.parametrize("initial", ["he", "glorot"])
def test_a_network_without_biases_goes_through_every_stage(initial, runs):
    folder = runs.output(runs.small(architecture=Lenet300(bias=False, initial=initial)))
    assert "head.bias" not in load_file(folder / "model.safetensors")
    assert runs(Classify(), models=[folder])[1]["test.accuracy"] > 0.5
    outputs = load_file(runs.output(Features(), model=folder) / "outputs.safetensors")
    assert outputs["head.bias"].tolist() == [0.0] * 10
    assert torch.allclose(outputs["features"] @ outputs["head.weight"].T, outputs["logits"], atol=1e-4)
