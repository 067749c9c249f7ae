"""A field that a component got after results existed changes no address at its default."""

from __future__ import annotations

import pytest

from orchestrator import stage
from orchestrator.identity import canonical, to_json
from workloads import later
from workloads.architectures.mobilenet_v2 import MobilenetV2
from workloads.architectures.vit_tiny import VitTiny
from workloads.sparse_training.set import Set


def test_the_mark_is_that_of_stages():
    assert later.LATER == stage.LATER


@pytest.mark.parametrize(
    ("component", "text"),
    [
        (MobilenetV2(), '{"name":"mobilenet_v2","stem":"cifar","unknown_outputs":0}'),
        (MobilenetV2(width=0.5), '{"name":"mobilenet_v2","stem":"cifar","unknown_outputs":0,"width":0.5}'),
        (VitTiny(), '{"name":"vit_tiny","patch":4,"unknown_outputs":0}'),
        (
            Set(sparsity=0.5),
            '{"allocation":{"name":"erk","power":1.0},"alpha":0.3,"end":0.75,"interval":100,"name":"set",'
            '"sparsity":0.5}',
        ),
    ],
)
def test_components_with_later_fields_are_addressed_as_before(component, text):
    assert to_json(canonical(component)) == text
