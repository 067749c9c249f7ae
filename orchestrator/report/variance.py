"""Analysis of variance: how much of the spread of results each factor goes with.

Sums of squares are type II (Yates 1934, The analysis of multiple classifications with unequal numbers): what
a term adds to all terms that do not contain it. Where every combination of levels has equally many results
they are those of the textbooks, and add up to the whole. The least squares are of the means of the cells,
weighted by how many results they have: the spread inside cells is known exactly and no unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from orchestrator.report.grouping import Header
from orchestrator.report.rows import ABSENT

Columns = NDArray[np.float64]
#: A factor, or a pair of them.
Term = str | tuple[str, str]
#: Of the largest singular value, or of the whole sum of squares: below it a number is rounding.
TINY = 1e-10
#: The interactions of more pairs than these are one row.
PAIRS = 10

INTERACTIONS = "two-way interactions"
HIGHER = "higher interactions"
RESIDUAL = "residual"


@dataclass(frozen=True)
class Source:
    """What one factor, interaction or the residual has of the variance."""

    name: str
    degrees: int
    squares: float
    share: float
    """Eta squared: its part of the total sum of squares."""
    unbiased: float | None = None
    """Omega squared: the same less what chance gives; below zero where that is more than there is."""
    ratio: float | None = None
    """F: its mean square by that of the residual."""
    p: float | None = None


@dataclass(frozen=True)
class Analysis:
    """The variance of some results, taken apart."""

    sources: tuple[Source, ...]
    """Factors, interactions, then the residual; none where there is nothing to take apart."""
    total: float
    """The sum of squares around the mean of all results."""
    counts: tuple[int, ...]
    """How many results each cell has."""
    balanced: bool
    """Whether every combination of levels has equally many results."""
    pooled: str = ""
    """What became the residual because no cell has two results."""
    idle: tuple[str, ...] = ()
    """Factors that have fewer than two values among the results."""

    @property
    def n(self) -> int:
        """How many results there are."""
        return sum(self.counts)

    @property
    def adds_up(self) -> bool:
        """Whether the shares add up to the whole."""
        return math.isclose(math.fsum(source.share for source in self.sources), 1, abs_tol=1e-6)


def analyse(cells: Mapping[Header, Sequence[float]], factors: Sequence[str]) -> Analysis:
    """The variance of the results in ``cells`` by ``factors``; a cell is a level of each, or `ABSENT`."""
    cells = {levels: values for levels, values in cells.items() if values}
    counts = tuple(len(values) for values in cells.values())
    every = [value for values in cells.values() for value in values]
    centre = math.fsum(every) / len(every) if every else 0.0
    total = math.fsum((value - centre) ** 2 for value in every)
    levels = {name: {cell[i] for cell in cells} for i, name in enumerate(factors)}
    idle = tuple(name for name, found in levels.items() if len(found) < 2)  # noqa: PLR2004 - to differ takes two
    busy = [found for name, found in levels.items() if name not in idle]
    complete = len(cells) == math.prod(map(len, busy)) and not any(ABSENT in found for found in busy)
    balanced = complete and len(set(counts)) == 1
    scale = max(map(abs, every), default=0.0)
    if len(idle) == len(factors) or total <= len(every) * (TINY * scale) ** 2:
        return Analysis((), total, counts, balanced, idle=idle)
    model = Model(cells, [name for name in factors if name not in idle], factors, centre)
    sources, pooled = model.sources(total)
    return Analysis(tuple(sources), total, counts, balanced, pooled, idle)


class Model:
    """The least squares of the means of cells on factors and their two-way interactions."""

    def __init__(
        self,
        cells: Mapping[Header, Sequence[float]],
        names: Sequence[str],
        factors: Sequence[str],
        centre: float,
    ) -> None:
        self.names = names
        self.fits: dict[frozenset[Term], tuple[float, int]] = {}
        self.weights = np.array([len(values) for values in cells.values()], dtype=float)
        means = np.array([math.fsum(values) / len(values) for values in cells.values()])
        self.means = (means - centre) * np.sqrt(self.weights)
        self.inside = math.fsum(
            (value - mean) ** 2
            for values, mean in zip(cells.values(), means, strict=True)
            for value in values
        )
        self.repeats = int(self.weights.sum()) - len(cells)
        levels = {name: [cell[factors.index(name)] for cell in cells] for name in names}
        self.mains = {name: self.contrasts(found) for name, found in levels.items()}
        for name, found in levels.items():
            lacking = np.array([value == ABSENT for value in found], dtype=float)[:, None]
            # whether a trial has an axis counts for the factors that decide it, if some do
            if lacking.any() and not self.contained(lacking, [other for other in names if other != name]):
                self.mains[name] = np.hstack([lacking, self.mains[name]])

    def contrasts(self, levels: Sequence[str]) -> Columns:
        """Columns (cells, levels - 1) that compare the levels among the cells that have one."""
        found = [level for level in dict.fromkeys(levels) if level != ABSENT]
        here = np.array([[value == level for level in found] for value in levels], dtype=float)
        mass = self.weights @ here
        compared = here - here.any(axis=1, keepdims=True) * (mass / mass.sum())
        return np.asarray(compared[:, : len(found) - 1])

    def contained(self, column: Columns, names: Sequence[str]) -> bool:
        """Whether ``column`` follows from ``names`` and their pairs."""
        space = self.space([*names, *combinations(names, 2)])
        weighted = column * np.sqrt(self.weights)[:, None]
        return bool(
            np.linalg.norm(weighted - space @ (space.T @ weighted)) <= 1e-6 * np.linalg.norm(weighted)
        )

    def space(self, terms: Iterable[Term]) -> Columns:
        """An orthonormal basis (cells, rank) of the constant and ``terms``."""
        blocks = [np.ones((len(self.weights), 1)), *map(self.columns, terms)]
        design = np.hstack(blocks) * np.sqrt(self.weights)[:, None]
        # factors of different size must not decide what counts as rounding
        norms = np.linalg.norm(design, axis=0)
        design = design[:, norms > 0] / norms[norms > 0]
        basis, sizes, _ = np.linalg.svd(design, full_matrices=False)
        return np.asarray(basis[:, sizes > TINY * sizes[0]])

    def columns(self, term: Term) -> Columns:
        """The columns of a factor, or the products of those of two."""
        if isinstance(term, str):
            return self.mains[term]
        first, second = (self.mains[name] for name in term)
        return (first[:, :, None] * second[:, None, :]).reshape(len(first), -1)

    def fitted(self, terms: Sequence[Term]) -> tuple[float, int]:
        """The sum of squares of the means that ``terms`` fit, and their rank with the constant."""
        key = frozenset(terms)
        if key not in self.fits:
            space = self.space(terms)
            self.fits[key] = float(np.square(space.T @ self.means).sum()), space.shape[1]
        return self.fits[key]

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """The two-way interactions."""
        return list(combinations(self.names, 2))

    def terms(self) -> dict[str, tuple[float, int]]:
        """Term -> its sum of squares and degrees of freedom, after all others that do not contain it."""
        found = {}
        for name in self.names:
            rest: list[Term] = [other for other in self.names if other != name]
            found[name] = self.added([name], [*rest, *(pair for pair in self.pairs if name not in pair)])
        if len(self.pairs) > PAIRS:
            found[INTERACTIONS] = self.added(self.pairs, self.names)
        else:
            for pair in self.pairs:
                rest = [*self.names, *(other for other in self.pairs if other != pair)]
                found[f"{pair[0]} × {pair[1]}"] = self.added([pair], rest)  # noqa: RUF001
        return {term: given for term, given in found.items() if given[1] or term in self.names}

    def added(self, terms: Sequence[Term], rest: Sequence[Term]) -> tuple[float, int]:
        """What ``terms`` add to ``rest``: sum of squares and degrees of freedom."""
        more, less = self.fitted([*rest, *terms]), self.fitted(rest)
        degrees = more[1] - less[1]
        return (max(0.0, more[0] - less[0]) if degrees else 0.0), degrees

    def sources(self, total: float) -> tuple[list[Source], str]:
        """The rows of the analysis, and what became the residual where no cell has two results."""
        found = self.terms()
        fitted, rank = self.fitted([*self.names, *self.pairs])
        between = float(np.square(self.means).sum())
        higher = (max(0.0, between - fitted), len(self.weights) - rank)
        residual, pooled = (self.inside, self.repeats), ""
        if not self.repeats and higher[1]:
            residual, pooled = higher, HIGHER
        elif not self.repeats and self.pairs:
            # a two-way layout with one result a cell: its interactions are all that can be the residual
            fitted, rank = self.fitted(self.names)
            found = {name: self.added([name], [o for o in self.names if o != name]) for name in self.names}
            residual, pooled = (max(0.0, between - fitted), len(self.weights) - rank), INTERACTIONS
        elif higher[1]:
            found[HIGHER] = higher
        spread = residual[1] and residual[0] > TINY * total
        error = (residual[0] / residual[1], residual[1]) if spread else None
        rows = [_source(name, given, total, error) for name, given in found.items()]
        return [*rows, Source(RESIDUAL, residual[1], residual[0], residual[0] / total)], pooled


def _source(name: str, given: tuple[float, int], total: float, error: tuple[float, int] | None) -> Source:
    squares, degrees = given
    if error is None or not degrees:
        return Source(name, degrees, squares, squares / total)
    from scipy.special import fdtrc  # takes a second: only who explains waits for it

    chance, rest = error
    ratio = squares / degrees / chance
    unbiased = (squares - degrees * chance) / (total + chance)
    return Source(
        name, degrees, squares, squares / total, unbiased, ratio, float(fdtrc(degrees, rest, ratio))
    )
