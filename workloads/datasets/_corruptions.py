"""Test images spoiled in a named way and strength.

Hendrycks and Dietterich (2019): "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", arXiv 1903.12261.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from workloads.datasets._download import Remote, files_of
from workloads.datasets.base import Split, SplitName

#: The fifteen of the benchmark.
Corruption = Literal[
    "brightness",
    "contrast",
    "defocus_blur",
    "elastic_transform",
    "fog",
    "frost",
    "gaussian_noise",
    "glass_blur",
    "impulse_noise",
    "jpeg_compression",
    "motion_blur",
    "pixelate",
    "shot_noise",
    "snow",
    "zoom_blur",
]
#: With the four more that CIFAR-10-C and CIFAR-100-C have, meant for validation.
AnyCorruption = Literal[Corruption, "gaussian_blur", "saturate", "spatter", "speckle_noise"]
SEVERITIES = 5


def check_severity(severity: int) -> None:
    """Refuse a strength that there is not.

    Raises:
        ValueError: it is not one of 1 to 5.
    """
    if not 1 <= severity <= SEVERITIES:
        raise ValueError(f"severity must be one of 1 to {SEVERITIES}, got {severity}")


def refuse_learning(name: str, split: SplitName) -> None:
    """Refuse any split but the one there is.

    Raises:
        ValueError: it is not ``test``.
    """
    if split != "test":
        raise ValueError(f"{name} has spoiled test images alone: test, not {split}")


def cifar_c_split(folder: str, corruption: str, severity: int, remote: Remote) -> Split:
    """The images of a file with all five strengths, one after another.

    Raises:
        RuntimeError: its files are missing or damaged.
    """
    needed = [f"{folder}/{corruption}.npy", f"{folder}/labels.npy"]
    arrays = []
    for path in files_of(folder, needed, lambda: [remote]):
        try:
            arrays.append(np.load(path, mmap_mode="r", allow_pickle=False))
        except (ValueError, EOFError) as error:
            raise RuntimeError(f"{path}: must be a whole file of {folder}, but {error}; delete it") from error
    images, labels = arrays
    count = len(images) // SEVERITIES
    mine = slice((severity - 1) * count, severity * count)
    return Split(
        torch.from_numpy(images[mine].transpose(0, 3, 1, 2).copy()),
        torch.from_numpy(labels[mine].astype(np.int64)),
    )
