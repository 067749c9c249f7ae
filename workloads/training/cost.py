"""What a network costs: to store, to run, and to have trained.

A multiply-accumulate is two FLOPs. Convolutions, linear layers and products of activations (attention) count,
forward and backward; norms, activations, pooling and the optimizer's step do not. A layer with masks costs
its share of weights that exist, as on hardware that skips zeros; nothing here runs faster for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from workloads.architectures._modes import evaluated
from workloads.architectures.base import Network
from workloads.masks import Masks, prunable

#: Stands among the weight names for products of activations with each other, which no mask makes cheaper.
PRODUCTS = "products"
#: Forward passes whose median is the latency.
TRIES = 5
BITS_PER_BYTE = 8
#: What a pass costs in forward passes: with all gradients, with those of the images alone (an attack), bare.
TRAINED, ATTACKED, SEEN = 3, 2, 1


class Products(TorchFunctionMode):
    """Counts the FLOPs of matrix products outside of layers. (A dispatch mode would import sympy: 10 s.)"""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0.0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in (torch.Tensor.matmul, torch.matmul, torch.bmm):
            self.flops += 2.0 * out.numel() * args[0].shape[-1]
        return out


@torch.no_grad()
def layer_flops(network: Network) -> dict[str, float]:
    """Weight name, or `PRODUCTS` -> FLOPs of its layer for one image, all weights present."""
    flops: dict[str, float] = {}

    def count(name: str, weight: Tensor, out: Tensor) -> None:
        # Each weight takes part once for every value that its output channel or unit has.
        flops[name] = flops.get(name, 0.0) + 2.0 * weight.numel() * (out.numel() // weight.shape[0])

    hooks = []
    for name, weight in prunable(network).items():
        layer = network.get_submodule(name.removesuffix(".weight"))
        hooks.append(
            layer.register_forward_hook(lambda _, __, out, name=name, weight=weight: count(name, weight, out))
        )
    try:
        with evaluated(network), Products() as products:
            network(_image(network))
    finally:
        for hook in hooks:
            hook.remove()
    return flops | ({PRODUCTS: products.flops} if products.flops else {})


def sparse_flops(flops: Mapping[str, float], masks: Masks) -> float:
    """FLOPs for one image of layers with dense ``flops``, when only the weights in ``masks`` exist."""
    sparse = {name: mask for name, mask in masks.items() if name in flops}
    if not sparse:
        return sum(flops.values())
    kept = torch.stack([mask.count_nonzero() for mask in sparse.values()]).tolist()
    shares = {name: count / sparse[name].numel() for name, count in zip(sparse, kept, strict=True)}
    return float(sum(number * shares.get(name, 1.0) for name, number in flops.items()))


def cost_of(network: Network, masks: Masks) -> dict[str, float]:
    """Parameters, those that exist, FLOPs of one image, and bytes: 32 bits a value, a bit a mask's place."""
    flops = layer_flops(network)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    places = sum(mask.numel() for mask in masks.values())
    nonzeros = parameters - places + sum(int(mask.sum()) for mask in masks.values())
    return {
        "parameters": float(parameters),
        "nonzeros": float(nonzeros),
        "inference_flops": sparse_flops(flops, masks),
        "inference_flops_dense": sum(flops.values()),
        "bytes": nonzeros * torch.float32.itemsize + places / BITS_PER_BYTE,
    }


@torch.no_grad()
def latency(network: Network) -> float:
    """Seconds from one image to its logits: the median of a few tries, with zeros multiplied too."""
    image, seconds = _image(network), []
    with evaluated(network):
        for _ in range(TRIES + 1):
            started = time.perf_counter()
            network(image).cpu()
            seconds.append(time.perf_counter() - started)
    return median(seconds[1:])


class Meter:
    """The FLOPs of a training, step by step: 3 f_S a step and image, or 2 f_S + f_D with dense gradients.

    f_S and f_D are those of a forward pass with and without masks (Evci et al., 2020, arXiv 1911.11134,
    appendix H). The passes are counted, so attacks on training images are in it; validation is not.
    """

    def __init__(self, network: Network) -> None:
        self.layers = layer_flops(network)
        self.dense = self.sparse = sum(self.layers.values())
        self.masks: Masks | None = None
        self.passes = self.trained = 0

    def spent(self, masks: Masks, dense_gradients: bool) -> float:
        """FLOPs of the passes since the last call, which were under ``masks``."""
        if masks is not self.masks:
            self.masks, self.sparse = masks, sparse_flops(self.layers, masks)
        passes, trained = self.passes, self.trained
        self.passes = self.trained = 0
        return passes * self.sparse + trained * dense_gradients * (self.dense - self.sparse)

    @contextmanager
    def watching(self, network: Network) -> Iterator[None]:
        """Counts the passes of ``network`` in here."""
        hook = network.body.register_forward_pre_hook(self._seen)
        try:
            yield
        finally:
            hook.remove()

    def _seen(self, body: nn.Module, given: tuple[Any, ...]) -> None:
        images = len(given[0])
        if not torch.is_grad_enabled():
            self.passes += SEEN * images
        elif body.training:
            self.passes += TRAINED * images
            self.trained += images
        else:
            self.passes += ATTACKED * images


def _image(network: Network) -> Tensor:
    """A grey image as the network takes it."""
    return torch.full((1, *network.shape), 0.5, device=network.mean.device)
