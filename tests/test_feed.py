"""What a config's training is fed with is what the config says, in the order that errors name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from tidenhance import config as configs
from tidenhance import feed, images
from tidenhance.config import Augmentation, Config
from tidenhance.data import pipeline

CONFIG = {
    "seed": 3,
    "network": {"name": "residual_cnn", "channels": 8, "depth": 3},
    "data": {
        "name": "tid2013",
        "types": [1, 5],
        "splits": {"train": [1, 2], "val": [3], "test": []},
    },
    "loss": {"name": "mse"},
    "metrics": [],
    "training": {"epochs": 2, "batch_size": 1, "patch_size": 32, "learning_rate": 1e-3},
    "validation": {"batch_size": 2},
}

Load = Callable[..., Config]


@pytest.fixture
def load(tmp_path: Path, small_tree: Path) -> Load:
    """Return what loads a small config with overrides."""
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    return lambda *overrides: configs.load(
        path, [f"data.root={small_tree}", *overrides], environment={}
    )


@pytest.mark.parametrize("augmentation", ["flips", "rotations", "rgb_permutation", None])
def test_batches_are_cut_and_turned_as_the_config_says(load: Load, augmentation: str | None):
    turned = {augmentation: True} if augmentation else {}
    overrides = [f"training.augmentation.{augmentation}=true"] if augmentation else []
    fed = feed.of(load(*overrides))
    same, other = (
        pipeline.training(
            fed.pairs["train"],
            batch_size=1,
            patch_size=32,
            seed=seed,
            cache_gib=1,
            size_multiple=1,
            augmentation=Augmentation(**turned),
        )
        for seed in (3, 4)
    )
    given = [np.stack(batch) for batch in fed.training(0).take(8)]
    np.testing.assert_array_equal(given, [np.stack(batch) for batch in same(0).take(8)])
    assert not np.array_equal(given, [np.stack(batch) for batch in other(0).take(8)])


def test_the_files_that_errors_name_are_those_that_were_fed(load: Load):
    fed = feed.of(load("training.patch_size=null"))
    for number, (distorted, _) in enumerate(fed.training(0).take(8)):
        [name] = fed.names(number)
        np.testing.assert_array_equal(images.to_float(images.read_rgb(Path(name))), distorted[0])
