"""Secrets stay where they are, doors stay shut, and a sweep file starts nothing but what is known."""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from failures.case import SWEEP, until
from failures.server import KEY, SECRET


@pytest.fixture
def ray_folder():
    """A folder for what Ray writes; the paths of its sockets must be short."""
    folder = Path(tempfile.mkdtemp(prefix="sparsweep-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def below(pid):
    """All processes below ``pid``, each with its command line."""
    found, parents = {}, {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
            found[int(status.parent.name)] = (status.parent / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return {child: found[child] for child in family - {pid} if child in found}


def listening(pid):
    """The addresses at which a process waits for connections."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(str(file.readlink()).removeprefix("socket:[").removesuffix("]"))
        except OSError:
            continue
    found = []
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                words = bytes.fromhex(fields[1].partition(":")[0])
                packed = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
                found.append(socket.inet_ntop(family, packed))
    return found


@pytest.mark.ray
@pytest.mark.s3
@pytest.mark.slow
def test_a_run_shows_the_key_nowhere_and_opens_no_dashboard(on_s3, server_folder, ray_folder):
    """Not even if a stage dies with its whole environment on its lips."""
    case = on_s3()
    case.environment["RAY_TMPDIR"] = str(ray_folder)
    case.set_pace(0.02)
    (telling,) = case.addresses("cut.part", level=1, seed=0)
    case.lay(telling, "tell always")
    driver = case.start("--workers", "1", engine="ray", own=True)
    until(lambda: case.ledger("saved"))
    boards = [pid for pid, command in below(driver.pid).items() if "dashboard/dashboard.py" in command]
    assert [address for pid in boards for address in listening(pid) if not address.startswith("127.")] == []
    said = driver.end()
    assert said.code == 1, said.err
    assert "cut.part level=1 seed=0\n    RuntimeError: my environment is {" in said.err
    case.environment["AWS_ENDPOINT_URL"] = case.store.endpoint
    shown = case.run("show", telling, "--store", case.store.uri)
    assert "my environment is {" in shown.out
    assert "***" in shown.out
    for command in ("plan", "status", "report"):
        case.run(command)
    machine = Path(case.environment["TMPDIR"])
    read = {
        path: path.read_bytes()
        for folder in (case.folder, machine, ray_folder, server_folder)
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert len([path for path in read if ray_folder in path.parents]) > 5
    assert len([path for path in read if machine in path.parents]) > 5
    assert any(path.name == "manifest.json" for path in read if server_folder in path.parents)
    assert any(path.name.startswith("journal-") for path in read if server_folder in path.parents)
    assert [path for path, content in read.items() if SECRET.encode() in content] == []
    assert [path for path, content in read.items() if KEY.encode() in content] == []


CANARY = "from pathlib import Path\nPath(__file__).with_suffix('.sang').touch()\n"


@pytest.mark.parametrize(
    "name",
    [
        "canary",
        "../canary",
        "./canary",
        "/tmp/canary",
        "canary.Canary",
        "os",
        "os.path",
        "failures.stages.climb",
        ".climb",
        "base",
        "__init__",
        "stages.base",
        "climb.Climb",
        "climb\\0",
        "Climb",
        "",
        "canary.py",
    ],
)
@pytest.mark.parametrize("where", ["a stage", "the stage of defaults"])
def test_a_name_in_a_sweep_file_imports_nothing_unknown(case, name, where):
    for folder in (case.folder, case.folder / "stages", case.folder.parent):
        folder.mkdir(exist_ok=True)
        (folder / "canary.py").write_text(CANARY)
    quoted = f'"{name}"'
    if where == "a stage":
        case.write(SWEEP.replace("{stage: trim,", f"{{stage: {quoted},"))
    else:
        case.write(f"{SWEEP}defaults: {{{quoted}: {{level: 1}}}}\n")
    for command in ("plan", "run"):
        said = case.run(command, code=2)
        assert "Traceback" not in said.err
        assert str(case.file.name) in said.err
    assert list(case.folder.parent.rglob("*.sang")) == []
    assert not (case.folder / "results").exists()


def test_a_package_of_stages_cannot_be_named_by_a_sweep_file(case):
    """Which package stages come from is no key of the file."""
    case.write(f"package: os\n{SWEEP}")
    assert "package" in case.run("plan", code=2).err
