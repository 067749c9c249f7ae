"""Images as a network sees them, and the fingerprint of a data set's content."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from workloads.datasets.base import Shape, Split

GREY, COLOUR = 1, 3
#: ITU-R BT.601: what red, green and blue add to the luma.
LUMA = (0.299, 0.587, 0.114)
#: Images that are resized at once; bounds the memory of the float copy.
CHUNK = 1024
#: The byte of a pixel at the end of the range [0, 1].
WHITE = 255


def seen_by(images: Tensor, shape: Shape) -> Tensor:
    """``images`` (N, C, H, W) as uint8 of ``shape``: luma or repeated grey, antialiased bilinear resize.

    Images that have the shape already come back as they are, not copied.

    Raises:
        ValueError: the channels are neither those of ``shape`` nor grey against colour.
    """
    channels = images.shape[1]
    if channels != shape[0] and {channels, shape[0]} != {GREY, COLOUR}:
        raise ValueError(
            f"images turn from grey (1 channel) into colour (3) and back, not from {channels} into {shape[0]}"
        )
    if images.shape[1:] == shape or len(images) == 0:
        return images if images.shape[1:] == shape else images.new_empty((0, *shape))
    return torch.cat([_converted(chunk, shape) for chunk in torch.split(images, CHUNK)])


def _converted(images: Tensor, shape: Shape) -> Tensor:
    """As `seen_by`, in one piece; rounded once, at the end."""
    wanted, height, width = shape
    maps = images.to(torch.float32)
    if maps.shape[1] == COLOUR and wanted == GREY:
        red, green, blue = (share * maps[:, place, None] for place, share in enumerate(LUMA))
        maps = red + green + blue
    if maps.shape[2:] != (height, width):
        maps = functional.interpolate(maps, (height, width), mode="bilinear", antialias=True)
    return maps.round().clamp(0, 255).to(torch.uint8).repeat(1, wanted // maps.shape[1], 1, 1)


def as_float(images: Tensor) -> Tensor:
    """Images of uint8 as float32 in [0, 1]; floats are on that scale and stay as they are.

    On a GPU with the channels last, as convolutions there prefer.
    """
    layout = torch.channels_last if images.is_cuda else torch.contiguous_format
    floats = images.to(torch.float32, memory_format=layout)
    return floats.div_(WHITE) if images.dtype == torch.uint8 else floats


def digest_of(*splits: Split) -> str:
    """The sha256 (64 hexadecimal digits) over the shapes and bytes of the images and labels of ``splits``.

    A split that knows its digest stands for its bytes: mapped files are not read again in every process.
    """
    if len(splits) == 1 and splits[0].digest:
        return splits[0].digest
    digest = hashlib.sha256()
    for split in splits:
        if split.digest:
            digest.update(f"sha256 {split.digest}\n".encode())
            continue
        for tensor in (split.images, split.labels):
            digest.update(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
            for part in torch.split(tensor, CHUNK):
                digest.update(part.cpu().contiguous().numpy().data)
    return digest.hexdigest()
