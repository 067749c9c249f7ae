"""How fast a run goes and when it will be through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.monitor.snapshot import Running

#: The rate is that of the last minute.
WINDOW_SECONDS = 60.0


def rate(finishes: Sequence[float], opened: float | None, now: float) -> float | None:
    """Stages per second over the last minute, or since the run began; None if none finished."""
    recent = sum(at > now - WINDOW_SECONDS for at in finishes)
    if not recent or opened is None:
        return None
    return recent / max(now - max(opened, now - WINDOW_SECONDS), 1e-3)


def eta_seconds(
    waiting: Mapping[str, int],
    running: Sequence[Running],
    busy_seconds: Mapping[str, float],
    finished: Mapping[str, int],
    elapsed_seconds: float,
) -> float | None:
    """The work that is left over the number of busy workers; None if too little is known.

    A stage is expected to take the mean of the finished ones of its name, else what one that runs now takes
    at its pace, else the mean of all.

    Args:
        waiting: how many stages of each name wait.
        running: those that run; they have their own pace.
        busy_seconds: what the finished stages of each name took in all.
        finished: how many these are.
        elapsed_seconds: since the run began.
    """
    means = {name: busy_seconds[name] / count for name, count in finished.items() if count}
    for item in running:
        if item.expected_seconds is not None:
            means.setdefault(item.stage, item.expected_seconds)
    known = sum(count for name, count in waiting.items() if name in means)
    if not means or elapsed_seconds <= 0 or 2 * known < sum(waiting.values()):
        return None  # most of what waits was never seen: an evaluation may take a hundredth of a training
    usual = sum(means.values()) / len(means)
    work = sum(count * means.get(name, usual) for name, count in waiting.items())
    for item in running:
        expected = item.expected_seconds or means.get(item.stage, usual)
        work += max(0.0, expected - item.seconds)
    spent = sum(busy_seconds.values()) + sum(item.seconds for item in running)
    return work * elapsed_seconds / spent if spent > 0 else None
