"""Training of some layers of a network alone; all else stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn

from workloads.architectures.base import Network
from workloads.masks import layer_of, prunable


def parameters_of(network: Network, layers: Sequence[str]) -> list[nn.Parameter]:
    """Weights and biases of the convolutions and linear layers of these names; all, if none is named.

    Raises:
        ValueError: the network has no such layer; names all.
    """
    if not layers:
        return [*network.parameters()]
    known = {layer_of(name): name.removesuffix(".weight") for name in prunable(network)}
    if missing := [layer for layer in layers if layer not in known]:
        raise ValueError(
            f"only must name layers of the network, {', '.join(known)}; got {', '.join(missing)}"
        )
    return [weight for layer in layers for weight in network.get_submodule(known[layer]).parameters()]


@contextmanager
def kept_statistics(network: Network, layers: Sequence[str]) -> Iterator[None]:
    """``network`` with batch norm that neither learns statistics nor uses those of a batch, if any is named.

    It normalises as in evaluation, whatever the network's mode. Statistics of other images (clean ones, after
    an adversarial training) would change every layer behind them, and not only the ones that are to learn.
    """
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(_evaluate) for norm in norms if layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _evaluate(norm: nn.Module, _: object) -> None:
    norm.eval()
