"""Load, override, validate and write back configs; every mistake is named with its place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidenhance import components, config, strict_yaml
from tidenhance.errors import ConfigError

TEXT = """\
seed: 1
network:
  name: mirnet
  channels: 32
  fusion_softmax: channels
data:
  name: tid2013
  levels: [5]
loss:
  name: mse
metrics: [psnr, mae]
training:
  epochs: 50
  batch_size: 4
  patch_size: 128
  learning_rate: 1e-4
  learning_rate_schedule:
    reduce_on_plateau: null
validation:
  batch_size: 4
"""

LOSSES = ", ".join(components.names("losses"))

Load = Callable[..., config.Config]
Mistakes = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load TEXT, or another, with overrides."""
    monkeypatch.chdir(tmp_path)

    def load(*overrides: str, text: str = TEXT, environment=(), **arguments) -> config.Config:
        Path("x.yaml").write_text(text, encoding="utf-8")
        return config.load(Path("x.yaml"), overrides, environment=dict(environment), **arguments)

    return load


@pytest.fixture
def mistakes(load: Load) -> Mistakes:
    """Return the lines of the error that loading gives."""

    def mistakes(*overrides: str, **arguments) -> list[str]:
        with pytest.raises(ConfigError) as error:
            load(*overrides, **arguments)
        return str(error.value).split("\n")

    return mistakes


def test_values_and_defaults(load):
    loaded = load()
    assert loaded.seed == 1
    assert loaded.network.name == "mirnet"
    assert loaded.network.options == {
        "channels": 32,
        "groups": 3,
        "blocks": 2,
        "fusion_softmax": "channels",
    }
    assert loaded.data.options["types"] == list(range(1, 25))
    assert loaded.data.options["root"] is None
    assert loaded.loss.options == {}
    assert loaded.training.learning_rate == 0.0001
    assert loaded.training.gradient_accumulation_steps == 1
    assert loaded.training.device == "auto"
    assert loaded.validation.patch_size is None
    assert loaded.provenance is None


def test_a_config_cannot_be_changed(load):
    with pytest.raises(ValueError, match="frozen"):
        load().training.epochs = 5
    with pytest.raises(ValueError, match="frozen"):
        load().network.name = "plain_cnn"


def test_overrides(load):
    loaded = load(
        "training.epochs=5",
        "network.channels=16",
        "training.learning_rate=1e-3",
        "metrics=[mse]",
        "training.augmentation.flips=true",
        "training.learning_rate_schedule.reduce_on_plateau.patience=3",
        "data.splits={train: [1], val: [2], test: []}",
        "training.patch_size=null",
        "data.root=a=b",
        "training.initial_weights=['1e5']",
    )
    assert loaded.training.epochs == 5
    assert loaded.network.options["channels"] == 16
    assert loaded.training.learning_rate == 0.001
    assert loaded.metrics == ["mse"]
    assert loaded.training.augmentation.flips
    assert loaded.training.learning_rate_schedule.reduce_on_plateau.patience == 3
    assert loaded.training.learning_rate_schedule.reduce_on_plateau.factor == 0.5
    assert loaded.data.options["splits"].train == [1]
    assert loaded.training.patch_size is None
    assert loaded.data.options["root"] == "a=b"
    assert loaded.training.initial_weights == ["1e5"]


def test_of_one_key_the_last_override_counts(load):
    assert load("seed=2", "seed=3").seed == 3
    assert (
        load(
            "training.early_stopping.patience=2", "training.early_stopping=null"
        ).training.early_stopping
        is None
    )


@pytest.mark.parametrize("metric", ["loss", "val_loss", "psnr", "val_mae"])
def test_a_training_may_stop_at_what_its_history_holds(load, metric):
    stop_at = load(f"training.stop_at={{metric: {metric}, value: 0.1}}").training.stop_at
    assert stop_at == config.StopAt(metric=metric, value=0.1)
    assert load().training.stop_at is None
    whole = load("training.stop_at.metric=loss", "training.stop_at.value=1").training.stop_at
    assert whole == config.StopAt(metric="loss", value=1.0)


def test_where_to_stop_needs_a_value(mistakes):
    assert mistakes("training.stop_at.metric=loss") == [
        "x.yaml:12: training.stop_at.value: required, but not given: expected a number."
    ]


def test_another_network_by_override(load):
    loaded = load("network={name: plain_cnn, channels: [8, 8]}")
    assert loaded.network.options == {"channels": [8, 8]}


def test_the_old_options_are_unknown_to_another_network(mistakes):
    assert mistakes("network.name=residual_cnn") == [
        "x.yaml:5: network.fusion_softmax: unknown key; network 'residual_cnn' takes:"
        " channels, depth."
    ]


def test_all_mistakes_at_once(mistakes):
    text = """\
sed: 1
network:
  name: mirnt
data:
  name: tid2013
  levels: [5, 6]
  type: [1]
loss:
  name: mse
  epsilon: 1
metrics: [psnr, ssimm]
training:
  epochs: many
  batch_size: 0
  patch_size: 12.5
  learning_rate: 1_000
  device: gpuu
  augmentation:
    flips: on
  gradient_accumulation_steps: ~
"""
    networks = ", ".join(components.names("networks"))
    metrics = ", ".join(components.names("metrics"))
    assert sorted(mistakes("training.epochs=-3", "validation.batch=2", text=text)) == sorted(
        [
            "x.yaml:1: sed: unknown key; allowed here: seed, network, data, loss, metrics,"
            " training, validation, logging, provenance. Did you mean 'seed'?",
            "x.yaml: seed: required, but not given: expected a whole number from 0 to 2147483647.",
            f"x.yaml:3: network.name: expected one of {networks}. Received: 'mirnt'."
            " Did you mean 'mirnet'?",
            "x.yaml:6: data.levels.1: expected a whole number from 1 to 5. Received: 6.",
            "x.yaml:7: data.type: unknown key; data 'tid2013' takes: root, levels, types, splits."
            " Did you mean 'types'?",
            "x.yaml:10: loss.epsilon: unknown key; loss 'mse' takes: nothing.",
            f"x.yaml:11: metrics.1: expected one of {metrics}. Received: 'ssimm'."
            " Did you mean 'ssim'?",
            "argument 'training.epochs=-3': training.epochs: expected a whole number from 1 to"
            " 1000000. Received: -3.",
            "x.yaml:14: training.batch_size: expected a whole number from 1 to 1000000."
            " Received: 0.",
            "x.yaml:15: training.patch_size: expected a whole number from 1 to 1000000, or null."
            " Received: 12.5.",
            "x.yaml:16: training.learning_rate: expected a number above 0. Received: '1_000'.",
            "x.yaml:17: training.device: expected one of auto, cpu, gpu. Received: 'gpuu'."
            " Did you mean 'gpu'?",
            "x.yaml:19: training.augmentation.flips: expected true or false. Received: 'on'.",
            "x.yaml:20: training.gradient_accumulation_steps: expected a whole number from 1 to"
            " 1000000. Received: null.",
            "argument 'validation.batch=2': validation.batch: unknown key; allowed here:"
            " batch_size, patch_size, crop, best_epoch. Did you mean 'batch_size'?",
            "x.yaml: validation.batch_size: required, but not given: expected a whole number from"
            " 1 to 1000000.",
        ]
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=true", "expected a whole number from 0 to 2147483647. Received: true."),
        ("seed=1.0", "expected a whole number from 0 to 2147483647. Received: 1.0."),
        ("seed=2147483648", "to 2147483647. Received: 2147483648."),
        ("training.epochs=1e4", "expected a whole number from 1 to 1000000. Received: 10000.0."),
        ("training.learning_rate=.inf", "expected a number above 0. Received: Infinity."),
        ("training.learning_rate=.nan", "expected a number above 0. Received: NaN."),
        ("training.learning_rate=1e999", "expected a number above 0. Received: Infinity."),
        ("training.learning_rate=0", "expected a number above 0. Received: 0."),
        ("training.cache_gib=-1", "expected a number of at least 0. Received: -1."),
        ("training.cache_gib=.inf", "expected a number of at least 0. Received: Infinity."),
        (
            "training.learning_rate_schedule.reduce_on_plateau.factor=1",
            "expected a number above 0 and below 1. Received: 1.",
        ),
        ("training.early_stopping.patience=0", "from 1 to 1000000. Received: 0."),
        ("training.precision=float", "Received: 'float'. Did you mean 'float32'?"),
        ("training.xla=true", "expected one of auto, on, off. Received: true."),
        ("training.initial_weights=[5]", "initial_weights.0: expected text. Received: 5."),
        (
            "training.initial_weights=5",
            "expected text, or a list of at least 1, each text, or null. Received: 5.",
        ),
        (
            "training.augmentation=yes",
            "expected keys and values (flips, rotations, rgb_permutation).",
        ),
        ("network.channels=30", "expected a whole number from 8 to 65536 and a multiple of 8."),
        ("network.fusion_softmax=stream", "expected one of channels, streams."),
        ("network=mirnet", "expected keys and values (name, …). Received: 'mirnet'."),
        ("network=[mirnet]", 'expected keys and values (name, …). Received: ["mirnet"].'),
        ("network=null", "expected keys and values (name, …). Received: null."),
        (
            "loss={}",
            f"required, but not given: expected one of {LOSSES}.",
        ),
        (
            "loss.name=null",
            f"expected one of {LOSSES}.",
        ),
        # As of a shell's variable that is not set.
        ("training.patch_size=", "training.patch_size: nothing follows. Write null for none."),
        ("training.stop_at= ", "training.stop_at: nothing follows. Write null for none."),
        (
            "loss.name=5",
            f"expected one of {LOSSES}. Received: 5.",
        ),
        (
            "loss.name=[mse]",
            f'expected one of {LOSSES}. Received: ["mse"].',
        ),
        ("data.levels=5", "expected a list of at least 1, each a whole number from 1 to 5."),
        ("data.levels=[]", "expected a list of at least 1"),
        ("data.types=[0]", "expected a whole number from 1 to 24. Received: 0."),
        ("data.splits.train=[1, 21]", "each reference belongs to one split only"),
        ("data.splits.validation=[1]", "unknown key; allowed here: train, val, test."),
        (
            "metrics=psnr",
            "expected a list, each one of mae, ms_ssim, mse, psnr, psnr_y, ssim, ssim_y."
            " Received: 'psnr'.",
        ),
        (
            "metrics=[5]",
            "expected one of mae, ms_ssim, mse, psnr, psnr_y, ssim, ssim_y. Received: 5.",
        ),
        ("metrics=[psnr, psnr]", "expected each metric once. Received: 'psnr'."),
        (
            "training.learning_rate_schedule={cosine_decay: {}, reduce_on_plateau: {}}",
            "expected at most one of reduce_on_plateau and cosine_decay.",
        ),
        ("training.patch_size=126", "expected a multiple of 4 for mirnet. Received: 126."),
        ("validation.patch_size=2", "expected a multiple of 4 for mirnet. Received: 2."),
        (
            "training.gradient_accumulation_steps=3",
            "expected a divisor of training.batch_size, 4. Received: 3.",
        ),
        (
            "training.learning_rate_schedule.cosine_decay.minimum=0.1",
            "expected at most training.learning_rate, 0.0001. Received: 0.1.",
        ),
        (
            "training.learning_rate_schedule.reduce_on_plateau.minimum=0.1",
            "expected at most training.learning_rate, 0.0001. Received: 0.1.",
        ),
        ("network.channels." + "x" * 200 + "=1", "has no keys of its own"),
        (
            "training.stop_at={metric: val_psrn, value: 30}",
            "stop_at.metric: expected one of loss, psnr, mae, val_loss, val_psnr, val_mae."
            " Received: 'val_psrn'. Did you mean 'val_psnr'?",
        ),
        (
            "training.stop_at={metric: ssim, value: 0.9}",  # which is not among the metrics
            "stop_at.metric: expected one of loss, psnr, mae, val_loss, val_psnr, val_mae.",
        ),
        ("training.stop_at={metric: loss, value: low}", "expected a number. Received: 'low'."),
        ("training.stop_at={metric: 5, value: 1}", "stop_at.metric: expected text. Received: 5."),
        ("training.stop_at=0.1", "expected keys and values (metric, value), or null."),
        ("training.stop_at={metric: loss, value: .nan}", "Received: NaN."),
    ],
)
def test_one_wrong_value_gives_one_line(mistakes, override, message):
    found = mistakes(override)
    assert len(found) == 1
    assert message in found[0]
    assert found[0].startswith("argument ")
    assert len(found[0]) < 400


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs", "expected KEY=VALUE, as in training.epochs=5."),
        ("=5", "expected KEY=VALUE, as in training.epochs=5."),
        ("training..epochs=5", "expected KEY=VALUE, as in training.epochs=5."),
        (".seed=5", "expected KEY=VALUE, as in training.epochs=5."),
        ("", "expected KEY=VALUE, as in training.epochs=5."),
        ("seed.x=5", "seed has no keys of its own."),
        ("metrics.0=mse", "metrics has no keys of its own."),
        ("seed=*a", "aliases are not allowed. Received: *a."),
        ("seed=!!int 5", "tags are not allowed. Received: !!int."),
        ("seed=[1", "not valid YAML: "),
        ("seed=a: b: c", "not valid YAML: "),
        ("training={epochs: 1, epochs: 2}", "epochs: given twice."),
        ("seed=1\n---\n2", "not valid YAML: expected a single document"),
        ("seed=\udcff", "not text: the character U+DCFF is not allowed."),
    ],
)
def test_overrides_that_cannot_be_read(mistakes, override, message):
    found = mistakes(override)
    assert len(found) == 1
    assert found[0].startswith("argument '")
    assert message in found[0]


def test_mistakes_of_overrides_and_of_the_file_come_together(mistakes):
    found = mistakes("training.epochs", "seed=-1", text=TEXT.replace("mirnet", "mirnt"))
    assert len(found) == 3


@pytest.mark.parametrize(
    "text",
    [
        TEXT + "".join(f"a{n}:\n" for n in range(20_000)),
        TEXT.replace("[psnr, mae]", f"[{'psnr,' * 20_000}]"),
    ],
    ids=["keys", "metrics"],
)
def test_of_very_many_mistakes_a_hundred_are_told_and_soon(mistakes, text):
    start = time.perf_counter()
    found = mistakes(text=text)
    assert time.perf_counter() - start < 10  # not the hours that a megabyte of them once took
    assert 99 <= len(found) <= 101


@pytest.mark.parametrize("section", ["network", "data", "loss", "metrics", "training", "seed"])
def test_a_section_that_is_missing(mistakes, section):
    lines = TEXT.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(section))
    after = [n for n in range(start + 1, len(lines)) if not lines[n].startswith(" ")]
    text = "\n".join(lines[:start] + lines[after[0] :])
    found = mistakes(text=text)
    assert len(found) == 1
    assert found[0].startswith(f"x.yaml: {section}: required, but not given: expected ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.yaml:1: expected keys and values. Received: nothing."),
        ("# nothing\n", "x.yaml:1: expected keys and values. Received: nothing."),
        ("[1, 2]", "x.yaml:1: expected keys and values. Received: [1, 2]."),
        ("mirnet", "x.yaml:1: expected keys and values. Received: 'mirnet'."),
        ("seed: 1\n\tx: 2", "x.yaml:2: not valid YAML: "),
    ],
)
def test_files_that_are_no_configs(mistakes, text, message):
    found = mistakes(text=text)
    assert len(found) == 1
    assert found[0].startswith(message)


def test_a_key_given_twice_does_not_hide_other_mistakes(mistakes):
    found = mistakes(text="seed: 1\nseed: 2")
    assert found[0] == "x.yaml:2: seed: given twice; first at x.yaml:1."
    assert any("network: required" in line for line in found[1:])


def test_checks_between_keys_are_made_beside_other_mistakes(mistakes):
    found = mistakes("training.patch_size=66", "training.learning_rate=-1")
    assert any("patch_size: expected a multiple of 4" in line for line in found)
    assert any("learning_rate: expected a number above 0" in line for line in found)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"seed: 1\nname: \xff\xfe", "x.yaml:2: not UTF-8 text: "),
        ("seed: 1".encode("utf-16"), "x.yaml:1: not UTF-8 text: "),
        (b"seed: 1\n\x00", "x.yaml:2: not text: "),
        (b"#" * 1_000_001, "x.yaml:1: expected at most 1,000,000 bytes of YAML."),
    ],
)
def test_files_that_are_no_text(tmp_path, monkeypatch, raw, message):
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_bytes(raw)
    with pytest.raises(ConfigError) as error:
        config.load(Path("x.yaml"))
    assert str(error.value).startswith(message)


def test_windows_line_ends_and_a_byte_order_mark(load):
    assert load(text="\ufeff" + TEXT.replace("\n", "\r\n")) == load()


def test_a_file_that_cannot_be_read(tmp_path):
    for path in (tmp_path, tmp_path / "none.yaml", tmp_path / ("x" * 300)):
        with pytest.raises(ConfigError, match="cannot be read"):
            config.load(path)


def test_where_the_data_is(load):
    variable = {"TIDENHANCE_DATA": "from the variable"}

    def root(*overrides: str, **arguments) -> str:
        return load(*overrides, **arguments).data.options["root"]

    in_file = TEXT.replace("  levels", "  root: from the file\n  levels")
    assert root() is None
    assert root(environment={"TIDENHANCE_DATA": ""}) is None
    assert root(environment=variable) == "from the variable"
    assert root("data.root=null", text=in_file, environment=variable) == "from the variable"
    assert root(text=in_file, environment=variable) == "from the file"
    assert root("data.root=override", text=in_file, environment=variable) == "override"
    assert root("data.root=x", text=in_file, environment=variable, root="--data") == "--data"


@pytest.mark.parametrize("name", ["1e-4", "null", "a b#c: d", "é 😀", "'\"\\", "\udcff", "*x"])
def test_folders_of_any_name(load, name):
    loaded = load(root=name)
    assert loaded.data.options["root"] == name
    Path("dumped.yaml").write_text(config.dump(loaded), encoding="utf-8")
    assert config.load(Path("dumped.yaml"), environment={}) == loaded
    assert load(environment={"TIDENHANCE_DATA": name}) == loaded


def test_a_root_without_a_data_section(mistakes):
    text = TEXT.replace("data:\n  name: tid2013\n  levels: [5]\n", "")
    found = mistakes(text=text, root="folder")
    assert len(found) == 1
    assert found[0].startswith("x.yaml: data.name: required, but not given: expected one of ")
    assert (
        mistakes(text=text + "data: 5", root="folder")[0] == "--data: data has no keys of its own."
    )


def test_what_is_dumped_is_complete_and_read_back(load, tmp_path):
    loaded = load("training.learning_rate_schedule.reduce_on_plateau.factor=0.3")
    text = config.dump(loaded)
    data, _ = strict_yaml.parse(text, str)
    assert data["training"]["learning_rate"] == 0.0001
    assert data["network"]["groups"] == 3
    assert data["data"]["splits"]["test"] == [16, 17, 18, 19, 20]
    (tmp_path / "dumped.yaml").write_text(text)
    assert config.load(tmp_path / "dumped.yaml", environment={}) == loaded


PATHS = st.sampled_from(
    ["network", "network.name", "network.channels", "data", "data.splits", "data.levels",
     "data.splits.train", "loss", "loss.name", "metrics", "training", "training.epochs",
     "training.learning_rate", "training.learning_rate_schedule", "training.augmentation.flips",
     "training.early_stopping", "training.initial_weights", "validation", "seed", "provenance"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(
        ["name", "mse", "psnr", "tid2013", "epochs", "train"]
    ),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["name", "train", "val", "x", ""]), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(PATHS, VALUES)
def test_any_value_anywhere_gives_a_config_or_one_error(tmp_path, path, value):
    (tmp_path / "x.yaml").write_text(TEXT)
    override = f"{path}={strict_yaml.dump(value)}"
    try:
        found = config.load(tmp_path / "x.yaml", [override], environment={})
    except ConfigError as error:
        lines = str(error).split("\n")
    else:
        (tmp_path / "dumped.yaml").write_text(config.dump(found))
        assert config.load(tmp_path / "dumped.yaml", environment={}) == found
        lines = []
    assert all(line.startswith(("argument ", str(tmp_path))) for line in lines)


SHIPPED = [path.read_bytes() for path in sorted(config.shipped_folder().glob("*.yaml"))]
PIECES = st.sampled_from(
    [b"", b"\n", b": ", b"- ", b"  ", b"\t", b"[", b"]", b"{", b"}", b"*a", b"&a ", b"!!python/x",
     b"|", b">", b"'", b'"', b"#", b"?", b"%", b"---\n", b"null", b"true", b"-1", b"0", b"1e999",
     b".nan", b"9" * 5000, b"name: x\n", b"provenance:\n", b"<<", b"\x00", b"\xff", b"\xc2\x85"]
) | st.binary(max_size=4)  # fmt: skip
CUTS = st.tuples(st.integers(0, 3000), st.integers(0, 30), PIECES)
LOAD = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def check_load(folder: Path, content: bytes, overrides: list[str]) -> None:
    """Load what may be anything; check that it gives a config, or an error with its places."""
    path = folder / "x\n.yaml"
    path.write_bytes(content)
    shown = str(folder / r"x\n.yaml")
    try:
        found = config.load(path, overrides, environment={})
    except ConfigError as error:
        lines = str(error).split("\n")
    else:
        assert strict_yaml.parse(config.dump(found), str)[0]["seed"] == found.seed
        lines = []
    assert all(line.startswith((f"{shown}:", "argument ")) for line in lines), lines
    assert all(line.isprintable() for line in lines), lines
    assert all(len(line) < 1000 for line in lines), lines


@LOAD
@given(st.sampled_from(SHIPPED), st.lists(CUTS, min_size=1, max_size=4))
def test_a_damaged_config_gives_a_config_or_one_error(tmp_path, content, cuts):
    for place, length, piece in cuts:
        place %= len(content) + 1
        content = content[:place] + piece + content[place + length :]
    check_load(tmp_path, content, [])


@LOAD
@given(
    st.binary()
    | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.lists(PIECES).map(b"".join)
)
def test_any_file_gives_a_config_or_one_error(tmp_path, content):
    check_load(tmp_path, content, [])


@LOAD
@given(
    st.lists(
        st.text()
        | st.builds("{}={}".format, PATHS | st.text(), st.text() | PIECES.map(os.fsdecode)),
        max_size=3,
    )
)
def test_any_overrides_give_a_config_or_one_error(tmp_path, overrides):
    check_load(tmp_path, TEXT.encode(), overrides)


@pytest.mark.parametrize(
    "name",
    [
        "../../evil",
        "/etc/evil",
        "a/b",
        "a\\b",
        ".",
        "..",
        "",
        "a\nb",
        "a\x00",
        "\x1b[2J",
        "é" * 101,
    ],
)
def test_a_run_cannot_be_named_after_what_is_no_plain_name(load, mistakes, name):
    made = dict.fromkeys(config.Provenance.model_fields, "x") | {"config": name}
    text = TEXT + strict_yaml.dump({"provenance": made})
    (line,) = mistakes(text=text)
    assert line.startswith("x.yaml:22: provenance.config: expected a plain file name: no '/', ")


def test_names_of_runs_may_be_of_any_language(load):
    made = dict.fromkeys(config.Provenance.model_fields, "x") | {"config": "é b (1)"}
    text = TEXT + strict_yaml.dump({"provenance": made})
    assert load(text=text).provenance.config == "é b (1)"


def test_a_run_is_named_after_its_config(load):
    loaded = load()
    assert config.run_name(loaded, Path("a/my config (1).yaml")) == "my config (1)"
    for name in ("a\nb.yaml", "..yaml", "a\\b.yaml", "x" * 201 + ".yaml", "\udcff.yaml"):
        with pytest.raises(ConfigError, match="runs are named after the config's file") as error:
            config.run_name(loaded, Path(name))
        assert str(error.value).isprintable()


def test_find_a_path_or_a_shipped_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = config.shipped_folder() / "mirnet32.yaml"
    assert config.find("mirnet32") == shipped
    assert config.find("mirnet32.yaml") == shipped
    Path("mirnet32").mkdir()
    assert config.find("mirnet32") == shipped
    Path("mirnet32.yaml").write_text("")
    assert config.find("mirnet32.yaml") == Path("mirnet32.yaml")
    assert config.find(str(tmp_path / "mirnet32.yaml")) == tmp_path / "mirnet32.yaml"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mirnet23", "Did you mean 'mirnet32.yaml'?"),
        ("mirnet23.yaml", "Did you mean 'mirnet32.yaml'?"),
        ("plain-128", "Did you mean 'plain128.yaml'?"),
        ("nothing like it", "quickstart"),
        ("", "expected a YAML file. Received: the folder ''."),
        (
            "folder",
            "Received: the folder 'folder'. Did you mean 'folder/config.yaml'?",
        ),
        (".", "expected a YAML file. Received: the folder '.'."),
        ("minne.yaml", "Did you mean 'mine.yaml'?"),
        ("mine", "Did you mean 'mine.yaml'?"),
        ("folder/confg.yaml", "Did you mean 'folder/config.yaml'?"),
        ("mine.yaml/x", "no file 'mine.yaml/x'"),
        ("x" * 300, "File name too long"),
    ],
)
def test_find_what_is_not_there(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").touch()
    Path("other.yaml").touch()
    Path("folder").mkdir()
    Path("folder/config.yaml").touch()
    with pytest.raises(ConfigError) as error:
        config.find(name)
    assert message in str(error.value)


def test_a_config_from_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert config.find(str(tmp_path / "pipe")) == tmp_path / "pipe"


def test_every_shipped_config_has_its_purpose():
    assert all(config.shipped().values())
    assert len(config.shipped()) >= 7


def test_checked_arguments_have_the_defaults_of_the_rest():
    given = {"levels": [1], "root": "x"}
    found = config.checked("data.datasets", "mnist_noise", given, "here")
    assert found == given | {"source": "mnist", "seed": 1, "dtype": "float16"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"levels": [2, 3]}, "here: levels.1: expected a whole number from 1 to 2. Received: 3."),
        ({"level": [2]}, "here: level: "),
        (
            {"levels": [0], "seed": -1},
            "here: seed: expected a whole number of at least 0. Received: -1.",
        ),
    ],
)
def test_a_wrong_argument_is_named_with_its_place(arguments, message):
    with pytest.raises(ConfigError) as caught:
        config.checked("data.datasets", "mnist_noise", arguments, "here")
    assert message in str(caught.value)


def test_a_root_that_need_not_be_given_is_not_taken_from_the_variable(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(TEXT)
    environment = {config.DATA_VARIABLE: "TID2013"}
    assert config.load(path, environment=environment).data.options["root"] == "TID2013"
    mnist = config.load(path, ["data={name: mnist_noise}"], environment=environment)
    assert mnist.data.options["root"] is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "training.optimizer.beta_2=0.99999999",
            "expected a number from 0 to 0.99999. Received: 0.99999999.",
        ),
        (
            "training.synthesis={photographs: x, pictures_per_step: 9, window: 8}",
            "expected at most training.synthesis.window, 8. Received: 9.",
        ),
        (
            "training.learning_rate_schedule={cosine_decay: {warm_up_epochs: 50}}",
            "expected less than training.epochs, 50. Received: 50.",
        ),
        (
            "training.later_patch_sizes=[{epoch: 9, patch_size: 130}]",
            "later_patch_sizes.0.patch_size: expected a multiple of 4 for mirnet. Received: 130.",
        ),
        (
            "training.later_patch_sizes=[{epoch: 99, patch_size: 64}]",
            "later_patch_sizes.0.epoch: expected at most training.epochs, 50. Received: 99.",
        ),
        (
            "training.later_patch_sizes=[5, {epoch: 99, patch_size: 64}]",
            "later_patch_sizes.1.epoch: expected at most training.epochs, 50. Received: 99.",
        ),
        (
            "training.later_patch_sizes=[{epoch: 9, patch_size: 64}, {epoch: 9, patch_size: 96}]",
            "expected epochs in order, each once. Received: [9, 9].",
        ),
        (
            "training.later_patch_sizes=[5, {epoch: 9, patch_size: 64}, {epoch: 9, patch_size: 8}]",
            "expected epochs in order, each once. Received: [9, 9].",
        ),
        (
            "network={name: mirnet, groups: 999999999999999999999999}",
            "network.groups: expected a whole number from 1 to 1000.",
        ),
        ("data.root=''", "data.root: expected a path. Received: ''."),
        (
            "training.synthesis={photographs: ''}",
            "training.synthesis.photographs: expected a path. Received: ''.",
        ),
        (
            "validation={batch_size: 4, crop: random}",
            "validation: expected a patch_size where crop is random.",
        ),
    ],
)
def test_what_would_not_train_is_told(tmp_path, override, message):
    path = tmp_path / "x.yaml"
    path.write_text(TEXT)
    with pytest.raises(ConfigError) as caught:
        config.load(path, [override, "training.steps_per_epoch=5"])
    assert message in str(caught.value)
