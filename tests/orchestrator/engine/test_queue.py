"""The order in which a plan is drained, without anything that runs it."""

from __future__ import annotations

import time

from graphs import Graph
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engine.queue import Queue, State

DIAMOND = [(), (0,), (0,), (1, 2)]


def queue_of(parents, done=(), names=None, **options):
    graph = Graph(parents, names)
    missing = [stage for stage in range(len(graph)) if stage not in done]
    return Queue(graph, missing, {graph.addresses[stage] for stage in done}, **options)


def drain(queue):
    order = []
    while (stage := queue.take()) is not None:
        order.append(stage)
        queue.done(stage)
    return order


def test_a_stage_is_ready_only_when_all_it_reads_is_done():
    queue = queue_of(DIAMOND)
    assert queue.take() == 0
    assert queue.take() is None
    queue.done(0)
    assert (queue.take(), queue.take(), queue.take()) == (1, 2, None)
    queue.done(1)
    assert queue.take() is None
    queue.done(2)
    assert queue.take() == 3


def test_what_is_done_already_is_not_run():
    assert drain(queue_of(DIAMOND, done=(0, 1))) == [2, 3]


def test_the_stage_with_the_longest_remaining_path_goes_first():
    # 0 and 1 are roots; 1 begins the chain 1 -> 2 -> 3, so it is more urgent than 0.
    assert drain(queue_of([(), (), (1,), (2,)])) == [1, 2, 0, 3]


def test_measured_seconds_make_a_slow_stage_more_urgent_than_a_long_chain():
    parents = [(), (), (1,), (2,)]
    names = ["train", "step", "step", "step"]
    assert drain(queue_of(parents, names=names, durations={"train": 60.0, "step": 1.0}))[0] == 0


def test_a_failed_stage_blocks_its_descendants_and_nothing_else():
    queue = queue_of([(), (), (0,), (2, 1), (1,)])
    assert queue.take() == 0
    assert queue.fail(0) == [2, 3]
    assert dict(queue.blocked()) == {2: 0, 3: 0}
    assert drain(queue) == [1, 4]
    assert len(queue) == 0


def test_a_stage_that_is_put_back_runs_again():
    queue = queue_of([()])
    queue.put_back(queue.take())
    assert queue.take() == 0


def test_groups_are_taken_from_separately_and_listed_by_urgency():
    # Stage 1 begins a chain of two; it is in the group 1, the others are in the group 0.
    queue = queue_of([(), (), (1,)], group=lambda stage: stage % 2)
    assert list(queue.groups()) == [1, 0]
    assert (queue.ready(0), queue.ready(1)) == (1, 1)
    assert (queue.take(0), queue.take(0), queue.take(1)) == (0, None, 1)


def test_an_output_that_is_gone_is_made_again_before_its_reader():
    queue = queue_of([(), (0,), (1,)], done=(0, 1))
    reader = queue.take()
    assert reader == 2
    assert queue.reinstate(1) == [1]
    queue.put_back(reader)
    assert drain(queue) == [1, 2]


def test_what_a_lost_output_needs_is_made_again_too_when_it_was_never_planned():
    graph = Graph([(), (0,), (1,)])
    queue = Queue(graph, [2], {graph.addresses[1]})  # 0 is gone, and nobody needed it
    reader = queue.take()
    assert sorted(queue.reinstate(1)) == [0, 1]
    queue.put_back(reader)
    assert drain(queue) == [0, 1, 2]


def test_readers_that_were_ready_wait_for_a_lost_output():
    queue = queue_of([(), (0,), (0,)], done=(0,))
    reader = queue.take()
    assert queue.reinstate(0) == [0]
    assert queue.state(2) == State.WAITING
    queue.put_back(reader)
    assert drain(queue) == [0, 1, 2]


def test_two_readers_of_a_lost_output_put_it_back_once():
    queue = queue_of([(), (0,), (0,)], done=(0,))
    readers = [queue.take(), queue.take()]
    assert queue.reinstate(0) == [0]
    assert queue.reinstate(0) == []
    for reader in readers:
        queue.put_back(reader)
    assert drain(queue) == [0, 1, 2]


def test_a_lost_output_that_cannot_be_made_again_blocks_its_readers():
    graph = Graph([(), (0,), (), (1, 2)])
    queue = Queue(graph, [2, 3], {graph.addresses[0], graph.addresses[1]})
    queue.done(queue.take())  # 2
    reader = queue.take()
    queue.reinstate(1)
    queue.put_back(reader)
    assert queue.fail(queue.take()) == [3]
    assert len(queue) == 0


def test_a_stage_put_back_after_its_parent_failed_is_blocked():
    queue = queue_of([(), (0,)], done=(0,))
    reader = queue.take()
    queue.reinstate(0)
    queue.fail(queue.take())
    queue.put_back(reader)
    assert dict(queue.blocked()) == {1: 0}


def test_a_held_stage_is_not_ready_until_it_is_let_go():
    queue = queue_of([(), (), (0,)])
    queue.hold([0, 1])
    assert (queue.take(), queue.ready(), len(queue)) == (None, 0, 3)
    queue.hold([1])
    assert (queue.take(), queue.take()) == (0, None)
    queue.done(0)
    queue.hold([2])
    assert (queue.take(), queue.take()) == (1, None)  # 2 waits no more, but is held
    queue.hold([])
    assert queue.take() == 2


def test_what_somebody_else_made_makes_its_readers_ready_and_is_news_once():
    queue = queue_of([(), (0,), (1,)])
    queue.hold([0])
    assert [queue.found(0), queue.found(0)] == [True, False]
    assert queue.found(1)  # although it was ready here
    assert drain(queue) == [2]


def test_what_runs_here_is_not_held():
    queue = queue_of([()])
    stage = queue.take()
    queue.hold([stage])
    assert not queue.found(stage)
    queue.put_back(stage)
    assert queue.take() is None
    queue.hold([])
    assert queue.take() == stage


def test_a_held_stage_is_blocked_or_waits_like_a_ready_one():
    queue = queue_of([(), (), (0, 1)], done=(0, 1))
    queue.hold([2])
    assert queue.reinstate(0) == [0]
    assert queue.state(2) == State.WAITING
    assert queue.fail(queue.take()) == [2]
    queue = queue_of([(), (0,)])
    queue.fail(queue.take())
    queue.hold([1])
    assert queue.state(1) == State.BLOCKED


def test_what_is_preferred_goes_first_and_what_comes_next_is_known():
    # 2 begins the chain 2 -> 3; of equals the smaller id is first.
    queue = queue_of([(), (), (), (2,)])
    assert queue.upcoming(None, 9) == [2, 0, 1]
    queue.prefer([1, 3])
    assert queue.upcoming(None, 2) == [1, 2]
    assert drain(queue) == [1, 2, 0, 3]


graphs = st.integers(1, 12).flatmap(
    lambda size: st.tuples(
        *(st.sets(st.integers(0, stage - 1)) if stage else st.just(set()) for stage in range(size))
    )
)


@given(graphs, st.data())
@settings(max_examples=150, deadline=None)
def test_every_stage_runs_once_parents_first_and_blocked_is_what_descends_from_a_failure(parents, data):
    doomed = data.draw(st.sets(st.integers(0, len(parents) - 1)))
    queue = queue_of(parents)
    ran, failed, running = [], set(), []
    while len(queue):
        if running and (queue.ready() == 0 or data.draw(st.booleans())):
            stage = running.pop(data.draw(st.integers(0, len(running) - 1)))
            if stage in doomed:
                failed.add(stage)
                queue.fail(stage)
            else:
                queue.done(stage)
        else:
            stage = queue.take()
            assert all(queue.state(parent) == State.DONE for parent in parents[stage])
            ran.append(stage)
            running.append(stage)
    below = set()
    for stage, found in enumerate(parents):
        if any(parent in failed or parent in below for parent in found):
            below.add(stage)
    assert len(ran) == len(set(ran))
    assert set(queue.blocked()) == below
    assert set(ran) == set(range(len(parents))) - below
    assert all(queue.blocked()[stage] in failed for stage in below)


@given(graphs, st.data())
@settings(max_examples=150, deadline=None)
def test_holding_and_preferring_change_the_order_and_nothing_else(parents, data):
    queue = queue_of(parents)
    ran = []
    stages = st.sets(st.integers(0, len(parents) - 1))
    while len(queue):
        queue.hold(data.draw(stages) if data.draw(st.booleans()) else [])
        queue.prefer(data.draw(stages))
        foreseen = queue.upcoming(None, 3)
        stage = queue.take()
        assert stage == (foreseen[0] if foreseen else None)
        if stage is not None:
            assert all(queue.state(parent) == State.DONE for parent in parents[stage])
            ran.append(stage)
            queue.done(stage)
    assert sorted(ran) == list(range(len(parents)))


@given(graphs, st.data())
@settings(max_examples=150, deadline=None)
def test_outputs_that_vanish_are_made_again_and_the_plan_still_ends(parents, data):
    queue = queue_of(parents)
    vanished, ran = 0, []
    while (stage := queue.take()) is not None:
        lost = data.draw(st.sampled_from([None, *parents[stage]])) if vanished < 5 else None
        if lost is None:
            ran.append(stage)
            queue.done(stage)
        else:
            vanished += 1
            queue.reinstate(lost)
            queue.put_back(stage)
    assert len(queue) == 0
    assert queue.count(State.DONE) == len(parents)
    assert set(ran) == set(range(len(parents)))


def test_three_hundred_thousand_stages_in_long_chains_are_drained_without_recursion():
    size = 300_000
    queue_started = time.process_time()
    queue = queue_of([(stage - 100,) if stage >= 100 else () for stage in range(size)])
    assert len(drain(queue)) == size
    assert time.process_time() - queue_started < 30  # about 2 s; quadratic work would take hours


def test_a_failure_at_the_root_of_a_long_chain_blocks_all_of_it():
    queue = queue_of([(stage - 1,) if stage else () for stage in range(100_000)])
    assert len(queue.fail(queue.take())) == 99_999
