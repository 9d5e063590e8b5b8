"""The configs that come with the tool, and the schema that lets editors complete their keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tidenhance import components, config, strict_yaml

FILES = sorted(config.shipped_folder().glob("*.yaml"))
NAMES = [path.stem for path in FILES]


def parsed(path: Path) -> Any:
    return strict_yaml.parse(path.read_text(encoding="utf-8"), str)[0]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads(config.json_schema())


def test_the_configs_of_the_article_and_the_quickstart_are_there():
    assert set(NAMES) >= {
        "mirnet32",
        "mirnet64",
        "mirnet-tutorial",
        "plain128",
        "plain256",
        "plain-irregular",
        "quickstart",
    }


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_each_opens_with_purpose_command_time_and_score(path):
    header = path.read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    assert all(line.startswith("#") for line in header)
    assert re.fullmatch(r"# \S.{20,110}", header[0])
    assert config.shipped()[path.stem] == header[0][2:]
    assert any(re.match(rf"# Command: tidenhance train --config {path.stem}\b", x) for x in header)
    for key in ("Time", "Score"):
        lines = [line for line in header if line.startswith(f"# {key}: ")]
        assert len(lines) == 1
        assert lines[0].partition(":")[2].strip() not in ("", key.upper())
    assert "# yaml-language-server: $schema=schema.json" in header


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_each_loads_and_is_read_back_as_it_was_dumped(tmp_path, path):
    loaded = config.load(path, environment={})
    (tmp_path / "config.yaml").write_text(config.dump(loaded), encoding="utf-8")
    assert config.load(tmp_path / "config.yaml", environment={}) == loaded


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_the_schema_accepts_each(path, schema):
    jsonschema.Draft202012Validator(schema).validate(parsed(path))


def test_the_schema_accepts_what_is_dumped(schema):
    dumped = config.dump(config.load(config.find("quickstart"), environment={}))
    jsonschema.Draft202012Validator(schema).validate(strict_yaml.parse(dumped, str)[0])


def test_the_schema_is_a_schema(schema):
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_schema_file_is_current():
    written = (config.shipped_folder() / "schema.json").read_text(encoding="utf-8")
    assert written == config.json_schema(), "tidenhance configs --schema > configs/schema.json"


def test_the_schema_knows_every_component(schema):
    for section, kind in config.COMPONENTS.items():
        variants = schema["properties"][section]["oneOf"]
        names = [variant["properties"]["name"]["const"] for variant in variants]
        assert names == list(components.names(kind))
    assert schema["properties"]["metrics"]["items"]["enum"] == list(components.names("metrics"))


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ((), {"trainng": {}}),
        ((), {"seed": -1}),
        ((), {"seed": "one"}),
        ((), {"metrics": ["psnrr"]}),
        (("network",), {"name": "mirnt"}),
        (("network",), {"depth": 3}),
        (("network",), {"channels": 30}),
        (("network",), {"fusion_softmax": "both"}),
        (("data",), {"folder": "x"}),
        (("data",), {"levels": [6]}),
        (("data",), {"splits": {"train": ["city_*"], "val": ["x"]}}),
        (("loss",), {"epsilon": 1}),
        (("training",), {"epoch": 5}),
        (("training",), {"epochs": 0}),
        (("training",), {"device": "tpu"}),
        (("training",), {"learning_rate_schedule": {"cosine_decay": {"min": 0}}}),
        (("validation",), {"batch_size": None}),
    ],
)
def test_the_schema_refuses_what_load_refuses(schema, section, change):
    data = parsed(config.find("mirnet32"))
    inner = data
    for key in section:
        inner = inner[key]
    inner.update(change)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(data)


def test_the_schema_knows_the_splits_of_each_data_set_apart(schema):
    data = parsed(config.find("mirnet32"))
    data["data"] = {"name": "image_folder", "splits": {"train": ["city_*"], "val": ["x"]}}
    jsonschema.Draft202012Validator(schema).validate(data)
    data["data"]["splits"]["train"] = [1]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(data)
