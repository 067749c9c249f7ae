"""One small sweep of real networks: both engines, run again, extended, damaged."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

SWEEP = """
name: small
axes:
  dataset: [digits]
  method: [dense, magnitude, rigl]
  sparsity: [0.5, 0.9]
  seed: [0, 1]
methods:
  dense: {model: {stage: train, epochs: 3}}
  magnitude:
    pruned: {stage: prune, reads: {model: dense.model}, criterion: magnitude, sparsity: $sparsity}
    model:  {stage: train, reads: {model: pruned}, epochs: 1}
  rigl: {model: {stage: train, epochs: 3, sparsify: {name: rigl, sparsity: $sparsity, interval: 4}}}
evaluate:
  clean:    {stage: classify, reads: {model: model}}
  robust:   {stage: attack, reads: {model: model}, attack: {name: pgd, epsilon: 0.1, steps: 3}}
  features: {stage: features, reads: {model: model}, each: {dataset: [$dataset, noise]}}
  fit:      {stage: features, reads: {model: model}, split: train}
  ood:
    stage: detect
    reads: {train: fit, inside: "features@{dataset: $dataset}", outside: "features@{dataset: $ood}"}
    each: {ood: [noise], detector: [msp]}
  ensemble: {stage: classify, reads: {models: "model@{seed: all}"}}
defaults: {train: {architecture: ARCHITECTURE, dataset: $dataset, seed: $seed}}
resources: {train: {cpus: CPUS}}
tables: [{rows: method, columns: sparsity, value: clean.accuracy}]
"""


@pytest.mark.ray
@pytest.mark.parametrize(("cpus", "architecture"), [(1, "lenet"), (2, "mlp")])
def test_both_engines_give_the_same_bytes_and_run_each_stage_once(sweep, cpus, architecture):
    small = sweep(SWEEP.replace("CPUS", str(cpus)).replace("ARCHITECTURE", architecture))
    counts = small.counts()
    assert counts["unique"] < 0.8 * counts["stages"]
    assert (counts["done"], counts["missing"]) == (0, counts["unique"])
    inline_out, _ = small.run("run", "--engine", "inline", store="inline")
    ray_out, _ = small.run("run", "--engine", "ray", "--workers", "2", store="ray")
    assert ray_out == inline_out
    inline, ray = small.manifests("inline"), small.manifests("ray")
    assert len(inline) == len(ray) == counts["unique"]
    for address, manifest in inline.items():
        assert ray[address].metrics == manifest.metrics, manifest.node
        assert ray[address].digest == manifest.digest, manifest.node
    for store in ("inline", "ray"):
        finished = [event["address"] for event in small.events("finished", store)]
        assert sorted(finished) == sorted(inline)


def test_a_done_sweep_runs_nothing_and_an_extended_one_runs_what_is_new(sweep):
    text = SWEEP.replace("CPUS", "1").replace("ARCHITECTURE", "mlp")
    small = sweep(text)
    table, _ = small.run("run", "--engine", "inline")
    again, said = small.run("run", "--engine", "ray")
    assert again == table
    assert "Nothing to run" in said
    assert "ray" not in said.lower().replace("array", "")

    more = text.replace("noise]", "noise, textures]").replace("[msp]", "[msp, {name: knn, k: 20}]")
    small.file.write_text(more)
    small.run("run", "--engine", "inline")
    # of ten networks (2 dense, 4 magnitude, 4 rigl) the new set, and three pairs with the new set or detector
    nodes = Counter(event["node"].rpartition(".")[2] for event in small.events("finished"))
    assert nodes == {"features": 10, "ood": 30}

    small.file.write_text(text.replace("seed: [0, 1]", "seed: [0, 1, 2]"))
    small.run("run", "--engine", "inline")
    new = [small.manifests()[event["address"]] for event in small.events("finished")]
    assert all(m.point.get("seed") == 2 for m in new if not m.node.endswith("ensemble"))
    assert sum(m.node.endswith("ensemble") for m in new) == 5  # dense, and two sparsities of two methods
    assert sum(m.stage == "train" for m in new) == 5


def test_what_a_missing_stage_needs_is_rebuilt_and_nothing_else(sweep):
    small = sweep(SWEEP.replace("CPUS", "1").replace("ARCHITECTURE", "mlp"))
    table, _ = small.run("run", "--engine", "inline")
    plan, store = small.plan(), small.store()
    by_node = {}
    for stage in range(len(plan)):
        by_node.setdefault(plan.node(stage), []).append(plan.job(stage))
    pruned = by_node["magnitude.pruned"][0]
    store.discard(pruned.address)
    assert small.counts()["missing"] == 0  # nobody who needs it is missing
    (child,) = [job for job in by_node["magnitude.model"] if job.inputs["model"] == pruned.address]
    store.discard(child.address)
    assert small.run("run", "--engine", "inline")[0] == table
    assert {event["address"] for event in small.events("finished")} == {pruned.address, child.address}

    payload = small.folder / "results" / "payload" / pruned.address
    shutil.rmtree(payload)  # done, but its files are gone: found out when somebody needs them
    store.discard(child.address)
    assert small.run("run", "--engine", "inline")[0] == table
    assert {event["address"] for event in small.events("finished")} == {pruned.address, child.address}


def test_debug_runs_one_trial_in_order_into_the_same_store(sweep):
    small = sweep(SWEEP.replace("CPUS", "1").replace("ARCHITECTURE", "mlp"))
    small.run("debug", "--where", "method=magnitude", "--where", "sparsity=0.9", "--where", "seed=0")
    nodes = [manifest.node for manifest in sorted(small.manifests().values(), key=lambda m: m.finished)]
    assert nodes.index("dense.model") < nodes.index("magnitude.pruned") < nodes.index("magnitude.model")
    assert nodes.index("magnitude.model") < nodes.index("magnitude.clean")
    counts = small.counts()
    assert counts["done"] == len(nodes)
