"""Analysis of variance against textbooks, scipy, and least squares over single results."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from orchestrator.report.rows import ABSENT
from orchestrator.report.variance import HIGHER, INTERACTIONS, RESIDUAL, analyse

#: Montgomery, Design and Analysis of Experiments, example 5.1: lives of batteries by material and heat.
BATTERY = {
    ("1", "15"): [130, 155, 74, 180],
    ("1", "70"): [34, 40, 80, 75],
    ("1", "125"): [20, 70, 82, 58],
    ("2", "15"): [150, 188, 159, 126],
    ("2", "70"): [136, 122, 106, 115],
    ("2", "125"): [25, 70, 58, 45],
    ("3", "15"): [138, 110, 168, 160],
    ("3", "70"): [174, 120, 150, 139],
    ("3", "125"): [96, 104, 82, 60],
}
VALUES = st.floats(-100, 100).map(lambda value: round(value, 3))


def by_name(analysis):
    return {source.name: source for source in analysis.sources}


def test_a_textbook_example_of_two_factors_has_the_numbers_of_the_textbook():
    found = by_name(analyse(BATTERY, ("material", "temperature")))
    expected = {
        "material": (10683.72, 2, 7.91, 0.0020),
        "temperature": (39118.72, 2, 28.97, 0.0000),
        "material × temperature": (9613.78, 4, 3.56, 0.0186),  # noqa: RUF001
    }
    assert [*found] == [*expected, RESIDUAL]
    for name, (squares, degrees, ratio, p) in expected.items():
        source = found[name]
        assert source.squares == pytest.approx(squares, abs=0.005)
        assert source.degrees == degrees
        assert source.ratio == pytest.approx(ratio, abs=0.005)
        assert source.p == pytest.approx(p, abs=0.00005)
    assert (found[RESIDUAL].squares, found[RESIDUAL].degrees) == (pytest.approx(18230.75), 27)
    # omega squared of the material by hand: (10683.72 - 2 x 675.21) / (77646.97 + 675.21)
    assert found["material"].unbiased == pytest.approx(0.11917, abs=1e-5)
    assert found["material"].share == pytest.approx(10683.72 / 77646.97, abs=1e-6)


@settings(max_examples=30)
@given(st.lists(st.lists(VALUES, min_size=2, max_size=6), min_size=2, max_size=5))
def test_one_factor_agrees_with_scipy_whatever_the_number_of_results(groups):
    within = sum(float(np.var(group)) * len(group) for group in groups)
    means = [float(np.mean(group)) for group in groups]
    assume(within > 1e-3 and max(means) - min(means) > 1e-3)  # else one of them has no F or no p
    analysis = analyse({(str(i),): group for i, group in enumerate(groups)}, ("factor",))
    expected = stats.f_oneway(*groups)
    source = by_name(analysis)["factor"]
    assert source.ratio == pytest.approx(expected.statistic, rel=1e-6, abs=1e-9)
    assert source.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-9)
    assert source.degrees == len(groups) - 1
    assert analysis.adds_up


def residual_squares(values, rows, terms):
    """What least squares over single results with one dummy a level (or pair of levels) leave."""
    columns = [np.ones(len(rows))]
    for term in terms:
        keys = [tuple(row[i] for i in term) for row in rows]
        columns += [np.array([key == level for key in keys], dtype=float) for level in sorted(set(keys))]
    design = np.stack(columns, axis=1)
    solution, *_ = np.linalg.lstsq(design, values, rcond=None)
    return float(np.square(values - design @ solution).sum()), int(np.linalg.matrix_rank(design))


def unbalanced(seed, shape=(2, 3, 3)):
    """Cells of one to three results each, of which some are missing."""
    rng = np.random.default_rng(seed)
    cells = {
        tuple(f"{i}" for i in levels): list(rng.normal(sum(levels), 1.0, rng.integers(1, 4)))
        for levels in product(*map(range, shape))
        if rng.random() < 0.85
    }
    assert all(len({cell[i] for cell in cells}) == size for i, size in enumerate(shape))
    return cells


@pytest.mark.parametrize("seed", range(5))
def test_an_unbalanced_layout_agrees_with_least_squares_over_single_results(seed):
    cells = unbalanced(seed)
    rows = [cell for cell, values in cells.items() for _ in values]
    values = np.array([value for found in cells.values() for value in found])
    mains, pairs = [(0,), (1,), (2,)], [(0, 1), (0, 2), (1, 2)]
    inside = sum(float(np.var(found)) * len(found) for found in cells.values())
    error = inside / (len(values) - len(cells))
    analysis = analyse(cells, ("a", "b", "c"))
    found = by_name(analysis)
    assert not analysis.balanced
    for term in (*mains, *pairs):
        # type II: after everything that does not contain the term
        rest = [other for other in (*mains, *pairs) if other != term and not set(term) <= set(other)]
        without, few = residual_squares(values, rows, rest)
        with_it, many = residual_squares(values, rows, [*rest, term])
        name = " × ".join("abc"[i] for i in term)  # noqa: RUF001
        if many == few:  # too many cells are missing to tell it from the rest
            assert name not in found
            continue
        source = found[name]
        assert source.squares == pytest.approx(without - with_it, rel=1e-8)
        assert source.degrees == many - few
        assert source.ratio == pytest.approx((without - with_it) / (many - few) / error, rel=1e-8)
    assert found[RESIDUAL].squares == pytest.approx(inside)
    left, rank = residual_squares(values, rows, [*mains, *pairs])
    higher = (found[HIGHER].squares, found[HIGHER].degrees) if HIGHER in found else (0.0, 0)
    assert higher == (pytest.approx(left - inside, rel=1e-8, abs=1e-9), len(cells) - rank)


def test_an_axis_that_exists_for_some_levels_alone_is_compared_among_these():
    # two results one above and one below these means
    means = {
        ("none", ABSENT): 0.0,
        ("clean", "5"): 2.0,
        ("clean", "20"): 4.0,
        ("adversarial", "5"): 4.0,
        ("adversarial", "20"): 6.0,
    }
    analysis = analyse({cell: [mean - 1, mean + 1] for cell, mean in means.items()}, ("finetune", "length"))
    found = {source.name: (source.squares, source.degrees) for source in analysis.sources}
    assert found == {
        # none 0 (n=2), clean 3 (n=4), adversarial 5 (n=4), all 3.2: 2 x 3.2² + 4 x 0.2² + 4 x 1.8²
        "finetune": (pytest.approx(33.6), 2),
        # 5 epochs 3, 20 epochs 5, n=4 each: 8 x 1²
        "length": (pytest.approx(8.0), 1),
        "finetune × length": (pytest.approx(0.0, abs=1e-9), 1),  # noqa: RUF001
        "residual": (pytest.approx(10.0), 5),
    }
    assert not analysis.balanced and analysis.adds_up


def test_whether_a_trial_has_an_axis_counts_for_the_axis_itself_where_nothing_else_decides_it():
    analysis = analyse({(ABSENT,): [0.0, 2.0], ("1",): [4.0, 6.0], ("2",): [6.0, 8.0]}, ("sparsity",))
    # means 1, 5, 7 of 13/3: 2 x (100/9 + 4/9 + 64/9) = 336/9
    assert by_name(analysis)["sparsity"].squares == pytest.approx(336 / 9)
    assert by_name(analysis)["sparsity"].degrees == 2


def test_two_axes_that_exist_together_share_out_their_existence_to_the_first():
    cells = {
        (ABSENT, ABSENT): [0.0, 2.0],
        ("1", "a"): [4.0, 6.0],
        ("2", "a"): [4.0, 6.0],
        ("1", "b"): [5.0, 5.5],
    }
    found = by_name(analyse(cells, ("sparsity", "length")))
    assert (found["sparsity"].degrees, found["length"].degrees) == (2, 1)


BALANCED = st.tuples(st.integers(2, 3), st.integers(2, 3), st.integers(1, 3)).flatmap(
    lambda shape: st.lists(VALUES, min_size=math.prod(shape), max_size=math.prod(shape)).map(
        lambda values: np.array(values).reshape(shape)
    )
)


@settings(max_examples=30)
@given(BALANCED)
def test_shares_of_a_balanced_layout_add_up_to_the_whole(values):
    analysis = analyse(
        {(str(i), str(j)): list(values[i, j]) for i, j in np.ndindex(*values.shape[:2])}, ("a", "b")
    )
    assert analysis.balanced
    if analysis.sources:
        assert analysis.adds_up
        assert sum(source.degrees for source in analysis.sources) == values.size - 1


@settings(max_examples=20)
@given(st.integers(0, 4), st.floats(-50, 50), st.floats(0.1, 10))
def test_shares_do_not_depend_on_the_unit_nor_on_the_order(seed, shift, scale):
    cells = unbalanced(seed)
    moved = {
        cell[::-1]: [shift + scale * value for value in values] for cell, values in reversed(cells.items())
    }
    here, there = analyse(cells, ("a", "b", "c")), analyse(moved, ("c", "b", "a"))
    names = {frozenset(source.name.split(" × ")): source for source in there.sources}  # noqa: RUF001
    for source in here.sources:
        other = names[frozenset(source.name.split(" × "))]  # noqa: RUF001
        assert other.share == pytest.approx(source.share, rel=1e-6, abs=1e-9)
        assert other.degrees == source.degrees


def test_with_one_result_a_cell_the_interaction_of_two_factors_is_the_residual():
    # rows 1 and 5 on average, columns 2, 3 and 4; what these do not add up to is 1 -1 0 and its opposite
    cells = {("a", "x"): [1.0], ("a", "y"): [0.0], ("a", "z"): [2.0]}
    cells |= {("b", "x"): [3.0], ("b", "y"): [6.0], ("b", "z"): [6.0]}
    analysis = analyse(cells, ("row", "column"))
    found = {source.name: (source.squares, source.degrees) for source in analysis.sources}
    assert found == {
        "row": (pytest.approx(24.0), 1),
        "column": (pytest.approx(4.0), 2),
        "residual": (pytest.approx(4.0), 2),
    }
    assert analysis.pooled == INTERACTIONS
    assert by_name(analysis)["row"].ratio == pytest.approx(12.0)


def test_with_one_result_a_cell_higher_interactions_are_the_residual_if_there_are_any():
    rng = np.random.default_rng(0)
    cells = {tuple(levels): [float(rng.normal())] for levels in product("ab", "cd", "ef")}
    analysis = analyse(cells, ("x", "y", "z"))
    assert analysis.pooled == HIGHER
    assert [source.degrees for source in analysis.sources] == [1] * 7
    assert analysis.adds_up


def test_many_pairs_are_one_row():
    rng = np.random.default_rng(0)
    names = ("a", "b", "c", "d", "e", "f")
    cells = {tuple(levels): list(rng.normal(size=2)) for levels in product("01", repeat=6)}
    found = {source.name: source.degrees for source in analyse(cells, names).sources}
    # 64 cells: a mean, 6 factors, 15 pairs, and 42 that are higher
    assert found == {**dict.fromkeys(names, 1), INTERACTIONS: 15, HIGHER: 42, RESIDUAL: 64}


def test_omega_squared_of_noise_is_zero_on_average_and_eta_squared_is_not():
    rng = np.random.default_rng(0)
    found = [
        by_name(analyse({(str(i),): list(rng.normal(size=3)) for i in range(4)}, ("factor",)))["factor"]
        for _ in range(400)
    ]
    assert abs(np.mean([source.unbiased for source in found])) < 0.03
    assert np.mean([source.share for source in found]) == pytest.approx(3 / 11, abs=0.03)


def test_results_that_repeat_exactly_have_shares_and_no_f():
    analysis = analyse({("a",): [0.1, 0.1, 0.1], ("b",): [0.7, 0.7, 0.7]}, ("factor",))
    factor = by_name(analysis)["factor"]
    assert factor.share == pytest.approx(1.0)
    assert (factor.ratio, factor.p, factor.unbiased) == (None, None, None)


@pytest.mark.parametrize("cells", [{}, {("a", "x"): [0.3, 0.3], ("b", "x"): [0.3]}, {("a", "x"): [0.1, 0.9]}])
def test_where_nothing_differs_there_is_nothing_to_take_apart(cells):
    assert analyse(cells, ("factor", "other")).sources == ()


def test_a_factor_with_one_level_is_left_out_and_named():
    analysis = analyse({("a", "x"): [0.1, 0.2], ("b", "x"): [0.3, 0.5]}, ("factor", "other"))
    assert [source.name for source in analysis.sources] == ["factor", RESIDUAL]
    assert analysis.idle == ("other",)
    assert analysis.balanced
