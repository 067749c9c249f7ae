"""The digital corruptions: images (N, C, H, W) in [0, 1] and the constants of a severity -> images."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from workloads.datasets._corruptions_draws import Draws
from workloads.datasets._corruptions_optics import positions, sampled, softened

WHITE = 255
COLOUR = 3


def contrast(images: Tensor, draws: Draws, left: float) -> Tensor:
    """Draws every channel towards its mean."""
    mean = images.mean((2, 3), keepdim=True)
    return (images - mean) * left + mean


def elastic_transform(images: Tensor, draws: Draws, length: float, smooth: float, corners: float) -> Tensor:
    """Moves three points, and with them the image, and every pixel a little more."""
    height, width = images.shape[2:]
    size = min(height, width)
    rows, columns = positions(images)
    # The moves of (1, 1), (1, -1) and (-1, -1), a third of the image from its middle, decide all others.
    third = max(1, size // 3)
    up, right = (rows - (height - 1) / 2) / third, (columns - (width - 1) / 2) / third
    shares = torch.stack([(up + 1) / 2, (right - up) / 2, (1 - right) / 2], dim=1)
    turned = draws.uniform("corners", 2, 3, 1, 1, low=-corners * size, high=corners * size)
    moves = (turned * shares[:, None]).sum(2)
    if length > 0:
        local = draws.uniform("local", 2, height, width, low=-1, high=1)
        sigma = smooth * size
        moves = moves + length * size * softened(local, sigma, radius=int(3 * sigma + 0.5))
    return sampled(images, rows + moves[:, 0], columns + moves[:, 1])


def pixelate(images: Tensor, draws: Draws, left: float) -> Tensor:
    """Shrinks the image and enlarges its pixels again."""

    def change(image: Image.Image) -> Image.Image:
        width, height = (max(1, int(side * left)) for side in image.size)
        small = image.resize((width, height), Image.Resampling.BOX)
        return small.resize(image.size, Image.Resampling.BOX)

    return _each(images, change)


def jpeg_compression(images: Tensor, draws: Draws, quality: float) -> Tensor:
    """Writes the image as a JPEG and reads it."""

    def change(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=int(quality))
        return Image.open(file)

    return _each(images, change)


def _each(images: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    """Every image changed by Pillow: as a colour image, or each of other channels as a grey one."""
    levels = (images * WHITE).round().to(torch.uint8)
    colour = images.shape[1] == COLOUR
    pictures = (levels.permute(0, 2, 3, 1) if colour else levels.flatten(0, 1)).numpy()
    found = np.stack([np.asarray(change(Image.fromarray(picture))) for picture in pictures])
    changed = torch.from_numpy(found)
    return (changed.permute(0, 3, 1, 2) if colour else changed.view_as(images)).float() / WHITE
