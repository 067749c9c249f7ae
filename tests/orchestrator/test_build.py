"""From data to frozen objects, found by name."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from universe.attacks.base import Attack
from universe.attacks.fgsm import Fgsm
from universe.attacks.pgd import Pgd
from universe.stages.prune import Prune
from universe.stages.train import Train

from orchestrator import build
from orchestrator.errors import SpecError

BASE = """
from __future__ import annotations
from abc import ABC, abstractmethod
from dataclasses import dataclass

@dataclass(frozen=True)
class Colour(ABC):
    @abstractmethod
    def shade(self): ...
"""
LEAF = """
from dataclasses import dataclass
from {package}.base import Colour

@dataclass(frozen=True)
class {name}(Colour):
    depth: int = {depth}
    def shade(self): return self.depth
"""
packages = iter(range(1000))


@pytest.fixture
def colours(tmp_path, monkeypatch):
    """Writes a package of colours and gives its base class."""
    package = f"colours_{next(packages)}"
    folder = tmp_path / package
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "base.py").write_text(BASE)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(**files):
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text.replace("{package}", package))
        return __import__(f"{package}.base", fromlist=["Colour"]).Colour

    return write


def leaf(name, depth=1):
    return LEAF.replace("{name}", name).replace("{depth}", str(depth))


def test_a_name_is_a_file_beside_the_base_class(colours):
    base = colours(red=leaf("Red"), dark_blue=leaf("DarkBlue", 9), _shared="", Green=leaf("Green"))
    assert build.names(base) == ("dark_blue", "red")
    assert build.build(base, "dark_blue").shade() == 9
    assert build.names(build.package_of(base)) == build.names(base)


@pytest.mark.parametrize(
    "name", ["os", "..os", "base", "_shared", "RED", "red.py", "../red", "red\n", "", "__init__", "trap.x"]
)
def test_a_name_is_checked_before_anything_is_imported(colours, name):
    base = colours(red=leaf("Red"), _shared="raise RuntimeError", trap="raise RuntimeError")
    before = set(sys.modules)
    with pytest.raises(SpecError, match="unknown colour"):
        build.find(base, name)
    assert set(sys.modules) == before


def test_only_the_named_file_is_imported(colours):
    base = colours(red=leaf("Red"), trap="raise RuntimeError")
    assert build.find(base, "red").__name__ == "Red"


def test_an_unknown_name_is_answered_with_the_nearest_and_all(colours):
    base = colours(red=leaf("Red"), green=leaf("Green"))
    with pytest.raises(SpecError) as error:
        build.build(base, {"name": "gren"}, "here")
    assert str(error.value) == "here: unknown colour 'gren'. Did you mean 'green'? Known: green, red"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (leaf("Red") + leaf("Rose"), 2),
        ("", 0),
        (BASE, 0),
        ("class Red: pass", 0),
        (leaf("_Red"), 0),
        ("from {package}.other import Other", 0),
        ("from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Red: pass", 0),
    ],
)
def test_a_file_holds_exactly_one_concrete_class_of_its_kind(colours, text, count):
    base = colours(red=text, other=leaf("Other"))
    with pytest.raises(TypeError, match=rf"\.red: a file holds exactly one concrete colour, found {count}$"):
        build.find(base, "red")


def test_abstract_and_private_classes_beside_the_one_are_fine(colours):
    base = colours(red=leaf("_Helper") + leaf("Red", 5))
    assert build.build(base, "red").shade() == 5


def test_a_package_that_is_not_there_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"no package 'universe\.nothing'"):
        build.names("universe.nothing")


@dataclass(frozen=True)
class Inner:
    size: int = 1


@dataclass(frozen=True)
class Everything:
    count: int = 0
    number: float = 0.0
    flag: bool = False
    text: str = ""
    maybe: float | None = None
    mode: Literal["a", 1] = "a"
    pair: tuple[int, str] = (0, "")
    many: tuple[float, ...] = ()
    table: dict[str, float] | None = None
    attack: Attack | None = None
    attacks: tuple[Attack, ...] = ()
    either: Literal["auto"] | float = "auto"
    inner: Inner = Inner()
    any: Any = None


def built(**fields):
    return build.build_class(Everything, fields)


@pytest.mark.parametrize(
    ("field", "given", "value"),
    [
        ("count", 2.0, 2),
        ("number", 3, 3.0),
        ("number", "8/255", 8 / 255),
        ("number", " 1 / 4 ", 0.25),
        ("number", "-1/2", -0.5),
        ("maybe", None, None),
        ("maybe", 1, 1.0),
        ("mode", 1, 1),
        ("pair", [1, "x"], (1, "x")),
        ("many", [1, "1/2"], (1.0, 0.5)),
        ("table", {"a": 1}, {"a": 1.0}),
        ("attack", "fgsm", Fgsm()),
        ("attack", {"name": "pgd", "steps": 3.0}, Pgd(steps=3)),
        ("attack", Pgd(), Pgd()),
        ("attacks", ["fgsm", {"name": "pgd"}], (Fgsm(), Pgd())),
        ("either", "auto", "auto"),
        ("either", "1/2", 0.5),
        ("inner", {"size": 2}, Inner(2)),
        ("any", {"x": [1]}, {"x": [1]}),
    ],
)
def test_a_value_is_cast_to_the_declared_type(field, given, value):
    found = getattr(built(**{field: given}), field)
    assert found == value
    assert type(found) is type(value)


def test_minus_zero_is_cast_to_zero():
    assert str(built(number=-0.0).number) == "0.0"


@pytest.mark.parametrize(
    ("field", "given", "problem"),
    [
        ("count", True, "count: must be a whole number, got True"),
        ("count", 1.5, "count: must be a whole number, got 1.5"),
        ("count", float("inf"), "count: must be a whole number, got inf"),
        ("count", "1", "count: must be a whole number, got '1'"),
        ("number", float("nan"), "number: must be a number, got nan"),
        ("number", True, "number: must be a number, got True"),
        ("number", "1/0", "number: must be a number, got '1/0'"),
        ("flag", 1, "flag: must be true or false, got 1"),
        ("flag", "no", "flag: must be true or false, got 'no'"),
        ("text", 1, "text: must be text, got 1"),
        ("text", None, "text: must be text, got None"),
        ("maybe", "x", "maybe: must be a number or nothing, got 'x'"),
        ("mode", True, "mode: must be one of 'a', 1, got True"),
        ("pair", [1], "pair: must have 2 items, got 1"),
        ("pair", [1, 2], "pair[1]: must be text, got 2"),
        ("many", 3, "many: must be a list, got 3"),
        ("many", ["x"], "many[0]: must be a number, got 'x'"),
        ("table", [1], "table: must be a mapping or nothing, got [1]"),
        ("attack", "pdg", "attack: unknown attack 'pdg'. Did you mean 'pgd'? Known: fgsm, pgd"),
        ("attack", {"steps": 1}, "attack: an attack needs a name. Known: fgsm, pgd"),
        ("attack", {"name": "pgd", "steps": "x"}, "attack.steps: must be a whole number, got 'x'"),
        ("attacks", ["fgsm", 3], "attacks[1]: an attack is a name or a mapping with a name, got 3"),
        (
            "inner",
            {"siz": 2},
            "inner.siz: unknown field of test_build 'siz'. Did you mean 'size'? Known: size",
        ),
        ("either", "aut", "either: must be one of 'auto' or a number, got 'aut'"),
    ],
)
def test_a_wrong_value_is_one_problem_that_says_what_is_right(field, given, problem):
    with pytest.raises(SpecError) as error:
        built(**{field: given})
    assert [str(problem) for problem in error.value.problems] == [problem]


def test_all_problems_come_at_once_each_below_its_place():
    with pytest.raises(SpecError) as error:
        build.build(
            "universe.stages",
            {"name": "train", "epochs": "x", "epoch": 1, "attack": {"name": "pgd", "steps": "y", "size": 1}},
            "methods.m.model",
        )
    assert [problem.where for problem in error.value.problems] == [
        "methods.m.model.epoch",
        "methods.m.model.architecture",
        "methods.m.model.dataset",
        "methods.m.model.seed",
        "methods.m.model.epochs",
        "methods.m.model.attack.size",
        "methods.m.model.attack.steps",
    ]


def test_a_missing_field_says_what_it_is():
    with pytest.raises(SpecError) as error:
        build.build_class(Train, {"architecture": "mlp", "dataset": "digits"})
    assert str(error.value) == "seed: train needs this field (a whole number)"


def test_a_rule_that_a_class_checks_itself_is_a_problem_at_its_place():
    with pytest.raises(SpecError) as error:
        build.build_class(Prune, {"criterion": "x", "sparsity": 1.5}, "here")
    assert str(error.value) == "here: sparsity must be in [0, 1), got 1.5"


@pytest.mark.parametrize("data", [3, None, ["pgd"], {}, {"name": 3}])
def test_what_is_no_component_is_a_problem(data):
    with pytest.raises(SpecError, match=r"^here: an attack "):
        build.build(Attack, data, "here")


def test_data_of_is_what_builds_the_same():
    train = Train(architecture={"name": "mlp"}, dataset="digits", seed=3, attack=Pgd(steps=2))
    data = build.data_of(train)
    assert data["attack"] == {"name": "pgd", "epsilon": 0.3, "steps": 2, "step": None}
    assert build.build("universe.stages", data) == train


@pytest.mark.parametrize("value", ["x", "1/", "/2", "1//2", "1/2/3", "a/b", "1/-2", True, None, [1]])
def test_what_is_no_number_is_none(value):
    assert build.number_of(value) is None
