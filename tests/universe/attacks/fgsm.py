from __future__ import annotations

from dataclasses import dataclass

from universe.attacks.base import Attack


@dataclass(frozen=True)
class Fgsm(Attack):
    pass
