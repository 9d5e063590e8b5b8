"""What may change when a run goes on, and what may not."""

from __future__ import annotations

import pytest

from tidenhance import config as configs
from tidenhance import resuming
from tidenhance.errors import ConfigError


def load(*overrides: str) -> configs.Config:
    return configs.load(configs.find("plain128"), overrides, root="data", environment={})


BEGUN = load().model_dump(mode="json")


@pytest.mark.parametrize(
    "override",
    [
        "training.epochs=99",
        "training.early_stopping={patience: 3}",
        "training.stop_at={metric: val_loss, value: 0.1}",
        "training.checkpoint_every.steps=5",
        "training.device=cpu",
        "training.cache_gib=1",
        "validation.batch_size=1",
        "data.root=elsewhere",
        "logging.tensorboard=true",
    ],
)
def test_how_long_where_and_how_fast_may_change(override: str) -> None:
    resuming.check_unchanged(BEGUN, load(override))


def test_keys_that_came_later_have_their_defaults() -> None:
    training = {key: value for key, value in BEGUN["training"].items() if key != "optimizer"}
    older = BEGUN | {"training": training}
    resuming.check_unchanged(older, load())
    text = BEGUN | {"training": BEGUN["training"] | {"initial_weights": "a run"}}
    resuming.check_unchanged(text, load("training.initial_weights=[a run]"))
    with pytest.raises(ConfigError, match=r"beta_1: the run was begun with 0\.9\. Received: 0\.5"):
        resuming.check_unchanged(older, load("training.optimizer.beta_1=0.5"))


def test_options_that_came_later_have_their_defaults() -> None:
    begun = load("network={name: nafnet}").model_dump(mode="json")
    older = begun | {"network": {"name": "nafnet", "width": 16}}
    resuming.check_unchanged(older, load("network={name: nafnet}"))
    with pytest.raises(ConfigError, match=r"middle_blocks: the run was begun with 1\. Received: 2"):
        resuming.check_unchanged(older, load("network={name: nafnet, middle_blocks: 2}"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=2", "seed: the run was begun with 1. Received: 2."),
        ("network.channels=[8]", r"network\.channels: the run was begun with \[128, "),
        ("loss.name=charbonnier", r"loss\.name: the run was begun with 'mse'\."),
        ("metrics=[psnr]", "metrics: "),
        ("data.types=[1]", r"data\.types: "),
        ("training.batch_size=4", r"training\.batch_size: the run was begun with 8\. Received: 4"),
        ("training.learning_rate=0.1", r"training\.learning_rate: "),
        ("training.augmentation.flips=true", r"training\.augmentation\.flips: "),
        ("training.learning_rate_schedule.reduce_on_plateau={}", "reduce_on_plateau"),
        ("validation.patch_size=64", r"validation\.patch_size: "),
    ],
)
def test_what_leads_to_another_result_may_not(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resuming.check_unchanged(BEGUN, load(override))


def test_all_of_them_are_listed() -> None:
    with pytest.raises(ConfigError) as caught:
        resuming.check_unchanged(BEGUN, load("seed=2", "training.batch_size=4"))
    assert len(str(caught.value).splitlines()) == 3


def test_the_number_of_epochs_matters_to_the_cosine() -> None:
    cosine = "training.learning_rate_schedule.cosine_decay={}"
    begun = load(cosine).model_dump(mode="json")
    with pytest.raises(ConfigError, match=r"training\.epochs"):
        resuming.check_unchanged(begun, load(cosine, "training.epochs=99"))
