"""The one training loop: fresh or continued, dense or sparse, interrupted or not."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.datasets._conversion import as_float
from workloads.datasets.base import LearningData, Split
from workloads.masks import Masks, prunable
from workloads.metrics.accuracy import accuracy
from workloads.metrics.nll import nll
from workloads.metrics.probabilities import log_probabilities
from workloads.objectives.base import Batch
from workloads.randomness import derive
from workloads.sparse_training.base import Moment
from workloads.training.averages import multiplied, settle, take
from workloads.training.batch_norm import new_statistics, recompute_statistics
from workloads.training.batches import Batches, Taken
from workloads.training.best import Best, better, robust_accuracy
from workloads.training.checkpoint import layout_of
from workloads.training.cost import Meter
from workloads.training.evaluation import forward
from workloads.training.host import Host
from workloads.training.partial import parameters_of
from workloads.training.recipe import Recipe
from workloads.training.state import State

#: How often a training is validated on its way, for whoever watches; the result does not depend on it.
LOOKS = 10


@dataclass(frozen=True)
class Trained:
    """What a training leaves."""

    network: Network
    masks: Masks
    updates: int
    averaged: int
    """Networks in the average that is kept; 0 where it is the last."""
    flops: float
    steps: int
    """Steps of the whole training."""
    steps_here: int
    """Steps taken since the last interruption."""
    epochs: int
    """Epochs that were begun."""
    batch_size: int
    """Images of one step."""
    metrics: Mapping[str, float]
    best: Best | None = None
    """The network with the highest robust accuracy, where it is kept."""


def train(recipe: Recipe, network: Network, masks: Masks, data: LearningData, host: Host) -> Trained:
    """``network`` (changed in place) after the training of ``recipe``, from the last checkpoint on.

    Raises:
        RuntimeError: the loss of a step was not finite; names epoch and step.
        ValueError: it would begin or end outside of its steps.
    """
    replays = recipe.objective.replays
    batches = Batches.of(data.train, recipe.batch_size, recipe.seed, host.device, replays)
    steps = recipe.epochs * batches.per_epoch
    end = steps if recipe.end is None else recipe.end
    if not recipe.begin < end <= steps:
        raise ValueError(
            f"a training of {steps} steps must begin before it ends, got {recipe.begin} to {end}"
        )
    state = _begin(recipe, network, masks, batches.per_epoch, host)
    first = state.step
    meter = Meter(network)
    look_every = -(-recipe.epochs // LOOKS)
    network.train()
    for taken in batches.steps(first, end):
        epoch, place = divmod(state.step, batches.per_epoch)
        batch = _batch(recipe, batches, taken, state.step, network.classes)
        masks, dense = state.masks, recipe.sparsify.dense_gradient(state.step, steps)
        with meter.watching(network):
            state.losses[place] = _step(recipe, state, batch)
        state.flops += meter.spent(masks, dense)
        state.step += 1
        metrics: dict[str, float] = {}
        if place + 1 == batches.per_epoch:
            metrics["train.loss"] = _mean_loss(state.losses, epoch, recipe.begin, end)
            _review(recipe, state, data, steps)
            if (epoch + 1) % look_every == 0 and state.step < end:
                metrics |= validated(network, data.validation)
            if (epoch + 1) % recipe.best_every == 0 and state.step < end:
                metrics |= _compare(recipe, state, data, _epochs(recipe, state.step, batches.per_epoch))
        if recipe.averaging.due(state.step, steps, batches.per_epoch):
            _take(recipe, state, batch.seed)
        if host.checkpoint.due():
            _save(state, host)
        host.progress(state.step, end, **metrics)
    if state.averaged:
        _keep_average(recipe, state, batches, data)
    last = (end - 1) // batches.per_epoch
    final = {"train.loss": _mean_loss(state.losses, last, recipe.begin, end)}
    final |= validated(network, data.validation)
    epochs = _epochs(recipe, end, batches.per_epoch)
    final |= _compare(recipe, state, data, epochs)
    final |= recipe.sparsify.report(state.masks, state.topology)
    return Trained(
        network,
        state.masks,
        state.updates,
        state.averaged,
        state.flops,
        steps,
        end - first,
        epochs,
        batches.size,
        final,
        state.best,
    )


def validated(network: Network, split: Split) -> dict[str, float]:
    """Accuracy and loss on the validation split."""
    belief = log_probabilities(forward(network, split.images)[0], network.classes).cpu()
    return {
        "validation.accuracy": accuracy(belief, split.labels),
        "validation.loss": nll(belief, split.labels),
    }


def _begin(recipe: Recipe, network: Network, masks: Masks, per_epoch: int, host: Host) -> State:
    """The state to start or go on from."""
    network.to(host.device, memory_format=layout_of(host.device))  # type: ignore[call-overload]
    losses = torch.zeros(per_epoch, device=host.device)
    seed = derive(recipe.seed, "start")
    learning = recipe.sparsify.learning(network, masks, seed)
    own = parameters_of(network, recipe.only)
    moved = [*learning.scores.values(), *learning.trained] if learning else own
    state = State(
        network, recipe.optimizer.build(moved), losses, learning=learning, partial=bool(recipe.only)
    )
    if found := host.checkpoint.latest():
        state.restore(found[1])
    else:
        state.adopt(recipe.sparsify.start(network, masks, seed))
        state.step = recipe.begin
    return state


def _batch(recipe: Recipe, batches: Batches, taken: Taken, step: int, classes: int) -> Batch:
    """What was ``taken`` as the objective gets it in ``step`` (0-based)."""
    epoch, (samples, pixels, labels) = step // batches.per_epoch, taken
    seed = derive(recipe.seed, "augment", batches.pass_of(step))  # a batch that is replayed is the same batch
    images, targets = recipe.augmentation.augment(as_float(pixels), labels, samples, seed, classes)
    return Batch(
        images=images,
        labels=labels,
        targets=targets,
        samples=samples,
        seed=derive(recipe.seed, "step", step),
        step=step,
        steps=recipe.epochs * batches.per_epoch,
        epoch=epoch,
        epochs=recipe.epochs,
    )


def _step(recipe: Recipe, state: State, batch: Batch) -> Tensor:
    """One step, with a change of the topology where it is due; the loss before it, detached."""
    rate = recipe.optimizer.rate * recipe.schedule.factor(batch.step / batch.steps)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.clear_gradients()
    with multiplied(state.weights, recipe.averaging.factors(state.weights, state.masks, batch.seed)):
        with _precision(state.losses.device):
            loss = recipe.objective.loss(state.network, batch, state.memory)
        loss.backward()  # type: ignore[no-untyped-call]
    sparsify = recipe.sparsify
    if sparsify.watches:
        sparsify.observe(state.gradients(), state.topology)
    changes = sparsify.due(batch.step, batch.steps)
    gradients = state.gradients() if changes else {}
    if changes and sparsify.after_step and sparsify.dense_gradient(batch.step, batch.steps):
        gradients = {name: gradient.clone() for name, gradient in gradients.items()}
    if not changes or sparsify.after_step:
        state.mask_gradients()
        if recipe.clip_norm is not None:
            state.clip_gradients(recipe.clip_norm)
        state.optimizer.step()
    if changes:
        _rewire(recipe, state, batch, gradients)
    return loss.detach()


@torch.no_grad()
def _rewire(recipe: Recipe, state: State, batch: Batch, gradients: Mapping[str, Tensor]) -> None:
    """Change the topology."""
    weights = state.learning.scores if state.learning else prunable(state.network)
    moment = Moment(batch.step, batch.steps, recipe.seed)
    state.adopt(recipe.sparsify.update(weights, gradients, state.masks, moment, state.topology))
    state.updates += 1


def _review(recipe: Recipe, state: State, data: LearningData, steps: int) -> None:
    """Let the sparsify component look at the network after an epoch; it may change the topology."""
    moment = Moment(state.step, steps, recipe.seed)
    masks = recipe.sparsify.review(state.network, state.masks, data, moment, state.topology)
    if masks is not state.masks:
        state.adopt(masks)
        state.updates += 1


def _compare(recipe: Recipe, state: State, data: LearningData, epochs: int) -> dict[str, float]:
    """Keep the network if it is the best so far, and say how robust it is; nothing if none is to be kept."""
    if recipe.best is None:
        return {}
    found = robust_accuracy(state.network, recipe.best, data.validation, recipe.seed)
    state.best = better(
        state.best, state.network, state.masks, robust_accuracy=found, epochs=epochs, flops=state.flops
    )
    return {"validation.robust_accuracy": found}


def _epochs(recipe: Recipe, step: int, per_epoch: int) -> int:
    """Epochs that were begun in the steps before ``step``."""
    return -(-step // per_epoch) + (-recipe.begin // per_epoch)


def _take(recipe: Recipe, state: State, seed: int) -> None:
    """Let the weights after the step of ``seed`` into the average."""
    factors = recipe.averaging.factors(state.weights, state.masks, seed)
    take(state.average, state.network, factors, recipe.averaging.share(state.averaged))
    state.averaged += 1


def _keep_average(recipe: Recipe, state: State, batches: Batches, data: LearningData) -> None:
    """Give the network the average, with the batch-norm statistics that are asked for."""
    settle(state.network, state.average, state.masks)
    if recipe.averaging.batch_norm == "clean":
        recompute_statistics(state.network, data.train.images)
    elif recipe.averaging.batch_norm == "objective":
        with new_statistics(state.network) as needed:
            # The last epoch once more, from which nothing is learned.
            first = max(0, state.step - batches.per_epoch)
            for step, taken in enumerate(batches.steps(first, state.step) if needed else (), start=first):
                batch = _batch(recipe, batches, taken, step, state.network.classes)
                recipe.objective.loss(state.network, batch, dict(state.memory))


def _precision(device: torch.device) -> AbstractContextManager[object]:
    """Half precision where it is fast and safe: bfloat16 on a GPU."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()


def _mean_loss(losses: Tensor, epoch: int, begin: int, end: int) -> float:
    """The mean loss of an epoch's steps from ``begin`` to before ``end``, counted over all epochs.

    This is the one place where the loop waits for the device.
    """
    before = epoch * len(losses)
    first = max(begin - before, 0)
    values = losses[first : end - before].double().cpu()
    if not values.isfinite().all():
        place = int((~values.isfinite()).nonzero()[0])
        step = first + place + 1
        raise RuntimeError(
            f"the loss must stay finite, got {values[place]:g} in epoch {epoch + 1} at step "
            f"{before + step} (step {step} of the epoch); try a smaller learning rate"
        )
    return float(values.mean())


def _save(state: State, host: Host) -> None:
    """Hand the state over as a checkpoint."""
    folder = host.scratch / f"step-{state.step}"
    folder.mkdir()
    state.save(folder)
    host.checkpoint.save(state.step, folder)
