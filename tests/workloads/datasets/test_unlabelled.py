"""The data sets that only out-of-distribution tests read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images

from workloads.datasets._conversion import digest_of
from workloads.datasets.noise import Noise
from workloads.datasets.textures import Textures


def columns_of(patches: torch.Tensor, size: int) -> list[tuple[int, int]]:
    """Photograph and left column of every patch, searched in the photographs."""
    windows = {}
    for number, photograph in enumerate(load_sample_images().images):
        for top in range(0, 427 - size + 1):
            for left in range(0, 640 - size + 1):
                window = photograph[top : top + size, left : left + size]
                if (top % (size // 2)) == 0:
                    windows.setdefault(window.tobytes(), (number, left))
    return [windows[patch.permute(1, 2, 0).numpy().tobytes()] for patch in patches]


def test_textures_are_cut_from_the_photographs_on_disjoint_sides() -> None:
    size, border = 64, 213
    textures = Textures(count=50, size=size)
    tested = columns_of(textures.load("test", None).images, size)
    validated = columns_of(textures.load("validation", None).images, size)
    assert min(left for _, left in tested) >= border
    assert max(left for _, left in validated) + size <= border
    assert {photograph for photograph, _ in tested} == {0, 1}


def test_no_texture_comes_twice() -> None:
    patches = Textures(count=1000).load("test", None).images
    assert len({patch.numpy().tobytes() for patch in patches}) == 1000


def test_textures_never_change() -> None:
    textures = Textures()
    found = digest_of(textures.load("validation", None), textures.load("test", None))
    assert found == "9e66deb465668ad71d23fa568d8a992352d209d4c2d2a5fbaae2f11b7d86cfdd"


def test_more_textures_than_there_are_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"count must be at most 1250, the test patches of 32 pixels, got 1251"
    ):
        Textures(count=1251).load("test", None)
    with pytest.raises(ValueError, match=r"count must be at most 0, the test patches of 430 pixels, got 5"):
        Textures(count=5, size=430).load("test", None)


def test_uniform_noise_has_every_value_equally_often() -> None:
    images = Noise(count=500).load("test", (1, 16, 16)).images
    counts = torch.bincount(images.flatten().long(), minlength=256)
    assert ((counts - 500) ** 2 / 500).sum() < 330  # chi squared, 255 degrees, one in a thousand


def test_gaussian_noise_is_cut_off_at_both_ends_of_the_range() -> None:
    images = Noise(kind="gaussian", count=500).load("test", (1, 16, 16)).images.double() / 255
    assert (images == 0).double().mean().item() == pytest.approx(0.3085, abs=0.01)  # P(z < -0.5)
    assert (images == 1).double().mean().item() == pytest.approx(0.3085, abs=0.01)
    assert images.mean().item() == pytest.approx(0.5, abs=0.01)


def test_another_seed_gives_other_noise_and_more_images_keep_the_first() -> None:
    first = Noise(count=5).load("test", (1, 8, 8)).images
    assert not np.array_equal(first, Noise(count=5, seed=1).load("test", (1, 8, 8)).images)
    assert torch.equal(first, Noise(count=9).load("test", (1, 8, 8)).images[:5])


def test_noise_never_changes() -> None:
    found = [Noise(kind=kind, count=20).load("test", (3, 8, 8)) for kind in ("uniform", "gaussian")]
    assert digest_of(*found) == "3d65991eeb702eecfc8f3c819be479834c98a45fe08afa0fb219a7d016117e29"


def test_noise_needs_the_shape_of_the_network() -> None:
    with pytest.raises(ValueError, match="no shape of its own"):
        Noise().load("test", None)


@pytest.mark.parametrize("kind", [Noise, Textures])
def test_a_set_of_no_images_is_refused(kind) -> None:
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        kind(count=0)


def test_a_patch_below_two_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="size must be at least 2 pixels, got 1"):
        Textures(size=1)
