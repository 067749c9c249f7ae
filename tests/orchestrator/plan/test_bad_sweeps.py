"""A wrong sweep file: one whole message per problem, all of a file at once, and nothing is written."""

from __future__ import annotations

from copy import deepcopy

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from universe.telling import SMALL

from orchestrator.errors import InputError, SpecError
from orchestrator.spec import load
from orchestrator.spec.source import read_text

GOOD = """\
name: test
axes:
  size: [1, 2]
  seed: [0, 1]
exclude: [{size: 2, seed: 1}]
methods:
  m:
    base: {stage: make, value: $size, count: $seed}
    model:
      - {when: {size: 1}, stage: step, reads: {model: base}, attack: {name: pgd}}
      - {stage: step, reads: {model: base}}
evaluate:
  clean: {stage: judge, reads: {model: model}}
overrides: [{when: {size: 2}, set: {clean: {text: big}}}]
"""
KEYS = (
    "axes, defaults, evaluate, exclude, include, keep, methods, name, overrides, resources, retries, store, "
    "tables, timeout"
)


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(workplace, text):
    """What is said about a sweep file, when nothing but the file is there afterwards."""
    path = workplace / "x.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load("x.yaml", package=SMALL).plan()
    assert list(workplace.iterdir()) == [path]
    assert path.read_text() == text
    return str(error.value)


def test_the_good_one_is_good(workplace):
    (workplace / "x.yaml").write_text(GOOD)
    assert len(load("x.yaml", package=SMALL).plan().trials) == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "stage: judge",
            "stage: juge",
            "evaluate.clean.stage: unknown stage 'juge'. Did you mean 'judge'? "
            "Known: join, judge, make, search, step",
            id="an unknown stage",
        ),
        pytest.param(
            "name: pgd",
            "name: pdg",
            "methods.m.model[0].attack: unknown attack 'pdg'. Did you mean 'pgd'? Known: fgsm, pgd",
            id="an unknown component",
        ),
        pytest.param(
            "evaluate:",
            "evaluates:",
            f"evaluates: unknown key 'evaluates'. Did you mean 'evaluate'? Known: {KEYS}",
            id="an unknown key of the file",
        ),
        pytest.param(
            "count: $seed",
            "cuont: $seed",
            "methods.m.base.cuont: unknown field of make 'cuont'. Did you mean 'count'? "
            "Known: attack, count, enemy, flag, items, mode, number, text, value",
            id="an unknown key of a node",
        ),
        pytest.param(
            "exclude: [{size: 2",
            "exclude: [{sise: 2",
            "exclude[0].sise: unknown axis 'sise'. Did you mean 'size'? Known: method, seed, size",
            id="an unknown axis",
        ),
        pytest.param(
            "$seed",
            "$sed",
            "methods.m.base.count: unknown axis '$sed'. Did you mean '$seed'? Known: $method, $seed, $size",
            id="an unknown variable",
        ),
        pytest.param(
            "{model: model}",
            "{model: modle}",
            "evaluate.clean.reads.model: unknown node of m 'modle'. Did you mean 'model'? "
            "Known: base, clean, model",
            id="an unknown reference",
        ),
        pytest.param(
            "text: big",
            "count: big",
            "overrides[0].set.clean.count: must be a whole number, got 'big'",
            id="a wrong type",
        ),
        pytest.param(
            "base: {stage: make",
            "base: {stage: step, reads: {model: model}",
            "methods.m.base: reads itself in a circle at size=1, seed=0: m.base -> m.model -> m.base",
            id="a circle",
        ),
        pytest.param(
            "seed: [0, 1]", "seed: []", "axes.seed: an axis needs at least one value", id="an empty axis"
        ),
        pytest.param(
            "evaluate:",
            "name: other\nevaluate:",
            "line 12, column 1: the key 'name' stands here a second time (first on line 1)",
            id="a key twice",
        ),
        pytest.param(
            "exclude: [{size: 2, seed: 1}]",
            "exclude: [{size: [1, 2]}]",
            "exclude: every trial is excluded",
            id="every trial excluded",
        ),
        pytest.param(
            "exclude: [{size: 2, seed: 1}]",
            "exclude: [{size: 3}]",
            "exclude[0]: excludes nothing: unknown value of size 3. Known: 1, 2",
            id="an exclude that never matches",
        ),
        pytest.param(
            "when: {size: 1}",
            "when: {size: 2, seed: 1}",
            "methods.m.model[0].when: never holds: no planned point fits it",
            id="a when that never matches",
        ),
        pytest.param(
            "overrides: [{when: {size: 2}",
            "overrides: [{when: {method: n}",
            "overrides[0].when: never holds: unknown value of method 'n'. Known: m",
            id="an override that never matches",
        ),
        pytest.param(
            "size: [1, 2]",
            "size: [1, .nan]",
            "line 3, column 13: a number must be finite, got .nan",
            id="not a number",
        ),
        pytest.param(
            "text: big",
            "text: !!python/name:os.system x",
            "line 14, column 51: the tag tag:yaml.org,2002:python/name:os.system is not read; "
            "a sweep file is plain data",
            id="a python tag",
        ),
        pytest.param(
            "name: test",
            "name: Test 1",
            "name: must be made of a-z, 0-9, _ and -, got 'Test 1'",
            id="a wrong name",
        ),
        pytest.param("name: test\n", "", "name: this key is needed", id="a missing key"),
        pytest.param(
            "size: [1, 2]",
            "size: 1",
            "axes.size: must be a list of values, or {values: [...], only: {...}}, got 1",
            id="an axis that is no list",
        ),
        pytest.param(
            "clean: {stage: judge, reads: {model: model}}",
            "clean: judge",
            "evaluate.clean: a node is a mapping, or a list of mappings, got 'judge'",
            id="a node that is no mapping",
        ),
        pytest.param(
            "evaluate:\n",
            "evaluate: 3\nx:\n",
            f"x: unknown key 'x'. Known: {KEYS}\nx.yaml: evaluate: must be a mapping, got 3",
            id="a section that is no mapping",
        ),
    ],
)
def test_each_kind_of_mistake_has_one_message(workplace, old, new, message):
    assert old in GOOD
    assert said(workplace, GOOD.replace(old, new, 1)) == f"x.yaml: {message}"


def test_all_problems_of_a_file_are_said_at_once(workplace):
    text = """\
name: Test
axes:
  size: [1, x]
  seed: []
  idle: [1]
exclude: [{size: 3}, {sise: 1}]
methods:
  m:
    base: {stage: mkae, value: $size}
    loop: {stage: step, reads: {model: loop}}
    model: {stage: make, count: $size, number: $sed, reads: {mdoel: base, model: loop}, flag: 1}
    broken: 5
evaluate:
  clean: {stage: judge, reads: {model: base}, txet: a}
defaults: {trian: {}}
resources: {make: {gpu: 1}}
retries: {error: -1}
keep: nothing
timeout: {make: soon}
tables: [{value: robust.accuracy}]
nmae: x
"""
    prefix = "x.yaml: "
    fields = "attack, count, flag, items, mode, number, text, value"
    stages = "join, judge, make, search, step"
    assert sorted(line.removeprefix(prefix) for line in said(workplace, text).split("\n")) == sorted(
        [
            "name: must be made of a-z, 0-9, _ and -, got 'Test'",
            "axes.seed: an axis needs at least one value",
            "axes.size: must be a whole number, got 'x'",
            "exclude[0]: excludes nothing: unknown value of size 3. Known: 1, x",
            "exclude[1].sise: unknown axis 'sise'. Did you mean 'size'? Known: idle, method, seed, size",
            f"methods.m.base.stage: unknown stage 'mkae'. Did you mean 'make'? Known: {stages}",
            "methods.m.loop: reads itself in a circle: m.loop -> m.loop",
            "methods.m.model.number: unknown axis '$sed'. Did you mean '$seed'? "
            "Known: $idle, $method, $seed, $size",
            "methods.m.model.reads.mdoel: unknown role of make 'mdoel'. Did you mean 'model'? "
            "Known: model, settings",
            "methods.m.model.flag: must be true or false, got 1",
            "methods.m.broken: a node is a mapping, or a list of mappings, got 5",
            f"evaluate.clean.txet: unknown field of judge 'txet'. Did you mean 'text'? Known: {fields}",
            f"defaults.trian: unknown stage 'trian'. Known: {stages}",
            "resources.make.gpu: unknown key 'gpu'. Did you mean 'gpus'? Known: cpus, gpus, memory_gib",
            "retries.error: must be at least 0, got -1",
            "keep: must be 'all' or 'metrics', got 'nothing'",
            "timeout.make: a time is a number with s, m, h or d (90s, 30m, 2h), got 'soon'",
            "tables[0].value: unknown node 'robust'. Known: clean, model",
            f"nmae: unknown key 'nmae'. Did you mean 'name'? Known: {KEYS}",
        ]
    )


@pytest.mark.parametrize(
    ("entry", "messages"),
    [
        (
            "{explain: [sise], value: clean.accuracy}",
            [".explain: unknown key 'sise'. Did you mean 'size'? {keys}"],
        ),
        ("{explain: [], value: clean.accuracy}", [".explain: needs at least one, got []"]),
        ("{explain: [size], rows: [sed]}", [".value: this key is needed"]),
        (
            "{explain: [size, size], value: clean.accuracy, rows: size}",
            [
                ".explain: size stands here twice",
                ".explain: size is a factor; it cannot stand in `rows` or `average` too",
            ],
        ),
        (
            "{explain: [method, size], value: clean.accuracy, where: {size: 2}}",
            [
                ".explain: method has one value here, m, and so explains nothing; leave it out",
                ".explain: size has one value here, 2, and so explains nothing; leave it out",
            ],
        ),
        (
            "{explain: size, value: clean.accuracy, columns: seed}",
            [".columns: unknown key 'columns'. Known: average, explain, over, rows, value, where"],
        ),
        (
            "{explian: size, value: clean.accuracy}",
            [".explian: unknown key 'explian'. Did you mean 'explain'? {all}"],
        ),
        (
            "{best: sise, value: claen.x}",
            [".value: unknown node 'claen'. Did you mean 'clean'? Known: clean, model"],
        ),
        (
            "{best: size, value: clean.accuracy, rows: size, better: more}",
            [".better: must be 'higher' or 'lower', got 'more'"],
        ),
        (
            "{best: size, value: clean.accuracy, rows: [size]}",
            [".best: size is what is chosen; it cannot stand in `rows`, `average` or `over`"],
        ),
        (
            "{best: method, value: clean.accuracy}",
            [".best: method has one value here, m: there is nothing to choose"],
        ),
        (
            "{best: size, value: clean.accuracy, within: {value: clean.loss, point: 1, of: {}}}",
            [
                ".within.points: this key is needed",
                ".within.of: needs at least one, got {{}}",
                ".within.point: unknown key 'point'. Did you mean 'points'? Known: better, of, points, value",
            ],
        ),
        (
            "{best: size, value: clean.accuracy, within: {value: claen.loss, points: -1, of: {size: 1}}}",
            [".within.points: must be at least 0, got -1"],
        ),
        (
            "{best: size, value: clean.accuracy, within: {value: claen.loss, points: 1, of: {size: 1}}}",
            [".within.value: unknown node 'claen'. Did you mean 'clean'? Known: clean, model"],
        ),
        (
            "{best: size, value: clean.x, within: {value: clean.loss, points: 1, of: {size: 7, mthod: m}}}",
            [
                ".within.of.size: unknown value of size 7. Known: 1, 2",
                ".within.of.mthod: unknown axis 'mthod'. Did you mean 'method'? {keys}",
            ],
        ),
        ("7", [": must be a mapping, got 7"]),
    ],
)
def test_a_wrong_entry_of_tables_is_told_before_anything_runs(workplace, entry, messages):
    known = {
        "keys": "Known: method, seed, size",
        "all": "Known: average, best, columns, explain, over, rows, value, values, where",
    }
    expected = sorted(f"x.yaml: tables[0]{message.format(**known)}" for message in messages)
    assert sorted(said(workplace, f"{GOOD}tables: [{entry}]\n").split("\n")) == expected


def test_a_factor_whose_other_value_is_only_included_has_two(workplace):
    text = (
        GOOD
        + "include: [{size: 3}]\ntables: [{explain: size, value: clean.accuracy, where: {size: [1, 3]}}]\n"
    )
    (workplace / "x.yaml").write_text(text)
    assert len(load("x.yaml", package=SMALL).plan().sweep.tables) == 1


def test_all_problems_of_the_yaml_are_said_at_once(workplace):
    assert said(workplace, "a: .nan\na: 1\nb: !x y\n").split("\n") == [
        "x.yaml: line 2, column 1: the key 'a' stands here a second time (first on line 1)",
        "x.yaml: line 1, column 4: a number must be finite, got .nan",
        "x.yaml: line 3, column 4: the tag !x is not read; a sweep file is plain data",
    ]


def test_a_missing_file_is_said(workplace):
    with pytest.raises(InputError) as error:
        load("sweeps/none.yaml")
    assert str(error.value) == "sweeps/none.yaml: there is no such file"
    assert not list(workplace.iterdir())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("axes.seed", "--set axes.seed: must be key=value, such as axes.seed=[0,1]"),
        ("=1", "--set =1: must be key=value, such as axes.seed=[0,1]"),
        ("axs.seed=1", "--set axs.seed=1: the file has no mapping 'axs' there"),
        ("exclude.size=1", "--set exclude.size=1: the file has no mapping there"),
        ("axes.seed=[1", "--set axes.seed: line 2, column 1: did not find expected ',' or ']'"),
        ("axes.seed=.nan", "--set axes.seed: line 1, column 1: a number must be finite, got .nan"),
        (
            "axes.seed=3",
            "x.yaml: axes.seed: must be a list of values, or {values: [...], only: {...}}, got 3",
        ),
    ],
)
def test_a_wrong_setting_of_the_command_line_is_said(workplace, setting, message):
    (workplace / "x.yaml").write_text(GOOD)
    with pytest.raises(InputError) as error:
        load("x.yaml", package=SMALL, set_=[setting])
    assert str(error.value) == message


def test_all_that_is_wrong_with_set_is_said_at_once(workplace):
    (workplace / "x.yaml").write_text(GOOD)
    with pytest.raises(InputError) as error:
        load("x.yaml", package=SMALL, set_=["axes.seed", "axs.seed=1", "axes.seed=[.nan, .inf]"])
    assert str(error.value).splitlines() == [
        "--set axes.seed: must be key=value, such as axes.seed=[0,1]",
        "--set axs.seed=1: the file has no mapping 'axs' there",
        "--set axes.seed: line 1, column 2: a number must be finite, got .nan",
        "--set axes.seed: line 1, column 8: a number must be finite, got .inf",
    ]


def test_a_sweep_without_methods_is_not_said_to_exclude_everything(workplace):
    assert said(workplace, "name: x\naxes: {}\nmethods: {}\n") == (
        "x.yaml: methods: must name at least one method"
    )


def test_a_spec_error_holds_its_problems(workplace):
    (workplace / "x.yaml").write_text(GOOD.replace("$seed", "$sed").replace("big", "[]"))
    with pytest.raises(SpecError) as error:
        load("x.yaml", package=SMALL).plan()
    assert [problem.where for problem in error.value.problems] == [
        "x.yaml: methods.m.base.count",
        "x.yaml: overrides[0].set.clean.text",
    ]


EVERYTHING = """
axes:
  size: [1, 2]
  seed: [0, 1]
  depth: {values: [1, 2], only: {size: 2}}
exclude: [{size: 2, seed: 1}]
include: [{size: 3, seed: 5}]
methods:
  m:
    base: {stage: make, value: $size, count: $seed}
    search: {stage: search, try: base, at: {seed: [7, 8]}}
    model:
      - {when: {depth: [1, 2]}, stage: step, reads: {model: base}, attack: {name: pgd}, items: [$depth]}
      - {when: {seed: 0}, use: base}
      - {stage: make, reads: {model: base, settings: search}}
evaluate:
  clean: {stage: judge, reads: {model: model}, each: {value: [$size, 7], mark: [1]}}
  every: {stage: join, reads: {models: ["model@{seed: all}", {node: clean, at: {value: 7}}]}}
defaults: {make: {enemy: {steps: 3}}}
overrides: [{when: {size: 2}, set: {clean: {text: big}}, resources: {make: {cpus: 2}}}]
resources: {make: {gpus: 0.5}}
retries: {error: 2}
timeout: {make: 2h}
store: {uri: results}
tables:
  - {value: clean.accuracy, rows: [size], columns: clean.value, where: {seed: 0}}
  - {explain: [size, clean.value], value: clean.accuracy, over: [seed]}
  - {best: size, value: clean.accuracy, within: {value: every.accuracy, points: 1, of: {size: 1}}}
"""
ODD = [
    *(None, [], {}, 3, -1, 0.5, "x", "$x", "$seed", "$$", "all", True),
    *([[]], [1, "a"], {"name": "pgd"}, {"seed": []}),
    *("model", "m.base", "model@{seed: all}", "base@{size: -1}", "clean@{value: all}", "base/best"),
    *({"stage": "make"}, [{"use": "model"}], {"node": "base", "at": {"seed": "all"}}, {"when": {"seed": 1}}),
]


def places(value, path=()):
    """The path of every value inside ``value``."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def test_an_unknown_axis_in_a_list_that_another_node_reads_is_named(workplace):
    document = {"name": "test", **read_text(EVERYTHING, "x"), "tables": []}
    document["evaluate"]["clean"]["each"] = {"mark": ["$x", 1]}
    document["evaluate"]["every"]["reads"]["models"][1]["at"] = {}
    (workplace / "x.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(SpecError, match=r"evaluate.clean.each.mark: unknown axis '\$x'"):
        load("x.yaml", package=SMALL).plan()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_stands_in_a_file_is_planned_or_refused_with_a_message(workplace, data):
    document = {"name": "test", **read_text(EVERYTHING, "x")}
    for _ in range(data.draw(st.integers(0, 3))):
        *parents, last = data.draw(st.sampled_from(list(places(document))))
        place = document
        for key in parents:
            place = place[key]
        if data.draw(st.booleans()):
            place[last] = deepcopy(data.draw(st.sampled_from(ODD)))  # a later edit may go inside it
        elif isinstance(place, dict):
            keys = [last, "when", "use", "each", "reads", "try", "stage", "model", "x"]
            place[data.draw(st.sampled_from(keys))] = place.pop(last)
        else:
            del place[last]
    path = workplace / "x.yaml"
    path.write_text(yaml.safe_dump(document))
    try:
        plan = load(path, package=SMALL).plan()
    except InputError as error:
        assert all(line.startswith(f"{path}: ") for line in str(error).split("\n"))
    else:
        assert plan.missing(set()) == list(range(len(plan)))
        assert [plan.job(stage).address for stage in range(len(plan))] == plan.addresses
