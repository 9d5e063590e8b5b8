"""Noisy digits: the manual's noise by its own figures, splits, and files that are not MNIST."""

import sys
import tracemalloc
import zipfile

import keras
import numpy as np
import pytest

from tidenhance import config
from tidenhance.data import pairs
from tidenhance.data.datasets import mnist_noise
from tidenhance.errors import ConfigError, DataError

# Half of it is 500,000 values; bounds below are 5 standard errors of a mean, or of a variance.
MANY = (1000, 25, 40)


def load(**options):
    """Load with options checked as those in a config."""
    return mnist_noise.load(**config.checked("data.datasets", "mnist_noise", options, "here"))


def noise(value, level, **options):
    """Return the noise of a constant picture on the scale of 0 to 255: of each half its own."""
    clean = np.full(MANY, value, np.uint8)
    found = 255 * mnist_noise.noised(clean, level, [1], **options).astype(float) - value
    return np.split(found, 2)


def arrays(train=7, test=11):
    """Return MNIST's arrays, a few pictures each of which tells its place by its value."""
    values = np.arange(train + test)
    pictures = np.repeat(values, 28 * 28).reshape(-1, 28, 28).astype(np.uint8)
    labels = (values % 10).astype(np.uint8)
    return {
        "x_train": pictures[:train],
        "y_train": labels[:train],
        "x_test": pictures[train:],
        "y_test": labels[train:],
    }


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez_compressed(path, **arrays())
    return path


@pytest.mark.parametrize(("level", "mean", "variance"), [(1, -5.9, 35), (2, -20, 600)])
def test_the_first_half_has_the_manuals_gaussian_noise(level, mean, variance):
    additive, _ = noise(100, level)
    count = additive.size
    assert additive.mean() == pytest.approx(mean, abs=5 * (variance / count) ** 0.5)
    assert additive.var() == pytest.approx(variance, abs=5 * variance * (2 / count) ** 0.5)
    # The share within one standard deviation of the mean is a Gaussian's, 68.27 %.
    share = (np.abs(additive - mean) < variance**0.5).mean()
    assert share == pytest.approx(0.6827, abs=5 * 0.466 / count**0.5)


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("value", [0, 1, 50, 200])
def test_the_second_half_has_speckle_in_proportion_to_the_value(level, value):
    _, speckle = noise(value, level)
    assert speckle.mean() == pytest.approx(0, abs=5 * value / speckle.size**0.5)
    assert speckle.std() == pytest.approx(value, abs=5 * value * (0.5 / speckle.size) ** 0.5)


def test_both_levels_have_the_same_normal_numbers():
    mild, speckle = noise(90, 1)
    coarse, same = noise(90, 2)
    np.testing.assert_allclose((mild + 5.9) / 35**0.5, (coarse + 20) / 600**0.5, atol=1e-4)
    np.testing.assert_array_equal(speckle, same)


@pytest.mark.parametrize("at_once", [2, 4096])
@pytest.mark.parametrize(("count", "additive"), [(1, 1), (2, 1), (5, 3), (6, 3)])
def test_the_first_half_holds_the_odd_one(monkeypatch, count, additive, at_once):
    monkeypatch.setattr(mnist_noise, "_AT_ONCE", at_once)
    black = np.zeros((count, 28, 28), np.uint8)
    is_noisy = mnist_noise.noised(black, 2, [1]).any(axis=(1, 2, 3))
    assert is_noisy.tolist() == [True] * additive + [False] * (count - additive)


def test_pairs_are_noisy_and_clean_digits():
    found = load(source="digits")
    assert {split: len(some) for split, some in found.items()} == {
        # Of 1,797, 71 times 25 and 22.
        "train": 71 * 20 + 20,
        "val": 71 + 1,
        "test": 71 * 4 + 1,
    }
    for some in found.values():
        for pair in some:
            distorted, reference = pairs.read(pair)
            assert distorted.shape == reference.shape == (28, 28, 1)
            assert (distorted.dtype, reference.dtype) == (np.float16, np.uint8)
        noisy = np.stack([pair.distorted for pair in some])
        assert noisy.min() < 0
        assert noisy.max() > 1
        assert np.isfinite(noisy).all()
        assert max(pair.reference.max() for pair in some) == 255
        assert {pair.reference_name for pair in some} == {f"digit {n}" for n in range(10)}
        half = (len(some) + 1) // 2
        assert [pair.type for pair in some] == [1] * half + [19] * (len(some) - half)
        assert {pair.level for pair in some} == {2}
    everything = [pair for some in found.values() for pair in some]
    assert len({pair.name for pair in everything}) == 1797


def test_digits_are_scikit_learns_in_order():
    datasets = pytest.importorskip("sklearn.datasets")
    small, labels = datasets.load_digits(return_X_y=True)
    found = load(source="digits")
    place = {"train": list(range(20)), "val": [20], "test": list(range(21, 25))}
    for split, some in found.items():
        own = [n for n in range(1797) if n % 25 in place[split]]
        assert [pair.reference_name for pair in some] == [f"digit {labels[n]}" for n in own]
        # Brightness survives the scaling, which overshoots 0 and 16 where digits end.
        means = [pair.reference.mean() / 255 for pair in some]
        np.testing.assert_allclose(means, small[own].mean(axis=1) / 16, atol=0.02)


def test_of_the_test_set_every_fifth_is_validated_on(file):
    found = load(root=str(file))
    values = {split: [int(p.reference[0, 0, 0]) for p in some] for split, some in found.items()}
    assert values == {
        "train": [0, 1, 2, 3, 4, 5, 6],
        "val": [7, 12, 17],
        "test": [8, 9, 10, 11, 13, 14, 15, 16],
    }
    for some in found.values():
        for pair in some:
            assert (pair.reference == pair.reference[0, 0, 0]).all()
            assert pair.reference_name == f"digit {pair.reference[0, 0, 0] % 10}"


def test_the_folder_stands_for_its_file(file):
    one, other = (load(root=str(root)) for root in (file, file.parent))
    assert_same(one, other)


def assert_same(one, other):
    for split, some in one.items():
        for pair, same in zip(some, other[split], strict=True):
            assert pair.name == same.name
            np.testing.assert_array_equal(pair.distorted, same.distorted)
            np.testing.assert_array_equal(pair.reference, same.reference)


def test_the_noise_follows_from_the_seed(file):
    first = load(root=str(file), seed=3)
    assert_same(first, load(root=str(file), seed=3))
    other = load(root=str(file), seed=4)
    for split in ("train", "val", "test"):
        assert not np.array_equal(first[split][0].distorted, other[split][0].distorted)
        np.testing.assert_array_equal(first[split][0].reference, other[split][0].reference)


def test_splits_have_noise_of_their_own():
    """The first black pixel of each split, which tells the first normal number."""
    first = [some[0] for some in load(source="digits", dtype="float32").values()]
    corners = [float(pair.distorted[pair.reference == 0][0]) for pair in first]
    assert len(set(corners)) == 3


def test_of_several_levels_each_has_all_pictures(file):
    found = load(root=str(file), levels=[2, 1, 2])
    assert [len(some) for some in found.values()] == [14, 6, 16]
    for some in found.values():
        assert len({pair.name for pair in some}) == len(some)
        mild, coarse = some[: len(some) // 2], some[len(some) // 2 :]
        assert {pair.level for pair in mild} == {1}
        assert {pair.level for pair in coarse} == {2}
        for pair, same in zip(mild, coarse, strict=True):
            np.testing.assert_array_equal(pair.reference, same.reference)
            assert pair.type == same.type
            assert np.array_equal(pair.distorted, same.distorted) == (pair.type == 19)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_noisy_pictures_have_the_type_that_was_asked_for(file, dtype):
    found = load(root=str(file), dtype=dtype)
    assert {pair.distorted.dtype for some in found.values() for pair in some} == {np.dtype(dtype)}


def test_float16_is_the_rounded_float32():
    clean = np.full((4, 28, 28), 200, np.uint8)
    exact, rounded = (mnist_noise.noised(clean, 2, [1], dtype) for dtype in ("float32", "float16"))
    np.testing.assert_array_equal(exact.astype(np.float16), rounded)


@pytest.mark.parametrize(
    "options",
    [{"levels": [3]}, {"levels": []}, {"source": "MNIST"}, {"seed": -1}, {"dtype": "float64"}],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ConfigError):
        load(**options)


def test_twenty_thousand_pictures_take_less_memory_than_one_array_of_them_in_float64(tmp_path):
    images, labels = np.zeros((20_000, 28, 28), np.uint8), np.zeros(20_000, np.uint8)
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images[:5], y_test=labels[:5])
    tracemalloc.start()
    try:
        found = load(root=str(path))
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found["train"]) == 20_000
    values = images.size
    assert held < 1.5 * (2 + 1) * values  # float16 and uint8
    assert peak < 8 * values


def damaged(**changes):
    def write(path):
        np.savez(path, **{k: v for k, v in (arrays() | changes).items() if v is not None})

    return write


def overwrite(place, content):
    """Write over the file from a share of its length on."""

    def write(path):
        np.savez_compressed(path, **arrays(), more=np.random.default_rng(0).random(500))
        with path.open("r+b") as stream:
            stream.seek(int(place * path.stat().st_size))
            stream.write(content)

    return write


def truncated(path):
    np.savez_compressed(path, **arrays())
    path.write_bytes(path.read_bytes()[:-100])


def plain_array(path):
    with path.open("wb") as stream:
        np.save(stream, arrays()["x_train"])


def text_in_place_of_an_array(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name in arrays():
            archive.writestr(f"{name}.npy", "no array")


def unbalanced_header(path):
    """A header in which a bracket stays open, on which NumPy's own reader stumbles."""
    np.savez(path, **arrays())
    content = path.read_bytes()
    assert content.count(b"28, 28), }") == 2
    damaged = content.replace(b"28, 28), }", b"28, 28(, }")
    with zipfile.ZipFile(path, "w") as archive:
        start = damaged.index(b"\x93NUMPY")
        archive.writestr("x_train.npy", damaged[start : start + 128 + 7 * 784])


def encrypted(path):
    """Say of each part that it is encrypted, in both of its headers."""
    np.savez(path, **arrays())
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(mark)
        while place >= 0:
            content[place + flags] |= 1
            place = content.find(mark, place + 1)
    path.write_bytes(content)


def other_compression(path):
    """Say that a part is compressed in a way that nobody knows."""
    np.savez(path, **arrays())
    content = bytearray(path.read_bytes())
    for mark, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.find(mark) + method] = 77
    path.write_bytes(content)


IMAGES = arrays()["x_train"]


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(truncated, id="truncated"),
        pytest.param(overwrite(0.5, b"\xff" * 40), id="damaged data"),
        pytest.param(overwrite(0, b"no archive"), id="damaged start"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_text("Some text\n" * 50), id="text"),
        pytest.param(plain_array, id="npy"),
        pytest.param(text_in_place_of_an_array, id="text inside"),
        pytest.param(unbalanced_header, id="unbalanced header"),
        pytest.param(encrypted, id="encrypted"),
        pytest.param(other_compression, id="other compression"),
        pytest.param(damaged(x_train=IMAGES.astype(object)), id="pickled pictures"),
        pytest.param(damaged(y_test=np.array([{}] * 11)), id="pickled labels"),
        pytest.param(damaged(x_test=None), id="missing pictures"),
        pytest.param(damaged(y_train=None), id="missing labels"),
        pytest.param(damaged(x_train=IMAGES / 255), id="floats"),
        pytest.param(damaged(x_train=IMAGES[:, :27]), id="27 rows"),
        pytest.param(damaged(x_train=IMAGES[..., np.newaxis]), id="channels"),
        pytest.param(damaged(x_train=IMAGES[:3]), id="fewer pictures than labels"),
        pytest.param(damaged(x_train=IMAGES[:0], y_train=np.zeros(0)), id="no pictures"),
        pytest.param(damaged(y_train=np.array(5)), id="one label for all"),
        pytest.param(damaged(y_train=np.full(7, "seven")), id="labels in words"),
        pytest.param(damaged(y_train=np.full(7, np.nan)), id="labels not numbers"),
        pytest.param(damaged(y_train=np.zeros((7, 10))), id="labels one-hot"),
    ],
)
def test_a_file_that_is_not_mnist_is_one_clear_error(tmp_path, write):
    path = tmp_path / "mine.npz"
    write(path)
    with pytest.raises(DataError) as caught:
        load(root=str(path))
    message = str(caught.value)
    assert message.startswith(f"{path}: not MNIST: ")
    assert message.isprintable()


def test_what_was_expected_and_received_is_told(tmp_path):
    damaged(x_test=IMAGES[:, :27])(tmp_path / "mnist.npz")
    with pytest.raises(DataError, match=r"x_test as uint8 \(N, 28, 28\).*Received: uint8 \(7, 27"):
        load(root=str(tmp_path))


def test_a_missing_file_suggests_its_neighbour_and_says_where_mnist_is(file):
    with pytest.raises(DataError) as caught:
        load(root=str(file.with_name("mnits.npz")))
    first, *rest = str(caught.value).splitlines()
    assert first == f"{file.parent}/mnits.npz: no such file. Did you mean 'mnist.npz'?"
    assert "keras.datasets.mnist.load_data()" in "\n".join(rest)
    assert "data.source=digits" in "\n".join(rest)


def test_a_name_that_no_file_can_have(tmp_path):
    with pytest.raises(DataError, match="nnn"):
        load(root=str(tmp_path / ("n" * 300)))


def test_without_a_root_keras_gets_the_file_and_leaves_the_standard_output(monkeypatch, capsys):
    found = arrays()

    def download():
        sys.stdout.write("Downloading data from https://x\n")
        return (found["x_train"], found["y_train"]), (found["x_test"], found["y_test"])

    monkeypatch.setattr(keras.datasets.mnist, "load_data", download)
    assert [len(some) for some in load().values()] == [7, 3, 8]
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "Downloading data from https://x\n")


def test_without_a_network_it_is_told_how_to_get_the_file(monkeypatch):
    def fail():
        raise Exception(
            "URL fetch failure on https://x/mnist.npz: None -- [Errno -2] Name\nnot known"
        )

    monkeypatch.setattr(keras.datasets.mnist, "load_data", fail)
    with pytest.raises(DataError) as caught:
        load()
    first, *rest = str(caught.value).splitlines()
    assert first.startswith("MNIST cannot be had: URL fetch failure on https://x/mnist.npz")
    assert any("--data mnist.npz" in line for line in rest)


def test_without_scikit_learn_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(DataError, match=r"pip install 'tidenhance\[digits\]'"):
        load(source="digits")
