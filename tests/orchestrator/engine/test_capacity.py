"""Which workers are started and given up, for shapes and machines one can check by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.capacity import Changes, Demand, Machine, Seat, arrange
from orchestrator.stage import Resources

ONE = Resources(1.0)
TWO = Resources(2.0)
HALF_GPU = Resources(1.0, 0.5)
QUARTER_GPU = Resources(0.0, 0.25)
WHOLE_GPU = Resources(1.0, 1.0)


def test_as_many_workers_are_started_as_fit():
    assert arrange([Machine("a", 3.0), Machine("b", 2.0)], [], [Demand(ONE, 100)]).start == [ONE] * 5


def test_no_more_than_there_is_work_for():
    assert arrange([Machine("a", 8.0)], [], [Demand(ONE, 2)]).start == [ONE] * 2


def test_no_more_than_the_limit():
    seats = [Seat(0, ONE, "a")]
    assert arrange([Machine("a", 8.0)], seats, [Demand(ONE, 10)], limit=3).start == [ONE] * 2


def test_what_was_asked_for_and_is_not_there_yet_takes_its_place():
    assert arrange([Machine("a", 2.0)], [Seat(0, ONE)], [Demand(ONE, 5)]).start == [ONE]


def test_the_first_demand_is_served_first():
    assert arrange([Machine("a", 2.0)], [], [Demand(TWO, 1), Demand(ONE, 2)]).start == [TWO]


def test_a_spare_worker_makes_room_for_another_shape():
    seats = [Seat(7, ONE, "a", spare=True)]
    assert arrange([Machine("a", 1.0)], seats, [Demand(Resources(0.5), 1)]) == Changes([Resources(0.5)], [7])


def test_no_more_spare_workers_go_than_must():
    seats = [Seat(key, ONE, "a", spare=True) for key in range(4)]
    changes = arrange([Machine("a", 4.0)], seats, [Demand(TWO, 1)])
    assert (changes.start, len(changes.give_up)) == ([TWO], 2)


def test_a_spare_worker_stays_where_its_going_would_not_help():
    seats = [Seat(0, ONE, "a", spare=True), Seat(1, ONE, "b")]
    assert arrange([Machine("a", 1.0), Machine("b", 1.0)], seats, [Demand(TWO, 1)]) == Changes()


def test_a_busy_worker_is_left_alone():
    assert arrange([Machine("a", 1.0)], [Seat(0, ONE, "a")], [Demand(HALF_GPU, 1)]) == Changes()


def test_at_the_limit_a_spare_worker_goes_although_there_is_room():
    seats = [Seat(0, ONE, "a", spare=True), Seat(1, ONE, "a")]
    assert arrange([Machine("a", 8.0)], seats, [Demand(TWO, 1)], limit=2) == Changes([TWO], [0])


def test_a_starving_shape_makes_a_busy_worker_leave_and_keeps_its_place():
    seats = [Seat(0, ONE, "a", settled=True), Seat(1, ONE, "a", settled=True)]
    demands = [Demand(ONE, 5), Demand(TWO, 1, starving=True, over={ONE})]
    assert arrange([Machine("a", 2.0)], seats, demands) == Changes([], [], [0, 1])
    left = [Seat(0, ONE, "a", spare=True, leaving=True), Seat(1, ONE, "a", leaving=True, settled=True)]
    assert arrange([Machine("a", 2.0)], left, demands).start == []  # what 0 would free is not given to ONE
    gone = [Seat(key, ONE, "a", spare=True, leaving=True) for key in (0, 1)]
    assert arrange([Machine("a", 2.0)], gone, demands) == Changes([TWO], [0, 1])


def test_a_starving_shape_spares_those_it_does_not_precede():
    demands = [Demand(TWO, 1, starving=True, over=())]
    seats = [Seat(0, ONE, "a", settled=True), Seat(1, ONE, "a", settled=True)]
    assert arrange([Machine("a", 2.0)], seats, demands) == Changes()


def test_a_starving_shape_does_not_chase_away_who_has_only_just_come():
    demands = [Demand(TWO, 1, starving=True, over={ONE})]
    assert arrange([Machine("a", 2.0)], [Seat(0, ONE, "a"), Seat(1, ONE)], demands) == Changes()


def test_shares_of_a_gpu_are_packed_and_not_split_over_two():
    machines = [Machine("a", 8.0, gpus=2)]
    assert arrange(machines, [], [Demand(Resources(1.0, 0.6), 5)]).start == [Resources(1.0, 0.6)] * 2
    assert arrange(machines, [], [Demand(QUARTER_GPU, 50)]).start == [QUARTER_GPU] * 8


def test_a_whole_gpu_is_not_made_of_two_halves():
    seats = [Seat(0, HALF_GPU, "a", gpus=(0,)), Seat(1, HALF_GPU, "a", gpus=(1,), spare=True)]
    changes = arrange([Machine("a", 8.0, gpus=2)], seats, [Demand(WHOLE_GPU, 1)])
    assert (changes.start, changes.give_up) == ([WHOLE_GPU], [1])


def test_several_gpus_are_given_whole():
    two = Resources(1.0, 2.0)
    assert arrange([Machine("a", 8.0, gpus=3)], [], [Demand(two, 2)]).start == [two]
    assert not Machine("a", 8.0, gpus=1).can_hold(two)


def test_memory_is_counted():
    large = Resources(1.0, 0.0, 10.0)
    assert arrange([Machine("a", 8.0, memory_gib=25.0)], [], [Demand(large, 8)]).start == [large] * 2


def test_an_autoscaler_is_shown_what_is_missing_and_not_too_much_of_it():
    assert arrange([Machine("a", 1.0)], [], [Demand(ONE, 50)], growth=4).start == [ONE] * 5
    assert arrange([], [Seat(0, ONE)], [Demand(ONE, 50)], growth=4, limit=3).start == [ONE] * 2


def test_a_spare_worker_goes_for_one_that_was_asked_for_and_lost_its_place():
    seats = [Seat(0, ONE, "a", spare=True), Seat(1, TWO)]
    assert arrange([Machine("a", 2.0)], seats, [Demand(TWO, 1)]) == Changes([], [0])


def test_who_waits_in_vain_may_starve_and_is_not_asked_for_twice():
    seats = [Seat(0, ONE, "a", settled=True), Seat(1, TWO)]
    assert arrange([Machine("a", 2.0)], seats, [Demand(TWO, 1, True, over={ONE})]) == Changes([], [], [0])
    assert arrange([Machine("a", 2.0)], seats, [Demand(TWO, 1)], growth=4) == Changes()


def test_a_spare_worker_goes_for_one_that_waits_too_long_for_what_looks_free():
    seats = [Seat(0, ONE, "a", spare=True), Seat(1, TWO, overdue=True)]
    assert arrange([Machine("a", 8.0)], seats, []) == Changes([], [0])
    assert arrange([Machine("a", 8.0)], [seats[0], Seat(1, TWO)], []) == Changes()


def test_who_asks_for_nothing_counts_as_one_cpu():
    nothing = Resources(0.0)
    assert arrange([Machine("a", 3.0)], [], [Demand(nothing, 100)]).start == [nothing] * 3


shapes = st.builds(Resources, st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
machines = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2)), min_size=1, max_size=3)


@given(
    machines,
    st.lists(st.tuples(shapes, st.integers(1, 5)), max_size=4),
    st.one_of(st.none(), st.integers(0, 5)),
)
def test_never_more_than_the_machines_have_and_never_less_than_one_that_fits(found, wanted, limit):
    have = [Machine(str(i), float(cpus), gpus) for i, (cpus, gpus) in enumerate(found)]
    started = arrange(have, [], [Demand(shape, count) for shape, count in wanted], limit=limit).start
    assert sum(shape.cpus for shape in started) <= sum(machine.cpus for machine in have)
    assert sum(shape.gpus for shape in started) <= sum(machine.gpus for machine in have)
    assert limit is None or len(started) <= limit
    fits = any(machine.can_hold(shape) for machine in have for shape, _ in wanted)
    assert bool(started) == (fits and limit != 0)
