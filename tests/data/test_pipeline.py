import itertools
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from tidenhance import images
from tidenhance.config import Augmentation
from tidenhance.data import pipeline
from tidenhance.data.pairs import Pair
from tidenhance.data.pipeline import training, validation
from tidenhance.errors import DataError, ImageError

HEIGHT, WIDTH = 24, 32
OFFSET = np.array([0, 0, 100])  # of the reference's values


def write_pair(folder, number, height=HEIGHT, width=WIDTH):
    """Write a pair whose pixels tell their place: column, row, and number of pair and picture."""
    row, column = np.mgrid[:height, :width]
    paths = []
    for kind, offset in (("distorted", 0), ("reference", OFFSET)):
        pixels = np.stack([column, row, np.full_like(row, number)], axis=-1) + offset
        paths.append(folder / f"{kind}{number}.bmp")
        Image.fromarray(pixels.astype(np.uint8)).save(paths[-1])
    return Pair(f"pair{number}", *paths, reference_name=f"reference{number}")


@pytest.fixture
def pairs(tmp_path):
    return [write_pair(tmp_path, number) for number in range(7)]


def train(pairs, *, epochs=1, first_batch=0, **options):
    """Return passes of batches of two pictures, each (B, H, W, 3) of 8-bit values."""
    augmentation = Augmentation(
        **{name: options.pop(name, False) for name in Augmentation.model_fields}
    )
    options = {"batch_size": 3, "patch_size": 8, "seed": 1, "cache_gib": 1} | options
    options["augmentation"] = augmentation
    per_epoch = -(-len(pairs) // options["batch_size"])
    batches = training(pairs, **options)(first_batch).take(per_epoch * epochs)
    batches = [
        tuple(np.rint(255 * picture).astype(int) for picture in batch)
        for batch in batches.as_numpy_iterator()
    ]
    return [batches[n : n + per_epoch] for n in range(0, len(batches), per_epoch)]


def examples(epoch):
    """Return an epoch's (distorted, reference) couples, each (H, W, 3)."""
    return [couple for batch in epoch for couple in zip(*batch, strict=True)]


def order(epoch):
    return [distorted[0, 0, 2] for distorted, _ in examples(epoch)]


def corners(epoch):
    """Return number: (top, left) of each pair's patch."""
    return {d[0, 0, 2]: (d[0, 0, 1], d[0, 0, 0]) for d, _ in examples(epoch)}


def assert_equal(some, others):
    for batch, other in zip(some, others, strict=True):
        for picture, other_picture in zip(batch, other, strict=True):
            np.testing.assert_array_equal(picture, other_picture)


def test_both_pictures_of_a_pair_have_the_same_patch(pairs):
    for distorted, reference in examples(train(pairs)[0]):
        np.testing.assert_array_equal(distorted + OFFSET, reference)
        row, column = np.mgrid[:8, :8]
        np.testing.assert_array_equal(distorted[..., 0] - distorted[0, 0, 0], column)
        np.testing.assert_array_equal(distorted[..., 1] - distorted[0, 0, 1], row)


@pytest.mark.parametrize("options", [{"flips": True}, {"rotations": True}])
def test_both_pictures_are_turned_alike(pairs, options):
    for distorted, reference in itertools.chain(*map(examples, train(pairs, epochs=3, **options))):
        np.testing.assert_array_equal(distorted + OFFSET, reference)


def test_flips_happen_in_both_directions(pairs):
    seen = Counter()
    for distorted, _ in itertools.chain(*map(examples, train(pairs, epochs=30, flips=True))):
        down = int(distorted[1, 0, 1] - distorted[0, 0, 1])
        right = int(distorted[0, 1, 0] - distorted[0, 0, 0])
        seen[down, right] += 1
    assert set(seen) == set(itertools.product((-1, 1), repeat=2))
    # 210 draws with probability 1/4 each: 52.5 expected, standard deviation 6.3.
    assert min(seen.values()) > 25


def test_rotations_happen_by_all_four_quarters(pairs):
    seen = Counter()
    for distorted, _ in itertools.chain(*map(examples, train(pairs, epochs=30, rotations=True))):
        down, right = distorted[1, 0] - distorted[0, 0], distorted[0, 1] - distorted[0, 0]
        seen[tuple(down[:2].tolist()), tuple(right[:2].tolist())] += 1
    # (column, row) steps when going down and when going right: turns, never mirror images.
    assert set(seen) == {
        ((0, 1), (1, 0)),
        ((1, 0), (0, -1)),
        ((0, -1), (-1, 0)),
        ((-1, 0), (0, 1)),
    }
    assert min(seen.values()) > 25


def test_channels_are_permuted_in_all_orders_and_both_pictures_alike(pairs):
    seen = Counter()
    for plain, permuted in zip(
        train(pairs, epochs=30), train(pairs, epochs=30, rgb_permutation=True), strict=True
    ):
        for before, after in zip(examples(plain), examples(permuted), strict=True):
            [order] = [
                order
                for order in itertools.permutations(range(3))
                if all(
                    np.array_equal(one[..., order], other)
                    for one, other in zip(before, after, strict=True)
                )
            ]
            seen[order] += 1
    assert len(seen) == 6
    # 210 draws with probability 1/6 each: 35 expected, standard deviation 5.4.
    assert min(seen.values()) > 12


def test_every_pair_once_an_epoch_and_the_last_batch_smaller(pairs):
    for epoch in train(pairs, epochs=3):
        assert [len(distorted) for distorted, _ in epoch] == [3, 3, 1]
        assert sorted(order(epoch)) == list(range(7))


def test_order_and_crops_change_from_epoch_to_epoch(pairs):
    first, second, third = train(pairs, epochs=3)
    assert len({tuple(order(epoch)) for epoch in (first, second, third)}) == 3
    assert corners(first) != corners(second) != corners(third)


def test_crops_reach_every_place(tmp_path):
    pairs = [write_pair(tmp_path, 0, height=10, width=9)]
    epochs = train(pairs, epochs=100, patch_size=8)
    assert {corners(epoch)[0] for epoch in epochs} == set(itertools.product(range(3), range(2)))


def test_seed_decides(pairs):
    assert_equal(train(pairs, seed=4)[0], train(pairs, seed=4)[0])
    assert order(train(pairs, seed=4)[0]) != order(train(pairs, seed=5)[0])
    assert corners(train(pairs, seed=4)[0]) != corners(train(pairs, seed=5)[0])


def test_a_later_start_goes_on_as_an_uninterrupted_run(pairs):
    options = {"flips": True, "rotations": True}
    whole = train(pairs, epochs=5, **options)
    rest = train(pairs, epochs=3, first_batch=6, **options)
    for epoch, same in zip(whole[2:], rest, strict=True):
        assert_equal(epoch, same)
    within = train(pairs, first_batch=4, **options)
    assert_equal([*whole[1][1:], whole[2][0]], within[0])


def test_the_pairs_of_a_batch_can_be_told(pairs):
    batches = list(itertools.chain(*train(pairs, epochs=2)))
    for number, (distorted, _) in enumerate(batches):
        told = pipeline.batch(number, pairs=7, batch_size=3, seed=1)
        assert told[0] == number // 3
        assert told[1].tolist() == distorted[:, 0, 0, 2].tolist()


def test_crops_do_not_depend_on_the_batch_size(pairs):
    small, large = (train(pairs, batch_size=size)[0] for size in (1, 7))
    assert order(small) == order(large)
    assert corners(small) == corners(large)


def test_whole_pictures(pairs):
    distorted, reference = train(pairs, patch_size=None, batch_size=7)[0][0]
    assert distorted.shape == reference.shape == (7, HEIGHT, WIDTH, 3)
    assert sorted(distorted[:, 0, 0, 2]) == list(range(7))


@pytest.mark.parametrize("feed", ["training", "validation"])
def test_values_are_float32_and_exact(tmp_path, feed):
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(np.stack([values, values.T, values[::-1]], axis=-1)).save(tmp_path / "a.bmp")
    pair = Pair("a", tmp_path / "a.bmp", tmp_path / "a.bmp", "a")
    options = {"batch_size": 1, "patch_size": None, "cache_gib": 1}
    if feed == "training":
        batches = training([pair], seed=1, **options)(0)
    else:
        batches = validation([pair], **options)(0)
    distorted, reference = next(batches.as_numpy_iterator())
    assert distorted.dtype == reference.dtype == np.float32
    expected = (values / 255.0).astype(np.float32)
    np.testing.assert_array_equal(distorted[0, ..., 0], expected)
    np.testing.assert_array_equal(reference[0, ..., 1], expected.T)


def test_validation_is_complete_in_order_and_central(pairs):
    batches = validation(pairs, batch_size=3, patch_size=8, cache_gib=1)(0)
    passes = [
        [
            tuple(np.rint(255 * p).astype(int) for p in batch)
            for batch in batches.as_numpy_iterator()
        ]
        for _ in range(2)
    ]
    assert_equal(*passes)
    assert [len(distorted) for distorted, _ in passes[0]] == [3, 3, 1]
    assert order(passes[0]) == list(range(7))
    assert set(corners(passes[0]).values()) == {((HEIGHT - 8) // 2, (WIDTH - 8) // 2)}
    for distorted, reference in examples(passes[0]):
        np.testing.assert_array_equal(distorted + OFFSET, reference)


def test_random_crops_are_new_for_each_validation_and_follow_from_its_number(pairs):
    def crops(number, seed=1):
        batches = validation(
            pairs, batch_size=3, patch_size=8, random_crops=True, seed=seed, cache_gib=1
        )
        return [
            tuple(np.rint(255 * p).astype(int) for p in batch)
            for batch in batches(number).as_numpy_iterator()
        ]

    first = crops(0)
    assert order(first) == list(range(7))
    assert len(set(corners(first).values())) > 1
    for distorted, reference in examples(first):
        np.testing.assert_array_equal(distorted + OFFSET, reference)
    assert_equal(first, crops(0))
    assert corners(first) != corners(crops(1))
    assert corners(first) != corners(crops(0, seed=2))


def test_validation_counts_its_batches(pairs):
    batches = validation(pairs, batch_size=3, patch_size=None, cache_gib=1)(0)
    assert int(batches.cardinality()) == 3
    assert next(batches.as_numpy_iterator())[0].shape == (3, HEIGHT, WIDTH, 3)


@pytest.fixture
def reads(monkeypatch):
    """Count how often each file is decoded."""
    counts = Counter()
    read_rgb = images.read_rgb

    def counted(path):
        counts[path.name] += 1
        return read_rgb(path)

    monkeypatch.setattr(images, "read_rgb", counted)
    return counts


ALL_BYTES = 14 * HEIGHT * WIDTH * 3


def test_files_are_decoded_once_where_they_fit(pairs, reads):
    train(pairs, epochs=3, cache_gib=ALL_BYTES / 2**30)
    assert len(reads) == 14
    assert set(reads.values()) == {1}


@pytest.mark.parametrize(("fit", "size"), [(0, 0), (13, ALL_BYTES - 1)])
def test_files_that_do_not_fit_are_decoded_each_time(pairs, reads, fit, size):
    epochs = train(pairs, epochs=3, cache_gib=size / 2**30)
    times = sorted(reads.values())
    assert times[:fit] == [1] * fit
    assert min(times[fit:]) >= 1 + 3
    for again, epoch in zip(train(pairs, epochs=3, cache_gib=1), epochs, strict=True):
        assert_equal(epoch, again)


def test_a_shared_reference_counts_once(pairs, reads):
    shared = [Pair(p.name, p.distorted, pairs[0].reference, pairs[0].reference_name) for p in pairs]
    train(shared, epochs=2, cache_gib=8 * HEIGHT * WIDTH * 3 / 2**30)
    assert len(reads) == 8
    assert set(reads.values()) == {1}


OPTIONS = {"batch_size": 2, "patch_size": None, "cache_gib": 1}


def refusal(pairs, **options):
    """Return the message with which both feeds refuse, before any batch."""
    messages = set()
    for feed in (
        lambda **o: training(pairs, seed=1, **o),
        lambda **o: validation(pairs, **o)(0),
    ):
        with pytest.raises((DataError, ImageError)) as caught:
            feed(**OPTIONS | options)
        messages.add(str(caught.value))
    (message,) = messages
    return message


@pytest.mark.parametrize("cache_gib", [0, 1])
def test_a_damaged_file_is_found_before_the_first_batch(pairs, cache_gib):
    path = pairs[-1].distorted
    path.write_bytes(path.read_bytes()[:-1000])
    message = refusal(pairs, cache_gib=cache_gib)
    assert str(path) in message
    assert "truncated" in message


def test_refuses_pictures_smaller_than_the_patch(pairs):
    message = refusal(pairs, patch_size=25)
    assert f"{pairs[0].distorted}: expected at least the patch, 25 x 25" in message
    assert "Received: 32 x 24" in message


def test_refuses_whole_pictures_smaller_than_a_metric_needs(tmp_path, pairs):
    pairs.append(write_pair(tmp_path, 9, height=20))
    message = refusal(pairs, batch_size=1, minimum=(24, "metrics: ms_ssim"))
    assert f"{pairs[-1].distorted}: expected at least 24 x 24 for metrics: ms_ssim." in message
    assert "Received: 32 x 20" in message
    train(pairs, batch_size=1, patch_size=8, minimum=(24, "metrics: ms_ssim"))


def test_refuses_batches_of_whole_pictures_of_several_sizes(tmp_path, pairs):
    pairs.append(write_pair(tmp_path, 9, height=32, width=24))
    message = refusal(pairs)
    assert f"{pairs[-1].distorted}: expected 32 x 24 like the others, or batch_size 1" in message
    assert "Received: 24 x 32" in message
    batches = validation(pairs, batch_size=1, patch_size=None, cache_gib=1)(0)
    shapes = {distorted.shape for distorted, _ in batches.as_numpy_iterator()}
    assert shapes == {(1, 24, 32, 3), (1, 32, 24, 3)}
    assert sorted(order(train(pairs, patch_size=24)[0])) == [0, 1, 2, 3, 4, 5, 6, 9]


def test_refuses_whole_pictures_that_the_network_cannot_take(pairs):
    message = refusal(pairs, size_multiple=16)
    assert f"{pairs[0].distorted}: expected multiples of 16" in message
    validation(pairs, **OPTIONS, size_multiple=8)
    # A patch is checked with the config, whatever the picture's size.
    validation(pairs, batch_size=2, patch_size=16, cache_gib=1, size_multiple=16)


def test_refuses_batches_of_turned_whole_pictures(pairs):
    with pytest.raises(DataError, match="rotations are on"):
        training(pairs, seed=1, augmentation=Augmentation(rotations=True), **OPTIONS)
    epoch = train(pairs, rotations=True, patch_size=None, batch_size=1)[0]
    assert {d.shape for d, _ in examples(epoch)} <= {(24, 32, 3), (32, 24, 3)}


def test_refuses_a_pair_of_two_sizes(tmp_path, pairs):
    Image.new("RGB", (WIDTH, HEIGHT + 1)).save(pairs[2].reference)
    assert str(pairs[2].distorted) in refusal(pairs)


def in_memory(number, height=6, width=6, channels=1, dtype=np.float16):
    """A pair of pictures in memory: noise that leaves the range, and a constant, its number."""
    noisy = np.random.default_rng(number).normal(0.5, 1, (height, width, channels)).astype(dtype)
    clean = np.full((height, width, channels), number, np.uint8)
    return Pair(f"noisy{number}", noisy, clean, reference_name=f"digit {number}")


def either(feed, pairs, **options):
    """Return a feed of one pass over pairs, in an order that the references tell."""
    options = {"batch_size": 2, "patch_size": None, "cache_gib": 0} | options
    if feed == "validation":
        return validation(pairs, **options)(0)
    count = -(-len(pairs) // options["batch_size"])
    return training(pairs, seed=1, **options)(0).take(count)


@pytest.mark.parametrize("feed", ["training", "validation"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_in_memory_come_as_float32_and_not_clipped(feed, dtype, channels):
    pairs = [in_memory(number, channels=channels, dtype=dtype) for number in range(5)]
    batches = either(feed, pairs)
    spec = (None, 6, 6, channels)
    assert [x.shape.as_list() for x in batches.element_spec] == [list(spec)] * 2
    seen = []
    for batch in batches.as_numpy_iterator():
        for distorted, reference in zip(*batch, strict=True):
            assert distorted.dtype == reference.dtype == np.float32
            number = round(float(reference[0, 0, 0]) * 255)
            expected = np.full((6, 6, channels), np.float32(number) / np.float32(255))
            np.testing.assert_array_equal(reference, expected)
            np.testing.assert_array_equal(distorted, pairs[number].distorted.astype(np.float32))
            seen.append(number)
    assert sorted(seen) == list(range(5))
    noisy = np.stack([pair.distorted for pair in pairs])
    assert noisy.min() < -0.5
    assert noisy.max() > 1.5


@pytest.mark.parametrize("feed", ["training", "validation"])
def test_eight_bit_pictures_in_memory_are_as_those_in_files(tmp_path, feed):
    files = [write_pair(tmp_path, number) for number in range(3)]
    loaded = [
        Pair(p.name, images.read_rgb(p.distorted), images.read_rgb(p.reference), p.reference_name)
        for p in files
    ]
    options = {"patch_size": 8}
    found, expected = (
        list(either(feed, pairs, **options).as_numpy_iterator()) for pairs in (loaded, files)
    )
    assert_equal(found, expected)


@pytest.mark.parametrize("feed", ["training", "validation"])
def test_sizes_are_known_before_the_first_batch_where_all_pictures_have_one(feed):
    def shape(pairs, **options):
        specs = either(feed, pairs, **options).element_spec
        assert specs[0].shape.as_list() == specs[1].shape.as_list()
        return specs[0].shape.as_list()

    alike = [in_memory(number, 6, 8) for number in range(3)]
    others = [*alike, in_memory(3, 8, 6)]
    assert shape(alike) == [None, 6, 8, 1]
    assert shape(others, batch_size=1) == [None, None, None, 1]
    assert shape(others, patch_size=4) == [None, 4, 4, 1]


def test_turned_pictures_have_no_size_that_is_known_but_squares_do():
    options = {"batch_size": 1, "augmentation": Augmentation(rotations=True)}
    for side, expected in ((8, [None, None, None, 1]), (6, [None, 6, 6, 1])):
        batches = either("training", [in_memory(n, 6, side) for n in range(8)], **options)
        assert batches.element_spec[0].shape.as_list() == expected
        found = {distorted.shape[1:] for distorted, _ in batches.as_numpy_iterator()}
        assert found == {(6, side, 1), (side, 6, 1)}


def test_grey_pictures_have_no_channels_to_permute():
    with pytest.raises(DataError, match=r"rgb_permutation: expected false.* 1 channel"):
        either(
            "training",
            [in_memory(0)],
            batch_size=1,
            augmentation=Augmentation(rgb_permutation=True),
        )


def test_flips_of_pictures_in_memory_leave_them_as_they_are():
    pairs = [in_memory(number) for number in range(4)]
    before = [pair.distorted.copy() for pair in pairs]
    turned = 0
    for distorted, reference in training(
        pairs,
        seed=1,
        batch_size=1,
        patch_size=None,
        cache_gib=0,
        augmentation=Augmentation(flips=True),
    )(0).take(20):
        number = round(float(reference[0, 0, 0, 0]) * 255)
        turned += not np.array_equal(distorted[0], before[number])
    assert 5 < turned < 20
    for pair, same in zip(pairs, before, strict=True):
        np.testing.assert_array_equal(pair.distorted, same)


def test_pictures_in_memory_do_not_count_as_cached(pairs, reads):
    """Files that just fit still do beside pictures in memory, which are not read anyway."""
    large = [in_memory(number, HEIGHT, WIDTH, channels=3) for number in range(20)]
    train([*pairs, *large], epochs=3, cache_gib=ALL_BYTES / 2**30)
    assert len(reads) == 14
    assert set(reads.values()) == {1}


def test_refusals_name_a_pair_in_memory():
    pairs = [in_memory(number) for number in range(3)]
    assert refusal(pairs, patch_size=7).startswith("noisy0: expected at least the patch, 7 x 7")
    assert refusal(pairs, size_multiple=4).startswith("noisy0: expected multiples of 4")
    message = refusal([*pairs, in_memory(3, 6, 8)])
    assert message.startswith("noisy3: expected 6 x 6 like the others, or batch_size 1")
    assert message.endswith("Received: 8 x 6.")
    pairs[1] = Pair("noisy1", pairs[1].distorted, np.zeros((5, 6, 1), np.uint8), "digit 1")
    assert refusal(pairs).startswith(
        "noisy1: expected the size of its reference digit 1, 6 x 5, grey"
    )
