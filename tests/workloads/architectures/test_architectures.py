"""What every architecture promises, for every file that exists."""

from __future__ import annotations

import pytest
import torch
from small_networks import small
from torch import nn

from orchestrator.build import build, find, names
from workloads.architectures.base import Architecture, Network
from workloads.masks import prunable
from workloads.optimizers.adam import Adam
from workloads.randomness import uniform

NAMES = names(Architecture)
GREY, COLOUR = (1, 28, 28), (3, 32, 32)


def smallest(name: str) -> tuple[int, int, int]:
    side = build(Architecture, name).smallest
    return (1, side, side)


def family(name: str) -> type:
    """The class whose fields an architecture has: its own, or the base of several."""
    kind = find(Architecture, name)
    return kind if kind.__base__ is Architecture else kind.__base__


#: One network of each family, that with the shortest name.
FAMILIES = sorted({family(name): name for name in sorted(NAMES, key=len, reverse=True)}.values())


def images(shape: tuple[int, int, int], count: int = 4) -> torch.Tensor:
    return uniform(0, torch.arange(count), shape)


def network(name: str, shape: tuple[int, int, int], classes: int = 10, seed: int = 0, **fields) -> Network:
    return small(name, **fields).network(shape, classes, seed)


def weights(net: nn.Module) -> dict[str, torch.Tensor]:
    return net.state_dict()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("shape", "classes"), [("smallest", 2), (GREY, 10), ((2, 9, 13), 10)], ids=str)
def test_logits_and_gradients_are_finite_and_every_weight_gets_one(name, shape, classes) -> None:
    shape = smallest(name) if shape == "smallest" else shape
    net = network(name, shape, classes)
    logits = net(images(shape))
    assert logits.shape == (4, classes)
    nn.functional.cross_entropy(logits, torch.arange(4) % classes).backward()
    for parameter in net.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
    assert net.head.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_the_usual_size_learns_from_an_image_of_the_usual_size(name) -> None:
    net = build(Architecture, name).network(COLOUR, 10, 0)
    nn.functional.cross_entropy(net(images(COLOUR, 1)), torch.tensor([3])).backward()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_feature_maps_are_what_the_layers_pass_on_and_no_later_layer_writes_into_them(name) -> None:
    net = network(name, COLOUR).eval()
    maps = net.feature_maps(images(COLOUR))
    assert len(maps) >= 2
    assert all(len(found) == 4 and found.isfinite().all() for found in maps)
    out, expected = images(COLOUR), []
    for key, layer in net.body.named_children():
        out = layer(out).clone()
        if key[:5] in ("stage", "block") or (key.startswith("relu") and key != "relu"):
            expected.append(out.clone())
    assert [found.shape for found in maps] == [found.shape for found in expected]
    assert all(torch.equal(found, other) for found, other in zip(maps, expected, strict=True))
    assert torch.equal(net.features(images(COLOUR)), out)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_few_steps_on_a_few_images_lose_loss(name) -> None:
    labels = torch.arange(16) % 8
    seen = images((1, 8, 8), 16) / 2
    seen[torch.arange(16), :, labels] += 0.5  # a class is a bright line at its height
    net = network(name, (1, 8, 8), 8)
    rate = 0.0005 if name == "vit_tiny" else 0.003  # a transformer needs a warm-up for more
    optimizer = Adam(lr=rate).build(net.parameters())
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(seen), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_images_below_the_smallest_size_are_refused_with_the_rule(name) -> None:
    side = build(Architecture, name).smallest
    for shape in ((1, side - 1, 32), (1, 32, side - 1), (0, 32, 32)):
        with pytest.raises(ValueError, match=rf"at least {side}x{side} pixels, got \({shape[0]}"):
            network(name, shape)


@pytest.mark.parametrize("name", NAMES)
def test_no_class_is_refused(name) -> None:
    with pytest.raises(ValueError, match="at least one class, got 0"):
        network(name, GREY, classes=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_head_is_linear_in_the_features(name) -> None:
    net = network(name, GREY).eval()
    features = net.features(images(GREY))
    assert features.shape == (4, net.head.in_features)
    expected = features @ net.head.weight.T + net.head.bias
    assert torch.allclose(net(images(GREY)), expected, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_outputs_widen_the_head_and_change_no_other_weight(name) -> None:
    plain, wider = (weights(network(name, GREY, unknown_outputs=extra)) for extra in (0, 2))
    assert wider["head.weight"].shape[0] == plain["head.weight"].shape[0] + 2
    for key, value in plain.items():
        assert torch.equal(value, wider[key][: len(value)] if key.startswith("head") else wider[key])


@pytest.mark.parametrize("name", NAMES)
def test_unknown_outputs_below_zero_are_refused(name) -> None:
    with pytest.raises(Exception, match="unknown_outputs must not be negative, got -1"):
        build(Architecture, {"name": name, "unknown_outputs": -1})


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_weights_whatever_the_global_stream(name) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first = weights(network(name, GREY, seed=5))
        torch.manual_seed(2)
        second = weights(network(name, GREY, seed=5))
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_gives_another_value_for_every_prunable_weight(name) -> None:
    one, other = (prunable(network(name, GREY, seed=seed)) for seed in (0, 1))
    for key in one:
        assert (one[key] != other[key]).float().mean() > 0.99


@pytest.mark.parametrize("name", NAMES)
def test_the_global_stream_and_the_default_device_are_left_alone(name) -> None:
    before = torch.random.get_rng_state()
    net = network(name, GREY)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.empty(1).device.type == "cpu"
    assert {tensor.device.type for tensor in weights(net).values()} == {"cpu"}


@pytest.mark.parametrize("name", NAMES)
def test_layers_draw_from_streams_of_their_own(name) -> None:
    drawn = [weight.flatten()[:4] / weight.std() for weight in prunable(network(name, COLOUR)).values()]
    assert len({tuple(round(number, 4) for number in first.tolist()) for first in drawn}) == len(drawn)


@pytest.mark.parametrize("name", NAMES)
def test_first_weights_have_the_variance_of_their_rule_and_biases_start_at_zero(name) -> None:
    net, rule = network(name, COLOUR), small(name).initial
    for key, weight in prunable(net).items():
        fan_in = weight[0].numel()
        expected = {"he": 2 / fan_in, "small": 0.02**2}[rule]
        if key == "head.weight":
            expected = 1 / (3 * fan_in)
        spread = 6 * (2 / weight.numel()) ** 0.5  # six deviations of a sample variance
        assert weight.var().item() == pytest.approx(expected, rel=spread)
    for key, value in net.named_parameters():
        if key.endswith("bias"):
            assert not value.any()


@pytest.mark.parametrize("name", NAMES)
def test_logits_at_the_start_neither_vanish_nor_explode(name) -> None:
    net = network(name, COLOUR)
    net.mean.fill_(0.5)
    net.std.fill_(12**-0.5)  # those of the uniform images
    assert 0.02 < net(images(COLOUR, 16)).std().item() < 5


@pytest.mark.parametrize("name", NAMES)
def test_images_are_normalised_inside(name) -> None:
    net = network(name, COLOUR).eval()
    expected = net(images(COLOUR) * 2 - 1)
    net.mean.fill_(0.5)
    net.std.fill_(0.5)
    assert torch.allclose(net(images(COLOUR)), expected, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_memory_format_changes_nothing(name) -> None:
    net = network(name, COLOUR).eval()
    plain = net(images(COLOUR))
    last = net.to(memory_format=torch.channels_last)(images(COLOUR).to(memory_format=torch.channels_last))
    # without statistics of its own the longest network makes numbers of a million
    assert torch.allclose(plain, last, rtol=1e-4, atol=1e-5 * max(1, plain.abs().max().item()))


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_and_buffer_is_set_by_the_seed(name) -> None:
    torch.set_deterministic_debug_mode("error")  # fills memory that nobody writes with NaN
    try:
        net = network(name, COLOUR)
    finally:
        torch.set_deterministic_debug_mode("default")
    assert all(value.isfinite().all() for value in weights(net).values())
    assert not net.mean.any()
    assert (net.std == 1).all()
