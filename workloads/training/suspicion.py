"""Whether an attack may have been too weak: what its number should not hide.

Carlini, Athalye, Papernot et al. (2019): "On Evaluating Adversarial Robustness", arXiv 1902.06705, section 5:
more steps must not help, nor a search that sees no gradient, and without bounds every image falls.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor, linspace

from workloads.architectures.base import Network
from workloads.attacks.base import Attack
from workloads.attacks.pgd import Pgd
from workloads.attacks.square import Square
from workloads.datasets.base import Split
from workloads.randomness import derive
from workloads.training.evaluation import Attacked, attacked

#: Each question is put to one in sixteen images, no fewer than 16 and no more than 64, of those that stand:
#: beside PGD of 20 steps at most a quarter of its cost for 400 images, and 3% for 10,000.
SHARE, FEWEST, MOST = 16, 16, 64
#: Random queries, and steps without bounds.
QUERIES, STEPS = 50, 20
#: What counts: so many images, which stand for so large a share of all.
COUNT, DROP = 2, 0.02
UNBOUNDED = "an attack without bounds"


def suspicions(
    network: Network, attack: Attack, split: Split, places: Tensor, found: Attacked, *, seed: int
) -> Iterator[str]:
    """Sentences on why ``found``, from ``attack`` on the images at ``places``, shows too much robustness."""
    standing = places[found.standing(network.classes)]
    tried = _spread(standing, max(FEWEST, min(MOST, len(places) // SHARE)))
    weight = len(standing) / len(places)
    for kind, other in _others(attack, network).items():
        if len(tried) == 0:
            return
        size, drawn = found.batch_size, derive(seed, "suspicion", kind)
        again = attacked(network, other, split, tried, batch_size=size, seed=drawn)
        left = int(again.standing(network.classes).sum())
        counted = left if kind == UNBOUNDED else len(tried) - left
        share = weight * counted / len(tried)
        if counted < COUNT or share < DROP:
            continue
        if kind == UNBOUNDED:
            yield (
                f"{left} of {len(tried)} images that withstood the attack withstand one without bounds too: "
                "gradients do not lead to where the network is wrong"
            )
        else:
            yield (
                f"{kind} fools the network on {counted} of {len(tried)} images that withstood the attack: "
                f"the accuracy is about {100 * share:.0f} points too high, or more"
            )


def _others(attack: Attack, network: Network) -> dict[str, Attack]:
    """What else is tried, by its name in a sentence."""
    others = {}
    if (harder := attack.stronger()) is not None:
        others["a longer search"] = harder
    if not attack.black_box:
        others[f"a random search of {QUERIES} queries"] = Square(attack.epsilon, attack.norm, QUERIES)
    widest = 1.0 if attack.norm == "linf" else math.sqrt(math.prod(network.shape))
    return others | {UNBOUNDED: Pgd(widest, attack.norm, STEPS)}


def _spread(places: Tensor, count: int) -> Tensor:
    """``count`` of ``places``, or all if there are fewer, evenly over them."""
    count = min(count, len(places))
    return places[linspace(0, len(places) - 1, count).round().long()]
