"""Training steps as graph functions: gradients, in micro-batches where asked, and their update."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

Batch = tuple[tf.Tensor, tf.Tensor]
"""Distorted and reference pictures, float32 (B, H, W, C) on the scale of [0, 1]."""

Signature = tuple[tf.TensorSpec, tf.TensorSpec]
Logs = dict[str, tf.Tensor]
Step = Callable[[Batch], Logs]
Advance = Callable[[int], Logs]


def training(
    network: keras.Model,
    *,
    jit_compile: bool,
    signature: Signature | None = None,
    micro_batch_size: int | None = None,
    learning_rate: LearningRateSchedule | None = None,
) -> Step:
    """Return a graph function that trains a compiled network on a batch.

    It returns loss and metrics, means over the pictures since they were last reset.

    Args:
        network: compiled, with its optimiser built.
        jit_compile: compile with XLA.
        signature: of all batches, for one graph where their sizes are many. Without it each size of
            batch has a graph of its own.
        micro_batch_size: how many pictures are computed at once, if not all. The gradient is that
            of the whole batch, but for rounding; the memory is that of so many pictures.
        learning_rate: what it is as a function of the steps so far, if it changes with each.
    """
    metrics = {metric.name: metric for metric in network.metrics}

    def gradients(distorted: tf.Tensor, reference: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            restored = network(distorted, training=True)
            loss = network.compute_loss(distorted, reference, restored)
            scaled = network.optimizer.scale_loss(loss)
        network.compute_metrics(distorted, reference, restored)
        metrics["loss"].update_state(loss, sample_weight=tf.shape(distorted)[0])
        found: list[tf.Tensor] = tape.gradient(scaled, network.trainable_variables)
        return found

    def accumulated(distorted: tf.Tensor, reference: tf.Tensor, size: int) -> list[tf.Tensor]:
        pictures, *rest_of_shape = keras.ops.shape(distorted)
        is_known = isinstance(pictures, int)
        size = min(size, pictures) if is_known else tf.minimum(size, pictures)
        rest = pictures % size

        def add(start: tf.Tensor, count: int | tf.Tensor, sums: list[tf.Tensor]) -> list[tf.Tensor]:
            # By size: of a part from here to there XLA computes as many pictures as the batch has.
            begin, shape = [start, 0, 0, 0], [count, *rest_of_shape]
            found = gradients(tf.slice(distorted, begin, shape), tf.slice(reference, begin, shape))
            share = tf.cast(count / pictures, tf.float32)
            return [total + share * one for total, one in zip(sums, found, strict=True)]

        zeros = [tf.zeros(variable.shape) for variable in network.trainable_variables]
        # One after the other, since memory is why they are not computed at once.
        whole = pictures - rest
        _, sums = tf.while_loop(
            lambda start, _: start < whole,
            lambda start, sums: (start + size, add(start, size, sums)),
            (0, zeros),
            parallel_iterations=1,
        )
        if is_known:
            return add(whole, rest, sums) if rest else list(sums)
        return list(tf.cond(rest > 0, lambda: add(whole, rest, sums), lambda: sums))

    def step(batch: Batch) -> Logs:
        distorted, reference = batch
        if micro_batch_size is None:
            found = gradients(distorted, reference)
        else:
            found = accumulated(distorted, reference, micro_batch_size)
        if learning_rate is not None:
            network.optimizer.learning_rate = learning_rate(network.optimizer.iterations)
        network.optimizer.apply(found, network.trainable_variables)
        return dict(network.get_metrics_result())

    return _graph_function(step, jit_compile, signature)


def validation(
    network: keras.Model, *, jit_compile: bool, signature: Signature | None = None
) -> Step:
    """Return a graph function that adds a batch to a compiled network's loss and metrics.

    Args:
        network: compiled.
        jit_compile: compile with XLA.
        signature: as in `training`.
    """
    return _graph_function(network.test_step, jit_compile, signature)


def advancing(step: Step, batches: Iterator[Batch], *, together: bool) -> Advance:
    """Return what takes a number of steps, at least one, and returns the last one's logs.

    Args:
        step: a training step.
        batches: a data set's iterator.
        together: take them in one call of TensorFlow, which spares a GPU the wait for Python.
    """

    def one_by_one(count: int) -> Logs:
        for _ in range(count):
            logs = step(next(batches))
        return logs

    def in_one_call(count: tf.Tensor) -> Logs:
        _, logs = tf.while_loop(
            lambda done, _: done < count,
            lambda done, _: (done + 1, step(next(batches))),
            (1, step(next(batches))),
            parallel_iterations=1,
        )
        return dict(logs)

    if not together:
        return one_by_one
    graph = tf.function(in_one_call, autograph=False)
    return lambda count: graph(tf.constant(count))


def _graph_function(step: Step, jit_compile: bool, signature: Signature | None) -> Step:
    # Never `reduce_retracing`: which graph a batch meets, and so how it is rounded, would depend on
    # the sizes before it, and they are others where a training goes on.
    found: Step = tf.function(
        step,
        input_signature=None if signature is None else [signature],
        jit_compile=jit_compile,
        autograph=False,
    )
    return found
