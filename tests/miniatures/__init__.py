"""Every downloadable data set in miniature, in the files in which its authors publish it."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from scipy.io import savemat

#: What the miniatures need said: which folder, and sizes that fit them.
FIELDS: dict[str, dict[str, Any]] = {
    "glyphs": {"per_class": 12, "held_out": 12},
    "mnist": {"validation": 20},
    "fashion_mnist": {"validation": 20},
    "kmnist": {"validation": 20},
    "cifar10": {"validation": 20},
    "cifar100": {"validation": 100},
    "cifar10_c": {"corruption": "fog", "severity": 2},
    "cifar100_c": {"corruption": "fog", "severity": 2},
    "corrupted": {"dataset": "digits", "corruption": "gaussian_noise", "severity": 1},
    "out_of_range": {"dataset": "textures"},
    "svhn": {"validation": 20},
    "textures_dtd": {"size": 8},
    "places365": {"size": 8, "validation": 4},
    "tiny_imagenet": {"size": 8, "validation": 4},
    "tiny_imagenet_c": {"corruption": "fog", "severity": 2, "size": 8},
    "image_folder": {"folder": "flowers", "size": 8},
    "lsun": {"size": 8},
    "isun": {"size": 8},
}
WNIDS = ("n01443537", "n02123394", "n12267677")


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 wrote: texts and bytes are one kind of string."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def save_string(self, text) -> None:
        raw = text.encode("latin1") if isinstance(text, str) else text
        self.write(
            b"U" + bytes([len(raw)]) + raw if len(raw) < 256 else b"T" + struct.pack("<i", len(raw)) + raw
        )
        self.memoize(text)

    dispatch[str] = save_string
    dispatch[bytes] = save_string


def pickled(path: Path, content: dict[str, Any]) -> None:
    """``content`` as CIFAR's authors pickled it: by Python 2, with the modules of an old numpy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        Python2Pickler(file, 2).dump(content)
    raw = path.read_bytes().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    path.write_bytes(raw)


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def idx(path: Path, array: np.ndarray) -> None:
    """An idx file, packed if its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = b"\0\0\x08" + bytes([array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    raw += array.tobytes()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)


def photograph(path: Path, seed: int, size: tuple[int, int] = (12, 9)) -> None:
    """An image file (width, height): four fields, dark or bright in each colour, with a little noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    fields = noise(seed, 2, 2, 3).repeat(height // 2 + 1, 0).repeat(width // 2 + 1, 1)[:height, :width] // 128
    grain = noise(seed + 1, height, width, 3) // 8
    Image.fromarray(np.where(fields, 255 - grain, grain).astype(np.uint8)).save(path)


def write_mnist(root: Path, name: str, ending: str, seed: int) -> None:
    for stem, count in (("train", 60), ("t10k", 20)):
        idx(root / name / "raw" / f"{stem}-images-idx3-ubyte{ending}", noise(seed + count, count, 28, 28))
        labels = np.arange(count, dtype=np.uint8) % 10
        idx(root / name / "raw" / f"{stem}-labels-idx1-ubyte{ending}", labels)


def write_cifar(root: Path) -> None:
    for number in range(1, 6):
        content = {"data": noise(number, 20, 3072), "labels": [n % 10 for n in range(20)]}
        pickled(root / "cifar-10-batches-py" / f"data_batch_{number}", content)
    pickled(
        root / "cifar-10-batches-py" / "test_batch", {"data": noise(6, 20, 3072), "labels": [*range(10)] * 2}
    )
    for name, count, seed in (("train", 300, 7), ("test", 100, 8)):
        fine = [n % 100 for n in range(count)]
        content = {"data": noise(seed, count, 3072), "fine_labels": fine, "coarse_labels": [0] * count}
        pickled(root / "cifar-100-python" / name, content)


def write_cifar_c(root: Path) -> None:
    for name, count, seed in (("CIFAR-10-C", 10, 9), ("CIFAR-100-C", 100, 10)):
        (root / name).mkdir()
        np.save(root / name / "fog.npy", noise(seed, 5 * count, 32, 32, 3))
        np.save(root / name / "labels.npy", np.tile(np.arange(count), 5).astype(np.uint8))


def write_svhn(root: Path) -> None:
    for name, count in (("train", 60), ("test", 20)):
        labels = (np.arange(count, dtype=np.uint8)[:, None] % 10) + 1  # 1 to 10, where 10 is the digit 0
        savemat(root / f"{name}_32x32.mat", {"X": noise(count, 32, 32, 3, count), "y": labels})


def write_dtd(root: Path) -> None:
    for part, seed in (("train", 100), ("val", 200), ("test", 300)):
        files = [f"{kind}/{kind}_{seed + n:04}.jpg" for kind in ("banded", "zigzagged") for n in range(4)]
        for at, file in enumerate(files):
            photograph(root / "dtd/dtd/images" / file, seed + at)
        lists = root / "dtd/dtd/labels"
        lists.mkdir(exist_ok=True)
        (lists / f"{part}1.txt").write_text("".join(f"{file}\n" for file in files))


def write_places(root: Path) -> None:
    train = [(f"/a/airfield/{n:08}.jpg", 0) for n in range(6)] + [
        (f"/z/zen_garden/{n:08}.jpg", 364) for n in range(6)
    ]
    test = [(f"Places365_val_{n:08}.jpg", 364 * (n % 2)) for n in range(6)]
    for seed, (file, _) in enumerate(train):
        photograph(root / f"data_256_standard{file}", 400 + seed)
    for seed, (file, _) in enumerate(test):
        photograph(root / "val_256" / file, 500 + seed)
    lines = {"train_standard": train, "val": test}
    for name, pairs in lines.items():
        text = "".join(f"{file} {label}\n" for file, label in pairs)
        (root / f"places365_{name}.txt").write_text(text)


def write_tiny_imagenet(root: Path) -> None:
    tiny = root / "tiny-imagenet-200"
    lines = []
    for at, wnid in enumerate(WNIDS):
        for n in range(6):
            photograph(tiny / "train" / wnid / "images" / f"{wnid}_{n}.JPEG", 600 + 10 * at + n, (64, 64))
        for n in range(2):
            photograph(tiny / "val/images" / f"val_{3 * n + at}.JPEG", 700 + 10 * at + n, (64, 64))
            lines.append(f"val_{3 * n + at}.JPEG\t{wnid}\t0\t0\t63\t63\n")
            spoiled = root / "Tiny-ImageNet-C/fog/2" / wnid / f"val_{3 * n + at}.JPEG"
            photograph(spoiled, 800 + 10 * at + n, (64, 64))
    (tiny / "val/val_annotations.txt").write_text("".join(lines))


def write_folders(root: Path) -> None:
    for at, kind in enumerate(("rose", "tulip")):
        for n in range(20):
            photograph(root / "flowers" / kind / f"{n}.png", 1000 + 100 * at + n)
    for n in range(10):
        photograph(root / "LSUN_resize/LSUN_resize" / f"{n}.jpg", 1200 + n, (32, 32))
        photograph(root / "iSUN/iSUN_patches" / f"{n}.jpeg", 1300 + n, (32, 32))


def write_all(root: Path) -> None:
    """All of them below ``root``, where a data root has them."""
    for seed, (name, ending) in enumerate({"MNIST": ".gz", "FashionMNIST": "", "KMNIST": ".gz"}.items()):
        write_mnist(root, name, ending, 100 * seed)
    write_cifar(root)
    write_cifar_c(root)
    write_svhn(root)
    write_dtd(root)
    write_places(root)
    write_tiny_imagenet(root)
    write_folders(root)
