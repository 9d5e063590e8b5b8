from unicodedata import normalize

import pytest
from PIL import Image
from pydantic import ValidationError

from tidenhance import components
from tidenhance.data import pairs
from tidenhance.data.datasets import image_folder
from tidenhance.errors import DataError


def make_folders(root, reference, distorted, names=("reference", "distorted")):
    for folder, files in zip(names, (reference, distorted), strict=True):
        (root / folder).mkdir(parents=True)
        for file in files:
            Image.new("RGB", (4, 4), "grey").save(root / folder / file)
    return root


def load(root, train, val, test=(), **options):
    """Load with options checked as those in a config."""
    options["splits"] = {"train": [*train], "val": [*val], "test": [*test]}
    model = components.options("data.datasets", "image_folder").model_validate(options)
    return image_folder.load(**dict(model) | {"root": str(root)})


def problems(root, *splits):
    with pytest.raises(DataError) as caught:
        load(root, *splits)
    first, *lines = str(caught.value).splitlines()
    assert first == f"{root}:"
    return [line.strip() for line in lines]


@pytest.fixture
def folders(tmp_path):
    return make_folders(
        tmp_path,
        ["bridge.png", "bridge_night.png", "city_1.png", "city_2.png", "Portrait.bmp"],
        [
            "bridge.jpg",
            "bridge_noise.png",
            "bridge_night_noise.png",
            "bridge_nightly.png",
            "city_1_jpeg_3.jpg",
            "city_2.BMP",
            "Portrait_blur.tif",
        ],
    )


def test_pairs_by_the_longest_name_of_a_reference(folders):
    found = load(folders, ["bridge*"], ["city_*"], ["Portrait"])
    assert {
        split: {pair.name: pair.reference_name for pair in some} for split, some in found.items()
    } == {
        "train": {
            "bridge": "bridge",
            "bridge_noise": "bridge",
            "bridge_night_noise": "bridge_night",
            "bridge_nightly": "bridge",
        },
        "val": {"city_1_jpeg_3": "city_1", "city_2": "city_2"},
        "test": {"Portrait_blur": "Portrait"},
    }
    for pair in found["val"]:
        assert pair.reference == folders / "reference" / f"{pair.reference_name}.png"
        assert pair.distorted.parent == folders / "distorted"
        assert pair.type is None
        assert pair.level is None
    assert pairs.read(found["val"][1])[0].shape == (4, 4, 3)


def test_a_missing_reference_of_a_series_is_not_another_s(tmp_path):
    make_folders(
        tmp_path,
        ["city.png", "city_01.png", "city_02.png", "city_10.png", "city_11.png", "city_old.png"],
        ["city_03_blur.png", "city_08.png", "city_blur_05.png", "city_01_06.png", "city_old_7.png"],
    )
    assert problems(tmp_path, ["city_01"], ["city_old"]) == [
        "distorted/city_03_blur.png: no reference 'city_03'."
        " The nearest are: 'city_02', 'city_01', 'city_10'.",
        "distorted/city_08.png: no reference 'city_08'."
        " The nearest are: 'city_10', 'city_11', 'city_02'.",
    ]
    for name in ("city_03_blur.png", "city_08.png"):
        (tmp_path / "distorted" / name).unlink()
    found = load(tmp_path, ["city"], ["city_01", "city_old"])
    assert [pair.name for pair in found["train"]] == ["city_blur_05"]
    assert [pair.name for pair in found["val"]] == ["city_01_06", "city_old_7"]


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_config", ["NFC", "NFD"])
def test_accented_names_match_composed_or_not(tmp_path, on_disk, in_config):
    reference, other, pattern = (
        normalize(form, name)
        for form, name in (("NFC", "Brücke"), (on_disk, "Café"), (in_config, "Café*"))
    )
    make_folders(
        tmp_path,
        [f"{reference}.png", f"{other}.png"],
        [f"{normalize('NFD', reference)}_blur.png", f"{normalize('NFC', other)}.png"],
    )
    found = load(tmp_path, ["Br?cke"], [pattern])
    assert [(pair.name, pair.reference_name) for pair in found["train"] + found["val"]] == [
        ("Brücke_blur", "Brücke"),
        ("Café", "Café"),
    ]
    assert found["val"][0].reference == tmp_path / "reference" / f"{other}.png"
    assert pairs.read(found["val"][0])[0].shape == (4, 4, 3)


def test_two_forms_of_one_name_collide(tmp_path):
    names = [f"{normalize(form, 'Café')}.png" for form in ("NFC", "NFD")]
    make_folders(tmp_path, [*names, "b.png"], ["b.png", "Café.png"])
    (line,) = problems(tmp_path, ["Café"], ["b"])
    assert line.endswith("has its name")


def test_numbers_are_levels_where_references_are_no_series(tmp_path):
    make_folders(tmp_path, ["city.png", "city_b.png"], ["city_1.png", "city_b_2.png"])
    found = load(tmp_path, ["city"], ["city_b"])
    assert [pair.name for some in found.values() for pair in some] == ["city_1", "city_b_2"]


def test_references_that_no_pattern_matches_are_left_out(folders):
    found = load(folders, ["city_1"], ["city_2"])
    assert [pair.name for some in found.values() for pair in some] == ["city_1_jpeg_3", "city_2"]


def test_patterns_mind_the_case(folders):
    assert problems(folders, ["portrait"], ["city_*"]) == [
        "splits.train: no reference matches 'portrait'. Did you mean 'Portrait'?"
    ]


def test_a_name_that_reads_as_a_pattern_is_a_name_too(tmp_path):
    make_folders(tmp_path, ["[1].png", "1.png"], ["[1].png", "1.png"])
    found = load(tmp_path, ["[1]"], ["1"])
    assert [pair.name for some in found.values() for pair in some] == ["[1]", "1"]


def test_folders_of_other_names(tmp_path):
    make_folders(tmp_path, ["a.png", "b.png"], ["a.png", "b.png"], names=("clean", "noisy/level1"))
    found = load(tmp_path, ["a"], ["b"], reference="clean", distorted="noisy/level1")
    assert found["train"][0].distorted == tmp_path / "noisy" / "level1" / "a.png"


def test_pictures_only_and_no_hidden_ones(folders):
    for folder in ("reference", "distorted"):
        for name in (".DS_Store", "._bridge.png", ".hidden.png", "Thumbs.db", "notes.txt"):
            (folders / folder / name).write_bytes(b"no picture")
    assert len(load(folders, ["bridge*"], ["city_*"])["train"]) == 4


def test_all_problems_are_listed(folders):
    make_folders(folders / "other", ["lonely.png"], ["stray.png", "_.png"])
    for folder in ("reference", "distorted"):
        for path in (folders / "other" / folder).iterdir():
            path.rename(folders / folder / path.name)
    Image.new("RGB", (4, 4)).save(folders / "reference" / "city_1.jpg")
    Image.new("RGB", (4, 4)).save(folders / "distorted" / "city_2.tif")
    assert problems(folders, ["bridge*", "lonely", "town_*"], ["city_*", "bridge_night"]) == [
        "reference/city_1.png: city_1.jpg has its name",
        "splits.train: no reference matches 'town_*'.",
        "reference/bridge_night: in the splits train and val",
        "distorted/_.png: no reference of that name",
        "distorted/city_2.tif: city_2.BMP has its name",
        "distorted/stray.png: no reference of that name",
        "reference/lonely: no distorted picture",
    ]


def test_overlap_of_any_two_splits(folders):
    for splits in (
        (["city_1"], ["city_*"], []),
        (["bridge"], ["city_1"], ["*_1"]),
        (["city_1"], ["bridge"], ["city_?"]),
    ):
        (line,) = problems(folders, *splits)
        assert line.startswith("reference/city_1: in the splits")


def test_a_folder_without_pictures(tmp_path):
    make_folders(tmp_path, ["a.png"], [])
    with pytest.raises(DataError, match=r"distorted: expected pictures in it. Received: none"):
        load(tmp_path, ["a"], ["b"])


def test_a_missing_folder_is_named(tmp_path):
    make_folders(tmp_path, ["a.png"], ["a.png"], names=("reference", "noisy"))
    with pytest.raises(DataError, match=r"distorted: no such folder"):
        load(tmp_path, ["a"], ["b"])


def test_no_root_names_the_two_folders():
    with pytest.raises(DataError, match="'noisy' and 'reference'"):
        image_folder.load(distorted="noisy", splits=image_folder.Splits(train=["a"], val=["b"]))


def test_a_split_may_be_empty(folders):
    found = load(folders, [], ["city_*"])
    assert found["train"] == []
    assert found["val"]


@pytest.mark.parametrize(
    "splits", [{"train": ["a"]}, {"val": ["a"]}, {"train": ["a"], "val": [1]}, None]
)
def test_both_splits_need_patterns(splits):
    model = components.options("data.datasets", "image_folder")
    with pytest.raises(ValidationError):
        model.model_validate({"splits": splits} if splits else {})
