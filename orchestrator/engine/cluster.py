"""The Ray cluster a pool works on: started here or joined, its machines, and whether it can grow."""

from __future__ import annotations

import json
import logging
import math
import os
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.autoscaler.v2.utils import is_autoscaler_v2
from ray.experimental.internal_kv import _internal_kv_get

from orchestrator.engine.capacity import Machine
from orchestrator.errors import InputError, OrchestratorError
from orchestrator.stage import Resources

GIB = 2**30
LOCAL = "local"
#: Ray's word for the cluster that was last started on this machine.
AUTO = "auto"
LAST_PORT = 65535
KNOCK_SECONDS = 10.0


@contextmanager
def joined(address: str | None, *, cpus: int | None, object_store_bytes: int) -> Iterator[None]:
    """Inside, this process drives the cluster at ``address`` or in ``RAY_ADDRESS``, else a new one.

    A Ray that is running in this process already is used as it is, and left running.

    Raises:
        InputError: there is no cluster at the address.
        OrchestratorError: Ray did not start on this machine.
    """
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS") or LOCAL
    options: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        options |= {
            "num_cpus": cpus,
            "include_dashboard": False,
            "object_store_memory": object_store_bytes,
        }
        _start(options)
    else:
        _join(address, options)
    try:
        yield
    finally:
        ray.shutdown()


def _start(options: Mapping[str, Any]) -> None:
    """Start Ray here.

    Raises:
        OrchestratorError: it did not start.
    """
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises no narrower one when a busy machine takes longer than 30 s
        raise OrchestratorError(
            f"Ray did not start on this machine: {error} Nothing was run: give the same command when the"
            " machine has room, or use --engine inline"
        ) from error


def _join(address: str, options: Mapping[str, Any]) -> None:
    """Join the cluster at ``address``.

    Raises:
        InputError: nobody answers there, or it is a cluster of another version.
    """
    try:
        _knock(address)
        ray.init(**options)
    except RuntimeError as error:
        raise InputError(f"--address {address}: {' '.join(str(error).split())}") from error
    except OSError as error:
        raise InputError(
            f"--address {address}: no Ray cluster answers there ({error}); start one, or leave the address "
            "out to run on this machine. If Ray speaks of InvalidAuthToken, set RAY_AUTH_MODE=token"
        ) from error


def _knock(address: str) -> None:
    """Try the door before Ray does, which waits for minutes.

    Raises:
        InputError: the address is none, or one of Ray Client, which cannot do what a driver needs.
        OSError: nobody is there.
    """
    if address.startswith("ray://"):
        raise InputError(
            f"--address {address}: Ray Client is not supported; give the cluster's own host:6379"
        )
    host, _, port = address.rpartition(":")
    if address != AUTO and not (host and port.isdigit() and int(port) <= LAST_PORT):
        raise InputError(f"--address {address}: must be host:port, such as head:6379, or {AUTO}")
    if address != AUTO:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_SECONDS).close()


def machines() -> list[Machine]:
    """The nodes that are alive."""
    return [_machine(node) for node in _nodes() if node["Alive"]]


def draining() -> frozenset[str]:
    """The nodes that will be taken away soon, because they are preempted or no longer wanted."""
    # There is no public call for it; Ray's own training library asks in the same way. Where an older or a
    # newer Ray does not answer, a node goes without notice.
    ask = getattr(ray._private.state.state, "get_draining_nodes", dict)
    return frozenset(ask())


def _nodes() -> list[dict[str, Any]]:
    return ray.nodes()  # type: ignore[no-untyped-call, no-any-return]


def _machine(node: Mapping[str, Any]) -> Machine:
    has = node["Resources"]
    memory = has.get("memory")
    return Machine(
        node["NodeID"],
        has.get("CPU", 0.0),
        int(has.get("GPU", 0)),
        math.inf if memory is None else memory / GIB,
    )


def can_grow() -> bool:
    """Whether an autoscaler adds nodes: those it made have types, those started by hand have none."""
    if is_autoscaler_v2():
        status = get_cluster_status(ray.get_runtime_context().gcs_address)
        nodes = [*status.active_nodes, *status.idle_nodes]
        return any(node.ray_node_type_name != f"node_{node.node_id}" for node in nodes)
    report = json.loads(_internal_kv_get("__autoscaling_status") or b"{}").get("autoscaler_report") or {}
    unnamed = {f"node_{node['NodeID']}" for node in _nodes()}
    return bool((report.get("active_nodes") or {}).keys() - unnamed)


def check_shapes(shapes: Mapping[Resources, str], having: Collection[Machine]) -> None:
    """Refuse what no machine can hold, all of it at once; ``shapes`` names a stage of each.

    Raises:
        InputError: what is asked for, and the most that a machine has.
    """
    lines = [
        f"{label}: asks for {say(shape)} on one machine; {_most(having)}"
        for shape, label in shapes.items()
        if not any(machine.can_hold(shape) for machine in having)
    ]
    if lines:
        raise InputError("\n".join(lines))


def say(shape: Resources) -> str:
    """A shape in words."""
    memory = f", memory_gib: {shape.memory_gib:g}" if shape.memory_gib else ""
    return f"cpus: {shape.cpus:g}, gpus: {shape.gpus:g}{memory}"


def _most(having: Collection[Machine]) -> str:
    if not having:
        return "the cluster has no machine"
    cpus = max(machine.cpus for machine in having)
    gpus = max(machine.gpus for machine in having)
    memory = max(machine.memory_gib for machine in having)
    return f"the most that one has is cpus: {cpus:g}, gpus: {gpus}, memory_gib: {memory:.1f}; ask for less"
