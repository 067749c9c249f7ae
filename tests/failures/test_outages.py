"""An S3 service that is slow, full of errors, away, or that lets nobody in any more."""

from __future__ import annotations

import time

import pytest

from failures.case import until
from failures.driver import impatient
from failures.invariants import left_checkpoints, violations
from failures.proxy import PATIENCE_SECONDS, SHARES

pytestmark = pytest.mark.s3


def test_without_any_fault_a_bucket_holds_what_a_folder_does(on_s3, proxy, undisturbed):
    case = on_s3(proxy.endpoint)
    with case.watched(undisturbed.manifests):
        said = case.run()
    assert violations(case, undisturbed, table=said.out) == []
    assert proxy.met["none"] > 100


@pytest.mark.parametrize("fault", SHARES)
def test_a_service_with_faults(on_s3, proxy, undisturbed, fault):
    case = on_s3(proxy.endpoint, changes=((impatient, PATIENCE_SECONDS),))
    proxy.spoil(fault)
    with case.watched(undisturbed.manifests):
        said = case.run()
    assert proxy.met[fault] >= 1
    assert violations(case, undisturbed, table=said.out, whole_checkpoints=False) == []


@pytest.mark.slow
def test_a_service_that_is_away_for_half_a_minute(on_s3, proxy, undisturbed):
    """As long as that, in the middle of a long stage: it goes on, and what waits for the service waits."""
    case = on_s3(proxy.endpoint)
    case.set_pace(0.1)
    with case.watched(undisturbed.manifests):
        driver = case.start()
        until(lambda: case.ledger("saved"))
        proxy.go_down()
        away = time.monotonic()
        until(lambda: len(case.ledger("step")) == 40)  # the end of the stage, which needs no service
        case.set_pace(0.0)
        time.sleep(max(0.0, 30.0 - (time.monotonic() - away)))
        assert driver.alive
        proxy.come_up()
        said = driver.end()
    assert said.code == 0, said.err
    assert violations(case, undisturbed, table=said.out, whole_checkpoints=False) == []
    assert left_checkpoints(case) == set()


def test_a_service_that_is_away_at_the_start_says_to_come_again(on_s3, proxy, undisturbed):
    case = on_s3(proxy.endpoint)
    (first,) = case.addresses("plain.model", seed=0)
    case.lay(first, "die")
    assert case.start().end().code == -9
    proxy.go_down()
    said = case.run(code=1)
    assert f"{case.store.uri}: cannot list: " in said.err
    assert "run the same command again when it can be reached; what is finished is kept" in said.err
    assert "Traceback" not in said.err
    proxy.come_up()
    said = case.run()
    assert violations(case, undisturbed, table=said.out) == []


def test_a_wrong_key_is_wrong_input_and_loses_nothing(on_s3, undisturbed):
    case = on_s3()
    case.set_pace(0.01)
    driver = case.start()
    until(lambda: case.open().done())
    driver.kill()
    before = case.open().list_keys("")
    right = case.environment["AWS_SECRET_ACCESS_KEY"]
    case.environment["AWS_SECRET_ACCESS_KEY"] = "another-secret-key"
    said = case.run(code=2)
    assert f"store {case.store.uri}: no permission" in said.err
    assert "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile, that may use it" in said.err
    assert "another-secret-key" not in said.err
    assert case.open().list_keys("") == before
    case.environment["AWS_SECRET_ACCESS_KEY"] = right
    said = case.run()
    assert violations(case, undisturbed, table=said.out) == []


def test_a_service_that_refuses_writes_for_a_while(on_s3, proxy, undisturbed):
    """As when credentials expire and come again: a stage that is not let in waits and tries again."""
    case = on_s3(proxy.endpoint)
    case.set_pace(0.01)
    with case.watched(undisturbed.manifests):
        driver = case.start()
        until(lambda: case.open().done())
        refused = []

        def choose(method, path):
            if method not in ("PUT", "POST"):
                return None
            refused.append(path)
            return "403"

        proxy.choose = choose
        until(lambda: any("/payload/" in path or "/outputs/" in path for path in refused))
        proxy.be_good()
        said = driver.end()
    assert said.code == 0, said.err
    assert violations(case, undisturbed, table=said.out, whole_checkpoints=False) == []
    assert {event["cause"] for event in case.journals("retried")} == {"system"}
