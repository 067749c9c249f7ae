"""Images spoiled in one of the fifteen common ways, a piece at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from workloads.datasets._corruptions import Corruption
from workloads.datasets._corruptions_blur import defocus_blur, glass_blur, motion_blur, zoom_blur
from workloads.datasets._corruptions_digital import contrast, elastic_transform, jpeg_compression, pixelate
from workloads.datasets._corruptions_draws import Draws
from workloads.datasets._corruptions_noise import gaussian_noise, impulse_noise, shot_noise
from workloads.datasets._corruptions_severities import SEVERITY
from workloads.datasets._corruptions_weather import brightness, fog, frost, snow
from workloads.randomness import derive

WHITE = 255
#: Values of the images that are spoiled at once; bounds the memory.
PIECE = 1 << 22
SPOIL: Mapping[str, Callable[..., Tensor]] = {
    "brightness": brightness,
    "contrast": contrast,
    "defocus_blur": defocus_blur,
    "elastic_transform": elastic_transform,
    "fog": fog,
    "frost": frost,
    "gaussian_noise": gaussian_noise,
    "glass_blur": glass_blur,
    "impulse_noise": impulse_noise,
    "jpeg_compression": jpeg_compression,
    "motion_blur": motion_blur,
    "pixelate": pixelate,
    "shot_noise": shot_noise,
    "snow": snow,
    "zoom_blur": zoom_blur,
}


def spoiled(images: Tensor, corruption: Corruption, severity: int, seed: int) -> Tensor:
    """``images`` (N, C, H, W) of uint8 with ``corruption`` at ``severity``, of uint8.

    What is random comes from (``seed``, corruption, severity, position of the image) alone.
    """
    if images.numel() == 0:
        return images.clone()
    mine = derive(seed, corruption, severity)
    at_once = max(1, PIECE // math.prod(images.shape[1:]))
    found = []
    for samples in torch.split(torch.arange(len(images)), at_once):
        clean = images[samples].float() / WHITE
        changed = SPOIL[corruption](clean, Draws(mine, samples), *SEVERITY[corruption][severity - 1])
        found.append((changed.clamp(0, 1) * WHITE).round().to(torch.uint8))
    return torch.cat(found)
