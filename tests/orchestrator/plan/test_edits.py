"""What editing a sweep file changes, and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from orchestrator.spec import load
from orchestrator.spec.source import read_file

DATA = Path(__file__).parents[2] / "data"
FILES = ("finetune", "lottery", "moon", "quickstart_shape", "search")


@pytest.fixture
def planned(tmp_path):
    """Plans the data of a sweep file."""

    def plan(data, where=()):
        path = tmp_path / "edited.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        return load(path, package="universe.stages").plan(where)

    return plan


def sweep(name):
    return read_file(DATA / f"{name}.yaml")


def kinds(plan, addresses):
    return {plan.stage_name(plan.id_of(address)) for address in addresses}


def added(before, after):
    """The addresses that are new, given that none is lost."""
    assert set(before.addresses) < set(after.addresses)
    return set(after.addresses) - set(before.addresses)


def turned(value, place=()):
    """``value`` with every mapping and list reversed, but where the order means something."""
    if isinstance(value, dict):
        return {key: turned(value[key], (*place, key)) for key in reversed(value)}
    if isinstance(value, list):
        is_node = (place[:1] == ("methods",) and len(place) == 3) or (
            place[:1] == ("evaluate",) and len(place) == 2
        )
        ordered = is_node or place == ("overrides",) or place[-1] == "loguniform"
        items = value if ordered else value[::-1]
        return [turned(item, (*place, "item")) for item in items]
    return value


def cells(plan):
    """The address of everything a trial points at, by its point."""
    return {
        (spelled(trial.point), output.node, spelled(output.each)): plan.addresses[output.stage]
        for trial in plan.trials
        for output in trial.outputs
    }


def spelled(point):
    """A point as text, less the order in which a mapping's fields are shown."""
    return tuple(sorted((key, "".join(sorted(str(value)))) for key, value in point.items()))


@pytest.mark.parametrize("name", FILES)
def test_reversing_every_mapping_and_list_changes_nothing(name, planned):
    data = sweep(name)
    before, after = planned(data), planned(turned(data))
    assert list(turned(data)["axes"]) == list(data["axes"])[::-1]
    assert set(before.addresses) == set(after.addresses)
    assert cells(before) == cells(after)
    assert before.chains() == after.chains()


@pytest.mark.parametrize("rounds", [[20], [0], [3, 8], [8, 3, 19], list(range(15))])
def test_listing_other_rounds_gives_no_address_that_a_full_listing_lacks(rounds, planned):
    data = sweep("lottery")
    full = set(planned(data).addresses)
    data["axes"]["round"] = rounds
    assert set(planned(data).addresses) <= full


@pytest.mark.parametrize("name", ["quickstart_shape", "moon"])
def test_one_more_detector_adds_only_detect_stages(name, planned):
    data = sweep(name)
    before = planned(data)
    nodes = data["evaluate"]["ood"]
    for node in nodes if isinstance(nodes, list) else [nodes]:
        node["each"]["detector"].insert(0, "mahalanobis")
    after = planned(data)
    new = added(before, after)
    assert kinds(after, new) == {"detect"}
    assert 3 * len(new) == sum(before.stage_name(stage) == "detect" for stage in range(len(before)))


@pytest.mark.parametrize("name", ["quickstart_shape", "moon"])
def test_one_more_ood_set_adds_only_its_features_and_detect_stages(name, planned):
    data = sweep(name)
    before = planned(data)
    for node, key in (("features", "dataset"), ("ood", "ood")):
        nodes = data["evaluate"][node]
        for alternative in nodes if isinstance(nodes, list) else [nodes]:
            alternative["each"][key].append("omniglot")
    after = planned(data)
    new = added(before, after)
    assert kinds(after, new) == {"features", "detect"}
    for address in new:
        assert "omniglot" in after.job(after.id_of(address)).point.values()


@pytest.mark.parametrize("name", FILES)
def test_one_more_seed_changes_only_what_gathers_all_seeds(name, planned):
    data = sweep(name)
    before = planned(data)
    data["axes"]["seed"].append(77)
    after = planned(data)
    lost = set(before.addresses) - set(after.addresses)
    gathers = {
        address
        for address in before.addresses
        if any(isinstance(given, list) for given in before.job(before.id_of(address)).inputs.values())
    }
    # the network that is included for one seed alone is an ensemble of one, before and after
    alone = {address for address in gathers if len(before.parents(before.id_of(address))) == 1}
    assert lost == gathers - alone
    assert bool(gathers) == (name == "quickstart_shape")


def test_one_more_sparsity_keeps_every_address_and_adds_no_dense_network(planned):
    data = sweep("quickstart_shape")
    before = planned(data)
    data["axes"]["sparsity"].append(0.99)
    after = planned(data)
    new = added(before, after)
    assert {after.job(after.id_of(address)).node.split(".")[0] for address in new} == {"magnitude", "rigl"}


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("quickstart_shape", ["method=rigl"]),
        ("quickstart_shape", ["architecture=resnet20"]),
        ("quickstart_shape", ["method=lottery", "round=8", "seed=[0, 2]"]),
        ("moon", ["architecture=wide_resnet", "dataset=mnist"]),
        ("finetune", ["finetune=none"]),
        ("lottery", ["round=20", "loss=pgd"]),
        ("search", ["tuned=1", "dataset=digits"]),
    ],
)
def test_a_selection_has_only_addresses_and_cells_of_the_whole(name, where, planned):
    data = sweep(name)
    whole, part = planned(data), planned(data, where)
    assert 0 < len(part.trials) < len(whole.trials)
    assert set(part.addresses) < set(whole.addresses)
    assert cells(part).items() < cells(whole).items()
