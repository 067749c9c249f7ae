"""Photographs decoded once per machine into a file of bytes that every process maps into its memory.

Instead of processes that decode while a training runs: they would decode every photograph again in every
epoch of every training, and every training of a machine would need its own. Here an epoch runs at the speed
of memory (or of the disk, where the set does not fit), and everything that takes images takes these. The
price is disk: 3 * size * size bytes an image, 0.3 GB for 100,000 images of 32 pixels, 193 GB for ImageNet at
224.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workloads.datasets._conversion import digest_of
from workloads.datasets._progress import alone, tell
from workloads.datasets._root import cache_root
from workloads.datasets.base import Split

#: Raise it where the same photographs give other bytes.
FORMAT = 1
#: Images between two notes of how far it is: what an interruption loses.
CHUNK = 512
CHANNELS = 3
IMAGES, NOTE, WHOLE = "images.u8", "done", "whole.json"


def decoded(name: str, folder: Path, files: Sequence[str], labels: Tensor, size: int) -> Split:
    """The photographs ``files`` of ``folder``, in order, as (N, 3, size, size), mapped from a file.

    The largest square in the middle of each, resized with antialiasing.

    Raises:
        RuntimeError: one cannot be read.
    """
    place = cache_root() / "decoded" / f"{Path(name).name}-{size}-{_key(folder, files, labels, size)}"
    if not (place / WHOLE).exists():
        with alone(f"decode-{place.name}"):
            if not (place / WHOLE).exists():
                _decode(name, [folder / file for file in files], labels, size, place)
    whole = json.loads((place / WHOLE).read_text())
    return Split(_mapped(place, len(files), size), labels, whole["digest"])


def listing(folder: Path, files: Sequence[str]) -> str:
    """What is known of ``files`` without reading them: a line each, with length and time of change."""
    found = [(file, (folder / file).stat()) for file in files]
    return "".join(f"{file} {stat.st_size} {stat.st_mtime_ns}\n" for file, stat in found)


def _key(folder: Path, files: Sequence[str], labels: Tensor, size: int) -> str:
    """What stands for the decoded images: another folder, file, order, label or size gives another one."""
    given = f"{FORMAT} {size} {folder.resolve()} {labels.tolist()}\n{listing(folder, files)}"
    return hashlib.sha256(given.encode()).hexdigest()[:16]


def _decode(name: str, paths: Sequence[Path], labels: Tensor, size: int, place: Path) -> None:
    """Fill ``place``; what an earlier process left half done is gone on with."""
    place.mkdir(parents=True, exist_ok=True)
    note = place / NOTE
    done = int(note.read_text()) if note.exists() else 0
    what = f"{name}: decoding {len(paths)} images at {size} pixels"
    with (
        (place / IMAGES).open("r+b" if done else "wb") as file,
        ThreadPoolExecutor(torch.get_num_threads(), "decode") as threads,
    ):
        file.seek(done * CHANNELS * size * size)
        for first in range(done, len(paths), CHUNK):
            part = paths[first : first + CHUNK]
            for image in threads.map(lambda path: square(path, size), part):
                file.write(image.tobytes())
            file.flush()
            _write(note, str(first + len(part)))
            tell(what, first, first + len(part), len(paths))
    digest = digest_of(Split(_mapped(place, len(paths), size), labels))
    _write(place / WHOLE, json.dumps({"digest": digest, "images": len(paths)}))
    note.unlink()


def _mapped(place: Path, count: int, size: int) -> Tensor:
    """The images of ``place``, not read before somebody looks at them."""
    shape = (count, CHANNELS, size, size)
    # Not shared: a mistaken write would change this process's copy, and not the file.
    found = torch.from_file(str(place / IMAGES), shared=False, size=math.prod(shape), dtype=torch.uint8)
    return found.view(shape)


def _write(path: Path, text: str) -> None:
    """``text`` at ``path``, whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


def square(path: Path, size: int) -> NDArray[np.uint8]:
    """The middle of a photograph as (3, size, size).

    Raises:
        RuntimeError: it cannot be read; names the file.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            # A JPEG can be opened at a half, a quarter, an eighth; twice the size leaves the filter its work.
            image.draft("RGB", (2 * size, 2 * size))
            width, height = image.size
            side = min(width, height)
            left, top = (width - side) / 2, (height - side) / 2
            box = (left, top, left + side, top + side)
            found = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR, box)
    except (OSError, SyntaxError, ValueError) as error:
        raise RuntimeError(f"{path}: must be an image, but {error}; repair or remove it") from error
    return np.asarray(found).transpose(2, 0, 1)
