"""A plan that is nothing but a graph."""

from __future__ import annotations


class Graph:
    """Stages by number; ``parents[i]`` are those that stage i reads."""

    def __init__(self, parents, names=None):
        self._parents = [tuple(found) for found in parents]
        self._names = names or ["step"] * len(parents)
        self.addresses = [f"{stage:016x}" for stage in range(len(parents))]

    def __len__(self):
        return len(self._parents)

    def parents(self, stage):
        return self._parents[stage]

    def children(self):
        found = [[] for _ in self._parents]
        for stage, parents in enumerate(self._parents):
            for parent in parents:
                found[parent].append(stage)
        return found

    def stage_name(self, stage):
        return self._names[stage]
