"""Workers of a Ray pool that are killed, hang, or run out of memory."""

from __future__ import annotations

import logging

import pytest

from failures.driver import main, python_path
from failures.invariants import violations
from failures.stages.base import MOMENTS, VARIABLE

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def ray_for_all(tmp_path_factory):
    """Ray in this process, with two CPUs and a logical GPU; the file that tells its workers of the case."""
    import ray

    where = tmp_path_factory.mktemp("workers") / "where"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", python_path())
        patch.setenv(VARIABLE, str(where))
        ray.init(
            address="local",
            num_cpus=2,
            num_gpus=1,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=80 * 2**20,
        )
        yield where
        ray.shutdown()


@pytest.fixture
def case(make_case, ray_for_all):
    return make_case(environment={VARIABLE: str(ray_for_all)})


@pytest.fixture
def run(case, capsys, monkeypatch):
    """Runs the case in this process, on the Ray that is there: the exit code, what was said."""
    monkeypatch.setattr("orchestrator.cli.asked.load", None)
    monkeypatch.setattr("sys.argv", [])
    monkeypatch.chdir(case.folder)

    def run(*options):
        given = ["--engine", "ray", "--workers", "2", "--plain", "--checkpoint-every", "0.1", *options]
        code = main(["run", "sweep.yaml", *given])
        return code, *capsys.readouterr()

    return run


def test_workers_killed_while_they_publish(case, run, undisturbed):
    """Another moment in each of four long stages, and in one that is being saved."""
    case.set_pace(0.01)
    climbs = [*case.addresses("plain.model"), *case.addresses("cut.model")]
    for address, moment in zip(climbs, MOMENTS, strict=False):
        case.lay(address, moment)
    with case.watched(undisturbed.manifests):
        code, out, err = run()
    assert code == 0, err
    assert {line["what"] for line in case.ledger("trouble")} == set(MOMENTS)
    assert violations(case, undisturbed, table=out) == []
    assert {event["cause"] for event in case.journals("retried")} == {"system"}
    # after its manifest was there it was done, and nobody began it again
    (after,) = (line["address"] for line in case.ledger("trouble") if line["what"] == "after the manifest")
    assert [line["address"] for line in case.ledger("began")].count(after) == 1


def test_stages_that_kill_their_worker_hang_or_run_out_of_memory(case, run, undisturbed):
    """Four long stages, each with its own trouble, and each goes on where it was."""
    case.write(case.file.read_text().partition("store:")[0] + "resources: {climb: {gpus: 0.5}}\n")
    case.set_pace(0.04)
    killed, hanging = case.addresses("plain.model")
    large, unlucky = case.addresses("cut.model", level=1)
    case.lay(killed, "die", "die")
    case.lay(hanging, "hang")  # it has said half of its steps, then nothing for its timeout of five seconds
    case.lay(large, "memory")  # beside another on the same GPU
    case.lay(unlucky, "raise")
    with case.watched(undisturbed.manifests):
        code, out, err = run()
    assert code == 0, err
    assert len(case.ledger("trouble")) == 5
    assert violations(case, undisturbed, table=out) == []
    retried = [(event["address"], event["cause"]) for event in case.journals("retried")]
    assert sorted(retried) == sorted(
        [(killed, "system"), (killed, "system"), (hanging, "timeout"), (large, "memory"), (unlucky, "error")]
    )
    for address in (killed, hanging, large, unlucky):
        begun = [line["step"] for line in case.ledger("began") if line["address"] == address]
        assert begun[0] == 0 < min(begun[1:])
    assert "again plain.model seed=1: " in err
    assert "no progress for 5 s" in err
    assert "CUDA out of memory" in err
