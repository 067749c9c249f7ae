"""The mean corruption error by hand."""

from __future__ import annotations

import pytest

from workloads.metrics.mce import mce


def test_errors_are_divided_for_each_corruption_and_then_averaged():
    assert mce({"fog": 0.2, "snow": 0.9}, {"fog": 0.4, "snow": 0.6}) == pytest.approx((0.5 + 1.5) / 2)


def test_a_reference_without_errors_is_refused():
    with pytest.raises(ValueError, match=r"must make errors at every corruption, got none at \['snow'\]"):
        mce({"fog": 0.2, "snow": 0.9}, {"fog": 0.4, "snow": 0.0})


def test_both_must_have_seen_the_same():
    with pytest.raises(ValueError, match="both need errors at the same corruptions"):
        mce({"fog": 0.2}, {"snow": 0.4})
    with pytest.raises(ValueError, match="both need errors at the same corruptions"):
        mce({}, {})
