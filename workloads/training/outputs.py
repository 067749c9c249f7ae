"""What one forward pass gave, as a folder: `outputs.safetensors` and `outputs.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from workloads.detectors.base import Outputs

OUTPUTS, DESCRIPTION = "outputs.safetensors", "outputs.json"


def save_outputs(folder: Path, outputs: Outputs, origin: dict[str, object]) -> None:
    """Write ``outputs``, and the ``origin`` of their images."""
    tensors = {
        "logits": outputs.logits,
        "features": outputs.features,
        "labels": outputs.labels,
        "head.weight": outputs.weight,
        "head.bias": outputs.bias,
    }
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, folder / OUTPUTS
    )
    text = json.dumps({"classes": outputs.classes, **origin}, indent=1, sort_keys=True)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def load_origin(folder: Path) -> dict[str, Any]:
    """The ``origin`` that was written into ``folder``."""
    found: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    return found


def load_outputs(folder: Path, device: str) -> Outputs:
    """What was written into ``folder``, on ``device``."""
    tensors = load_file(folder / OUTPUTS, device=device)
    classes = load_origin(folder)["classes"]
    return Outputs(
        tensors["logits"],
        tensors["features"],
        tensors["labels"],
        classes,
        tensors["head.weight"],
        tensors["head.bias"],
    )
