"""From a value to its address."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from universe.attacks.fgsm import Fgsm
from universe.attacks.pgd import Pgd
from universe.small.stages.make import Make
from universe.small.stages.step import Step
from universe.stages.prune import Prune

from orchestrator.identity import address, canonical, digest, fields_of, name_of, text_of, to_json
from orchestrator.stage import LATER


@dataclass(frozen=True)
class Old:
    size: int = 1


@dataclass(frozen=True)
class New:
    size: int = 1
    extra: int = field(default=7, metadata=LATER)
    more: tuple[int, ...] = field(default_factory=tuple, metadata=LATER)


@dataclass(frozen=True)
class Second:
    version = 2
    part: Any = None


def test_the_text_holds_name_version_fields_and_inputs_in_sorted_order():
    assert text_of(Prune(criterion="magnitude", sparsity=0.5), {"model": "ab/best"}) == (
        '{"fields":{"allocation":"global","criterion":"magnitude","fraction":null,"fractions":null,"seed":0,'
        '"sparsity":0.5},"inputs":{"model":"ab/best"},"stage":"prune","version":2}'
    )
    assert '"stage":"step"}' in text_of(Step(), {})  # version 1 is omitted


def test_an_address_is_the_beginning_of_the_sha256_of_the_text():
    text = text_of(Step(), {"model": "ab"})
    assert address(Step(), {"model": "ab"}) == hashlib.sha256(text.encode()).hexdigest()[:16] == digest(text)
    assert digest("") == "e3b0c44298fc1c14"


def test_addresses_are_pinned():
    assert address(Make(), {}) == "0af95b01cea3a94a"
    assert address(Step(number=0.1, attack=Pgd(steps=3), text="é"), {"model": "0" * 16}) == "749dbd311081a6ff"


def test_roles_and_order_of_inputs_count_and_the_order_of_roles_does_not():
    teacher, student = {"model": "a", "other": "b"}, {"model": "b", "other": "a"}
    assert address(Step(), teacher) != address(Step(), student)
    assert address(Step(), teacher) == address(Step(), dict(reversed(teacher.items())))
    assert address(Step(), {"models": ["a", "b"]}) != address(Step(), {"models": ["b", "a"]})
    assert address(Step(), {"models": ["a"]}) != address(Step(), {"models": "a"})


def test_a_component_is_its_name_version_and_fields():
    assert canonical(Pgd(epsilon=0.1)) == {"name": "pgd", "epsilon": 0.1, "steps": 10, "step": None}
    assert canonical(Second(part=[Fgsm()])) == {
        "name": "test_identity",
        "version": 2,
        "part": [{"name": "fgsm", "epsilon": 0.3}],
    }
    assert name_of(Pgd) == name_of(Pgd()) == "pgd"


def test_a_later_field_is_left_out_at_its_default_alone():
    assert fields_of(New()) == fields_of(Old())
    assert fields_of(New(extra=8)) == {"size": 1, "extra": 8}
    assert fields_of(New(more=(1,))) == {"size": 1, "more": [1]}


def test_a_field_of_text_that_looks_alike_is_another_address():
    assert address(Step(value="1"), {}) != address(Step(value=1), {})
    assert address(Step(value=True), {}) != address(Step(value=1), {})
    assert address(Step(value=None), {}) != address(Step(value="null"), {})


def test_minus_zero_is_zero():
    assert to_json(canonical([-0.0, {"a": -0.0}])) == '[0.0,{"a":0.0}]'
    assert address(Step(number=-0.0), {}) == address(Step(number=0.0), {})


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_with_its_place(number):
    with pytest.raises(ValueError, match=rf"^value\.a\[1\]: a number must be finite, got {number}$"):
        canonical({"a": [0, number]})
    with pytest.raises(ValueError, match=r"^value\.number: a number must be finite"):
        fields_of(Step(number=number))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (object(), "object"),
        ({1}, "set"),
        (Path("x"), "PosixPath"),
        (date(2026, 1, 1), "date"),
        (b"x", "bytes"),
        (1j, "complex"),
        (Pgd, "ABCMeta"),
    ],
)
def test_what_has_no_stable_json_form_is_refused_with_its_type_and_place(value, kind):
    with pytest.raises(TypeError, match=rf"^value\.a: a {kind} has no stable JSON form$"):
        canonical({"a": value})


def test_keys_that_are_no_text_are_refused():
    with pytest.raises(TypeError, match=r"^value: the keys of a mapping must be text, got \['1'\]$"):
        canonical({1: 2})


def test_json_has_one_form():
    assert to_json({"b": [1, 1.0, True, None, "é\n"], "a": {}}) == '{"a":{},"b":[1,1.0,true,null,"é\\n"]}'
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        to_json(math.nan)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(values)
def test_canonical_data_survives_json_and_is_canonical(value):
    once = canonical(value)
    assert canonical(json.loads(to_json(once))) == once
    assert to_json(canonical(once)) == to_json(once)


@given(st.dictionaries(st.text(), values, min_size=2))
def test_the_order_of_keys_does_not_count(value):
    assert to_json(canonical(value)) == to_json(canonical(dict(reversed(value.items()))))
