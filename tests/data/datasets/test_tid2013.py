import io
import re

import pytest
from PIL import Image
from pydantic import ValidationError

from tidenhance import components
from tidenhance import config as configs
from tidenhance.data import pairs
from tidenhance.data.datasets import tid2013
from tidenhance.errors import ConfigError, DataError

buffer = io.BytesIO()
Image.new("RGB", (4, 4), "grey").save(buffer, "BMP")
BMP = buffer.getvalue()


def make_archive(root, levels=(5,)):
    """Write the real archive's layout with its mixed-case names and tiny pictures."""
    (root / "reference_images").mkdir(parents=True)
    (root / "distorted_images").mkdir()
    for number in range(1, 26):
        name = f"I{number:02d}.BMP" if number < 25 else "i25.bmp"
        (root / "reference_images" / name).write_bytes(BMP)
        for kind in range(1, 25):
            for level in levels:
                name = f"i{number:02d}_{kind:02d}_{level}.bmp"
                if (number, kind) == (1, 13):
                    name = name.capitalize()
                elif (number, kind) in {(4, 11), (9, 2)}:
                    name = name.upper()
                (root / "distorted_images" / name).write_bytes(BMP)
    (root / "mos_with_names.txt").write_text("5.51429 I01_01_1.bmp\n")
    return root


@pytest.fixture
def archive(tmp_path):
    return make_archive(tmp_path / "tid2013")


def load(root, **options):
    """Load with options checked as those in a config."""
    model = components.options("data.datasets", "tid2013").model_validate(options)
    return tid2013.load(**dict(model) | {"root": str(root)})


def problems(root, **options):
    with pytest.raises(DataError) as caught:
        load(root, **options)
    first, *lines = str(caught.value).splitlines()
    assert first == f"{root}:"
    return [line.strip() for line in lines]


def test_loads_the_article_s_splits_from_mixed_case_names(archive):
    found = load(archive)
    assert {split: len(some) for split, some in found.items()} == {
        "train": 360,
        "val": 120,
        "test": 120,
    }
    names = {split: [pair.reference_name for pair in some] for split, some in found.items()}
    assert set(names["train"]) == {f"i{n:02d}" for n in range(1, 16)}
    assert set(names["test"]) == {"i16", "i17", "i18", "i19", "i20"}
    assert set(names["val"]) == {"i21", "i22", "i23", "i24", "i25"}
    everything = [pair for some in found.values() for pair in some]
    assert len({pair.distorted for pair in everything}) == 600
    for pair in everything:
        assert pair.level == 5
        assert pair.name == f"{pair.reference_name}_{pair.type:02d}_5"
        assert pair.distorted.name.lower() == f"{pair.name}.bmp"
        assert pair.reference.name.lower() == f"{pair.reference_name}.bmp"
    odd = {pair.name: pair.distorted.name for pair in everything}
    assert odd["i01_13_5"] == "I01_13_5.bmp"
    assert odd["i04_11_5"] == "I04_11_5.BMP"
    assert pairs.read(everything[0])[0].shape == (4, 4, 3)


def test_types_levels_and_splits_are_selected(tmp_path):
    root = make_archive(tmp_path / "all", levels=range(1, 6))
    found = load(root, types=[10, 1], levels=[2, 5], splits={"train": [4], "val": [25], "test": []})
    assert [pair.name for pair in found["train"]] == [
        "i04_01_2",
        "i04_01_5",
        "i04_10_2",
        "i04_10_5",
    ]
    assert [pair.reference_name for pair in found["val"]] == ["i25"] * 4
    assert found["test"] == []
    assert sum(map(len, load(root, levels=[1, 2, 3, 4, 5]).values())) == 3000
    # Asking twice for one type is asking for it once.
    assert len(load(root, types=[7, 7], levels=[3, 3])["train"]) == 15


def test_one_missing_file_is_named(archive):
    (archive / "distorted_images" / "i23_17_5.bmp").unlink()
    assert problems(archive) == ["distorted_images/i23_17_5.bmp: missing"]


def test_all_missing_files_are_named(archive):
    (archive / "distorted_images" / "i01_01_5.bmp").unlink()
    (archive / "distorted_images" / "I04_11_5.BMP").unlink()
    (archive / "reference_images" / "I16.BMP").unlink()
    assert problems(archive) == [
        "reference_images/i16.bmp: missing",
        "distorted_images/i01_01_5.bmp: missing",
        "distorted_images/i04_11_5.bmp: missing",
    ]


def test_many_missing_files_are_counted(archive):
    for path in (archive / "distorted_images").glob("i08_*"):
        path.unlink()
    (archive / "distorted_images" / "i02_03_5.bmp").unlink()
    for number in range(1, 26):
        (archive / "distorted_images" / f"i{number:02d}_09_5.bmp").unlink(missing_ok=True)
    assert problems(archive, levels=[4, 5]) == [
        "distorted_images: all 48 of reference 8 missing",
        "distorted_images: all 576 of level 4 missing",
        "distorted_images: all 24 of type 9 missing",
        "distorted_images/i02_03_5.bmp: missing",
    ]


def test_only_what_is_selected_must_be_there(archive):
    (archive / "distorted_images" / "i23_17_5.bmp").unlink()
    (archive / "reference_images" / "I16.BMP").unlink()
    splits = {"train": [1], "val": [22], "test": []}
    assert len(load(archive, splits=splits)["val"]) == 24
    assert len(load(archive, types=[16], splits=splits | {"val": [23]})["val"]) == 1


def test_colliding_names_are_listed_where_selected(archive):
    for folder, name in (("distorted_images", "I01_01_5.bmp"), ("reference_images", "I25.BMP")):
        (archive / folder / name).write_bytes(BMP)
    assert problems(archive) == [
        "reference_images: only one expected of: I25.BMP, i25.bmp",
        "distorted_images: only one expected of: I01_01_5.bmp, i01_01_5.bmp",
    ]
    splits = {"train": [1], "val": [2], "test": []}
    assert len(load(archive, types=[2], splits=splits)["train"]) == 1


def test_hidden_files_do_not_collide(archive):
    (archive / "distorted_images" / "._i01_01_5.bmp").write_bytes(b"AppleDouble")
    assert len(load(archive)["train"]) == 360


def test_a_folder_in_place_of_files(archive):
    for path in (archive / "reference_images").iterdir():
        path.unlink()
    (archive / "reference_images").rmdir()
    (archive / "reference_images").touch()
    with pytest.raises(DataError, match=r"reference_images: expected a folder. Received: a file"):
        load(archive)


def rename_folders(root, reference, distorted):
    (root / "reference_images").rename(root / reference)
    (root / "distorted_images").rename(root / distorted)


def test_folders_of_any_case(archive):
    rename_folders(archive, "Reference_Images", "DISTORTED_IMAGES")
    pair = load(archive)["val"][0]
    assert pairs.read(pair)[0].shape == (4, 4, 3)
    assert pair.distorted.parent == archive / "DISTORTED_IMAGES"
    assert pair.reference.parent == archive / "Reference_Images"


def test_folders_that_differ_in_case_only(archive):
    (archive / "Reference_Images").mkdir()
    with pytest.raises(DataError) as caught:
        load(archive)
    assert str(caught.value) == (
        f"{archive}: only one expected of: Reference_Images, reference_images"
    )


@pytest.mark.parametrize("inside", [".", "Distorted_Images", "REFERENCE_IMAGES"])
def test_root_one_folder_off_is_put_right_whatever_the_case(archive, inside):
    rename_folders(archive, "REFERENCE_IMAGES", "Distorted_Images")
    wrong = archive.parent if inside == "." else archive / inside
    with pytest.raises(DataError, match=re.escape(f"Did you mean '{archive}'?")):
        load(wrong)


@pytest.mark.parametrize("inside", [".", "distorted_images", "reference_images"])
def test_root_one_folder_off_is_put_right(archive, inside):
    wrong = archive.parent if inside == "." else archive / inside
    with pytest.raises(DataError) as caught:
        load(wrong)
    message = str(caught.value)
    assert message.startswith(f"{wrong}: expected reference_images and distorted_images")
    assert message.endswith(f"Did you mean '{archive}'?")


def test_half_a_root_names_the_other_half(tmp_path):
    (tmp_path / "reference_images").mkdir()
    with pytest.raises(DataError, match="expected distorted_images in it"):
        load(tmp_path)


def test_no_root_says_how_to_get_the_data():
    with pytest.raises(DataError) as caught:
        tid2013.load()
    message = str(caught.value)
    for words in (
        "ponomarenko.info",
        "unrar x",
        "--data FOLDER",
        "TIDENHANCE_DATA",
        "tidenhance data synth --references FOLDER|sample --out",
    ):
        assert words in message


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_a_root_that_is_not_there_says_how_to_get_the_data(tmp_path, kind):
    root = tmp_path / "there"
    if kind == "file":
        root.touch()
    with pytest.raises(DataError, match=r"ponomarenko\.info") as caught:
        load(root)
    expected = "no such folder" if kind == "absent" else "expected a folder. Received: a file"
    assert f"{root}: {expected}" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"splits": {"train": [1, 2], "val": [2, 3], "test": []}}, "twice: i02"),
        ({"splits": {"val": [1, 16]}}, "twice: i01, i16"),
        ({"splits": {"train": [3, 3], "val": [4], "test": []}}, "twice: i03"),
        ({"splits": {"train": [0]}}, "greater than or equal to 1"),
        ({"splits": {"train": [26]}}, "less than or equal to 25"),
        ({"splits": {"training": [1]}}, "Extra inputs"),
        ({"levels": [6]}, "less than or equal to 5"),
        ({"levels": []}, "at least 1 item"),
        ({"types": [25]}, "less than or equal to 24"),
        ({"types": ["jpeg"]}, "valid integer"),
    ],
)
def test_wrong_options_are_refused(archive, options, message):
    with pytest.raises(ValidationError, match=message):
        load(archive, **options)


def test_overlap_is_a_mistake_in_the_config():
    path = configs.find("plain128")
    with pytest.raises(ConfigError) as caught:
        configs.load(path, ["data.splits.val=[15, 21]"])
    assert re.search(r"data\.splits: .*twice: i15", str(caught.value))
