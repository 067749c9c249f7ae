"""Safe YAML, with the numbers and booleans of YAML 1.2."""

from __future__ import annotations

import pytest

from orchestrator.errors import InputError, SpecError
from orchestrator.spec.source import read_file, read_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1.2E+3", 1200.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+3", 3),
        ("0777", 777),
        ("0o17", 15),
        ("0xff", 255),
        ("-0.0", 0.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("!!float 3", 3.0),
        ("!!str 3", "3"),
    ],
)
def test_a_scalar_is_read_as_in_yaml_1_2(text, value):
    found = read_text(text, "x")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text", ["no", "yes", "on", "Off", "y", "1_000", "1:30", "2024-01-01", "8/255", "tRUE", "-0o17", "1e"]
)
def test_what_only_yaml_1_1_reads_otherwise_is_text(text):
    assert read_text(text, "x") == text


def test_a_key_that_yaml_1_1_takes_for_a_boolean_is_text():
    assert read_text("{no: 1, on: 2, y: 3}", "x") == {"no": 1, "on": 2, "y": 3}


def test_an_alias_stands_for_its_anchor():
    assert read_text("a: &pgd {name: pgd}\nb: *pgd", "x") == {"a": {"name": "pgd"}, "b": {"name": "pgd"}}


QUOTED = ' (a reference with @{...} must be in quotes: "model@{round: -1}")'


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("a: .nan", ["x: line 1, column 4: a number must be finite, got .nan"]),
        ("a: -.inf", ["x: line 1, column 4: a number must be finite, got -.inf"]),
        ("a: 1e999", ["x: line 1, column 4: a number must be finite, got 1e999"]),
        ("a: " + "9" * 5000, ["x: line 1, column 4: a number has at most 300 digits, got 5000"]),
        ("a: !!int x", ["x: line 1, column 4: 'x' is no int, as its tag says"]),
        ("a: !!float x", ["x: line 1, column 4: 'x' is no float, as its tag says"]),
        ("a: !!bool x", ["x: line 1, column 4: 'x' is no bool, as its tag says"]),
        ("a: !!null x", ["x: line 1, column 4: 'x' is no null, as its tag says"]),
        (
            "a: !!python/object/apply:os.system [true]",
            [
                "x: line 1, column 4: the tag tag:yaml.org,2002:python/object/apply:os.system is not read; "
                "a sweep file is plain data"
            ],
        ),
        (
            "a: !!set {b}",
            ["x: line 1, column 4: the tag tag:yaml.org,2002:set is not read; a sweep file is plain data"],
        ),
        (
            "a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}",
            [
                "x: line 3, column 1: the key 'a' stands here a second time (first on line 1)",
                "x: line 4, column 11: the key 'd' stands here a second time (first on line 4)",
            ],
        ),
        (
            "a: &a {b: 1}\nc: {<<: *a}",
            ["x: line 2, column 5: merge keys (<<) are not read; write the keys out or use `defaults`"],
        ),
        ("{1: 2}", ["x: line 1, column 2: a key must be text, got '1'; put it in quotes"]),
        ("{true: 2}", ["x: line 1, column 2: a key must be text, got 'true'; put it in quotes"]),
        ("a: &a [*a]", ["x: line 1: *a stands for nothing before it"]),
        ("[" * 61 + "]" * 61, ["x: line 1: nested deeper than 60 levels"]),
        ("a: {m: model@{round: -1}}", [f"x: line 1, column 14: did not find expected ',' or '}}'{QUOTED}"]),
        ("a: 1\n---\nb: 2", ["x: line 2, column 1: but found another document"]),
        ("a: [1", ["x: line 2, column 1: did not find expected ',' or ']'"]),
    ],
)
def test_what_is_no_plain_data_is_refused_with_its_place(text, problems):
    with pytest.raises(SpecError) as error:
        read_text(text, "x")
    assert [str(problem) for problem in error.value.problems] == problems


def test_aliases_that_explode_are_refused_before_anything_is_built():
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(SpecError, match=r"^x: more than 2,000,000 values once its aliases are written out$"):
        read_text("\n".join(lines), "x")


def test_no_tag_makes_anything_run(tmp_path):
    trap = tmp_path / "trap"
    with pytest.raises(SpecError):
        read_text(f"!!python/object/apply:pathlib.Path.touch [!!python/object:pathlib.Path {trap}]", "x")
    assert not trap.exists()


def test_a_file_that_cannot_be_read_is_an_input_error(tmp_path):
    missing, binary = tmp_path / "missing.yaml", tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(InputError, match=r"missing\.yaml: there is no such file$"):
        read_file(missing)
    with pytest.raises(InputError, match=r"is a folder; give the sweep file$"):
        read_file(tmp_path)
    with pytest.raises(InputError, match=r"binary\.yaml: cannot be read as text: "):
        read_file(binary)
