"""A node that is taken away from a cluster without a word."""

from __future__ import annotations

import pytest

from failures.case import until
from failures.driver import python_path
from failures.invariants import violations
from failures.stages.base import VARIABLE

pytestmark = [pytest.mark.ray, pytest.mark.slow]

MEBIBYTE = 2**20


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """A cluster whose head runs no stages."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", python_path())
    monkeypatch.setenv(VARIABLE, str(tmp_path / "where"))
    monkeypatch.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
    started = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 80 * MEBIBYTE}
    )
    yield started
    started.shutdown()


def in_work(case):
    """The workers with a long stage in work of which a checkpoint is whole: one is when the next begins."""
    tries = {}
    for line in case.ledger():
        if line["event"] == "began":
            tries[line["pid"]] = []
        tries[line["pid"]].append(line["event"])
    return [pid for pid, events in tries.items() if events.count("saved") > 1 and events[-1] != "ended"]


def test_a_node_is_taken_away_and_what_it_ran_goes_on_on_the_other(cluster, make_case, tmp_path, undisturbed):
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=80 * MEBIBYTE, wait=True) for _ in range(2)]
    case = make_case(environment={VARIABLE: str(tmp_path / "where")})
    case.set_pace(0.1)
    with case.watched(undisturbed.manifests):
        driver = case.start("--address", cluster.address, engine="ray", own=True)
        until(lambda: len(in_work(case)) == 2)
        cluster.remove_node(nodes[0], allow_graceful=False)
        said = driver.end()
    assert said.code == 0, said.err
    assert violations(case, undisturbed, table=said.out) == []
    retried = case.journals("retried")
    assert [event["cause"] for event in retried] == ["system"]
    address = retried[0]["address"]
    assert [line["step"] for line in case.ledger("began") if line["address"] == address][-1] > 0
