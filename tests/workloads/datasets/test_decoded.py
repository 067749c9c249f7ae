"""Photographs decoded once per machine into a mapped file."""

from __future__ import annotations

import logging
import os

import numpy as np
import pytest
import torch
from miniatures import noise, photograph
from PIL import Image

from workloads.datasets import _decoded
from workloads.datasets._conversion import digest_of, seen_by
from workloads.datasets._decoded import decoded, square
from workloads.datasets._root import VARIABLE, cache_root, data_root
from workloads.datasets.base import Split


@pytest.fixture
def album(empty_root):
    """Eight photographs, 12x9 pixels."""
    for n in range(8):
        photograph(empty_root / "album" / f"{n}.png", n)
    return empty_root / "album"


FILES = [f"{n}.png" for n in range(8)]
LABELS = torch.arange(8)


def load(album, size: int = 6) -> Split:
    return decoded("album", album, FILES, LABELS, size)


@pytest.fixture
def opened(monkeypatch):
    """The names of the photographs that are decoded."""
    found = []

    def noted(path, size):
        found.append(path.name)
        return square(path, size)

    monkeypatch.setattr(_decoded, "square", noted)
    return found


def test_the_middle_square_is_resized_with_antialiasing(tmp_path):
    pixels = noise(0, 9, 15, 3)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    assert np.array_equal(square(tmp_path / "wide.png", 9), pixels[:, 3:12].transpose(2, 0, 1))
    small = seen_by(torch.from_numpy(pixels[None].transpose(0, 3, 1, 2).copy()), (3, 3, 5))[0]
    found = square(tmp_path / "wide.png", 3).astype(int)
    assert np.abs(found - small[:, :, 1:4].numpy()).max() <= 1
    Image.fromarray(pixels.transpose(1, 0, 2)).save(tmp_path / "tall.png")
    assert np.array_equal(square(tmp_path / "tall.png", 9), pixels[:, 3:12].transpose(2, 1, 0))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_kind_of_image_becomes_colour(mode, tmp_path):
    image = Image.fromarray(np.full((8, 8, 3), (255, 255, 255), dtype=np.uint8)).convert(mode)
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    image.save(path)
    assert (square(path, 4) == 255).all()


def test_a_large_jpeg_is_the_same_but_for_rounding_though_it_is_read_at_a_fraction(tmp_path):
    photograph(tmp_path / "large.jpg", 0, (256, 256))
    exact = Image.open(tmp_path / "large.jpg").resize((8, 8), Image.Resampling.BILINEAR)
    found = square(tmp_path / "large.jpg", 8).transpose(1, 2, 0).astype(int)
    assert np.abs(found - np.asarray(exact)).mean() < 3


def test_a_file_that_is_no_image_is_named(album):
    (album / "3.png").write_bytes(b"no image")
    with pytest.raises(RuntimeError, match=f"{album / '3.png'}: must be an image, but"):
        load(album)


def test_a_set_is_decoded_once_and_then_mapped(album, opened):
    first, second = load(album), load(album)
    assert sorted(opened) == FILES
    assert torch.equal(first.images, second.images)
    assert first.images.shape == (8, 3, 6, 6)
    assert np.array_equal(first.images[5].numpy(), square(album / "5.png", 6))
    size = sum(path.stat().st_size for path in (cache_root() / "decoded").rglob("images.u8"))
    assert size == 8 * 3 * 6 * 6


def test_the_digest_is_that_of_the_content_and_is_not_computed_again(album, monkeypatch):
    digest = load(album).digest
    found = load(album)
    assert digest == found.digest == digest_of(Split(found.images, found.labels))
    assert digest != load(album, 5).digest


def test_another_size_order_label_or_file_is_another_set(album, opened):
    load(album)
    load(album, 5)
    decoded("album", album, FILES[::-1], LABELS, 6)
    decoded("album", album, FILES, LABELS.flip(0), 6)
    assert len(opened) == 4 * 8
    photograph(album / "0.png", 99)
    changed = load(album)
    assert len(opened) == 5 * 8
    assert np.array_equal(changed.images[0].numpy(), square(album / "0.png", 6))


def test_a_mistaken_write_does_not_reach_the_file(album):
    load(album).images.fill_(7)
    assert not (load(album).images == 7).all()


def test_an_interrupted_decoding_goes_on_where_it_was(album, monkeypatch, opened):
    monkeypatch.setattr(_decoded, "CHUNK", 2)
    monkeypatch.setattr(_decoded.torch, "get_num_threads", lambda: 1)
    good = (album / "5.png").read_bytes()
    stamp = (album / "5.png").stat()
    (album / "5.png").write_bytes(bytes(len(good)))
    os.utime(album / "5.png", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.raises(RuntimeError, match=r"5\.png"):
        load(album)
    (album / "5.png").write_bytes(good)
    os.utime(album / "5.png", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    opened.clear()
    found = load(album)
    assert sorted(opened) == ["4.png", "5.png", "6.png", "7.png"]
    assert all(np.array_equal(found.images[n].numpy(), square(album / f"{n}.png", 6)) for n in range(8))
    assert not list((cache_root() / "decoded").rglob("done*"))


def test_decoding_says_how_far_it_is(album, monkeypatch, caplog):
    monkeypatch.setattr(_decoded, "CHUNK", 4)
    with caplog.at_level(logging.INFO, "sparsweep.data"):
        load(album)
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"album: decoding 8 images at 6 pixels: {share} %" for share in (50, 100)]


def test_a_data_root_that_is_only_for_reading_is_cached_at_home(empty_root, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_root() == empty_root / "made"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert cache_root() == tmp_path / "home/.cache/sparsweep/made"
    monkeypatch.delenv(VARIABLE)
    assert data_root() == tmp_path / "home/.cache/sparsweep"
