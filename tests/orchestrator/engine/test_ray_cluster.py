"""A cluster that nodes join and leave."""

from __future__ import annotations

import time

import pytest
import ray
from engine_stages.base import left
from importable import stages_importable
from small_plans import SmallPlan

from orchestrator.engine.ray_pool import RayPool
from orchestrator.errors import InputError, OrchestratorError

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    with stages_importable():
        started = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 80 * 2**20}
        )
        yield started
        started.shutdown()


def add_node(cluster, **options):
    with stages_importable():
        return cluster.add_node(object_store_memory=80 * 2**20, wait=True, **options)


def refusing(error):
    """What raises ``error``, however it is called."""

    def refuse(**options):
        raise error

    return refuse


def test_a_node_that_joins_later_is_used_and_one_that_goes_takes_only_its_own_tries(
    cluster, store, folder, heard, monkeypatch
):
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    plan = SmallPlan()
    for number in range(60):
        plan.add("sleep", seconds=0.5, folder=folder, number=number)
    nodes, workers = [], set()

    def join_and_go(event):
        if event["kind"] == "started":
            workers.add(event["worker"])
        if len(heard.of("finished")) == 2 and not nodes:
            nodes.append(add_node(cluster, num_cpus=2))
        if len(workers) == 3 and len(nodes) == 1:
            cluster.remove_node(nodes[0], allow_graceful=False)
            nodes.append(None)

    summary = RayPool().drain(plan, store, heard, listener=join_and_go)
    assert len(nodes) == 2
    assert (summary.done, summary.failed) == (60, ())
    assert {event["cause"] for event in heard.of("retried")} == {"system"}
    assert len(heard.of("retried")) <= 2


def test_what_runs_on_a_node_that_is_drained_goes_on_elsewhere_at_no_cost(
    cluster, store, folder, heard, monkeypatch
):
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    plan = SmallPlan(system=0, error=0)
    plan.add("count", steps=80, seconds=0.05, folder=folder, cpus=2.0)
    nodes = [add_node(cluster, num_cpus=2)]

    drained = []

    def drain(event):
        if event["kind"] == "progress" and not drained:
            drained.append(nodes[0].node_id)
            in_an_hour = int((time.time() + 3600) * 1000)
            client = ray._private.worker.global_worker.gcs_client
            assert client.drain_node(drained[0], 2, "preempted", in_an_hour)[0]  # 2: a preemption
        if event["kind"] == "retried":
            nodes.append(add_node(cluster, num_cpus=2))

    summary = RayPool(checkpoint_seconds=60.0).drain(plan, store, heard, listener=drain)
    for node in nodes:
        cluster.remove_node(node)
    assert (summary.done, summary.failed) == (1, ())
    assert [event["reason"] for event in heard.of("retried")] == ["its machine is being drained"]
    assert [event["step"] for event in left(folder, "step")] == list(range(1, 81))
    assert len({event["pid"] for event in left(folder, "step")}) == 2


def test_a_shape_that_fits_no_node_is_refused_unless_the_cluster_grows(cluster, store, folder, heard):
    plan = SmallPlan()
    plan.add("sleep", seconds=0.0, folder=folder, cpus=3.0)
    with pytest.raises(InputError, match="asks for cpus: 3"):
        RayPool(address=cluster.address).drain(plan, store, heard)
    # With an autoscaler it is none: the worker is asked for, and comes with the node.
    small = plan.add("sleep", seconds=0.0, folder=folder, number=1)

    def grow(event):
        if event["kind"] == "finished" and event["address"] == plan.addresses[small]:
            add_node(cluster, num_cpus=4)

    pool = RayPool(address=cluster.address, autoscaler=True)
    assert pool.drain(plan, store, heard, listener=grow).done == 2


def test_an_address_where_no_cluster_answers_is_refused(store, heard):
    plan = SmallPlan()
    plan.add("add", number=1)
    with pytest.raises(InputError, match="no Ray cluster answers there"):
        RayPool(address="127.0.0.1:1").drain(plan, store, heard)


@pytest.mark.parametrize("address", ["head", "head:x", ":6379", "head:66666"])
def test_what_is_no_address_is_refused(store, heard, address):
    plan = SmallPlan()
    plan.add("add", number=1)
    with pytest.raises(InputError, match=f"--address {address}: must be host:port, such as head:6379"):
        RayPool(address=address).drain(plan, store, heard)


def test_a_cluster_of_another_version_is_refused(cluster, store, heard, monkeypatch):
    plan = SmallPlan()
    plan.add("add", number=1)
    monkeypatch.setattr(ray, "init", refusing(RuntimeError("Version mismatch:\n  Ray: 2.1.0")))
    with pytest.raises(InputError, match=f"--address {cluster.address}: Version mismatch: Ray: 2.1.0"):
        RayPool(address=cluster.address).drain(plan, store, heard)


def test_a_ray_that_does_not_start_is_said_with_what_to_do(store, heard, monkeypatch):
    plan = SmallPlan()
    plan.add("add", number=1)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", refusing(Exception("The current node timed out during startup.")))
    with pytest.raises(OrchestratorError, match=r"timed out during startup\. Nothing was run: give the same"):
        RayPool().drain(plan, store, heard)
    assert store.done() == set()
