"""Weights from a file that was made elsewhere: read, checked against its digest, and put into a network.

Nothing in the file is run: safetensors holds tensors alone, and of a `torch.save` only tensors are loaded.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from workloads.architectures.base import Network
from workloads.training.checkpoint import MASK

#: How the files of `torch.save` begin: a zip archive, or in old versions a pickle.
ARCHIVE, OLD = b"PK", b"\x80"
#: Counts of batch norm that no result depends on; old files do not have them.
COUNTS = ".num_batches_tracked"
#: A network's own normalisation, which files from elsewhere do not have.
NORMALISATION = ("mean", "std")
#: Names that an error lists of each kind.
LISTED = 5

#: ``name``: each tensor goes where its name says. ``order``: the first tensor to the first weight, and so on.
Match = Literal["name", "order"]


def tensors_of(path: Path, sha256: str, entry: str = "", ordered: bool = False) -> dict[str, Tensor]:
    """The tensors in ``path``, or below its key ``entry``, by name; where ``ordered``, as they were saved.

    Raises:
        ValueError: there is no such file, it is another one, it holds something else than tensors, or it does
            not keep their order.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    raw = path.read_bytes()
    if (digest := hashlib.sha256(raw).hexdigest()) != sha256:
        raise ValueError(f"{path}: sha256 must be {sha256}, the file has {digest}")
    by_torch = raw.startswith((ARCHIVE, OLD))
    if ordered and not by_torch:
        raise ValueError(f"{path}: tensors match by order in a file of torch.save alone; this is none")
    found = _saved(raw, path) if by_torch else _safe(raw, path)
    if entry:
        if not isinstance(found, Mapping) or entry not in found:
            raise ValueError(f"{path}: there is no entry {entry!r}; {_held(found)}")
        found = found[entry]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"{path}: the weights must be tensors by name, or entry say where; {_held(found)}")
    return dict(found)


def adopt(network: Network, tensors: Mapping[str, Tensor], match: Match = "name") -> None:
    """Set the weights of ``network`` to ``tensors``; its normalisation too, where they hold one.

    Raises:
        ValueError: weights are missing, unexpected, of another shape, or not finite; says which.
    """
    own = network.state_dict()
    needed = [name for name in own if name not in NORMALISATION and not name.endswith(COUNTS)]
    given = {name: tensor for name, tensor in tensors.items() if not name.startswith(MASK)}
    if match == "order":
        given = {name: tensor for name, tensor in given.items() if not name.endswith(COUNTS)}
        if len(given) != len(needed):
            raise ValueError(f"the network needs {len(needed)} tensors in order, the file has {len(given)}")
        origin = dict(zip(needed, given, strict=True))
        given = {name: given[theirs] for name, theirs in origin.items()}
    else:
        origin = {name: name for name in given}
    missing = [name for name in needed if name not in given]
    unexpected = [name for name in given if name not in own]
    shapes = [
        f"{origin[name]} {tuple(tensor.shape)} for {name} {tuple(own[name].shape)}"
        for name, tensor in given.items()
        if name in own and tensor.shape != own[name].shape
    ]
    infinite = [origin[name] for name, tensor in given.items() if not tensor.isfinite().all()]
    problems = {
        "missing": missing,
        "unexpected": unexpected,
        "of another shape": shapes,
        "not finite": infinite,
    }
    if any(problems.values()):
        said = "; ".join(f"{kind}: {_listed(names)}" for kind, names in problems.items() if names)
        raise ValueError(f"the weights of the file must be those of the network; {said}")
    network.load_state_dict(own | given)


def _saved(raw: bytes, path: Path) -> Any:
    if raw.startswith(ARCHIVE):
        others = torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(raw))
        if others:
            raise ValueError(
                f"{path} must hold tensors alone, it has {_listed(sorted(others))}; save a state_dict"
            )
    return torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)


def _safe(raw: bytes, path: Path) -> Any:
    try:
        return load(raw)
    except SafetensorError as error:
        raise ValueError(f"{path} must be safetensors or a file of torch.save: {error}") from error


def _held(found: Any) -> str:
    """What is in a file, in words."""
    return (
        f"it has {_listed(map(str, found))}"
        if isinstance(found, Mapping)
        else f"it is a {type(found).__name__}"
    )


def _listed(names: Any) -> str:
    names = list(names)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
