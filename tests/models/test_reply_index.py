"""Where replies are: millions of keys, a few bytes each."""

import pickle

import pytest

from apigen_ray.models import reply_index
from apigen_ray.models.reply_index import ReplyIndex


@pytest.mark.parametrize("recent", [1, 7, 1000])
def test_each_key_has_the_place_that_was_added_last(monkeypatch, recent):
    monkeypatch.setattr(reply_index, "RECENT", recent)
    index = ReplyIndex()
    for number in range(100):
        index.add(f"key-{number}", number)
    for number in range(0, 100, 3):
        index.add(f"key-{number}", (1 << 60) + number)
    found = [index.place(f"key-{number}") for number in range(101)]
    expected = [n if n % 3 else (1 << 60) + n for n in range(100)]
    assert found == [*expected, None]
    assert [index.place(f"key-{number}") for number in range(100)] == expected


def test_keys_can_be_sent_and_know_what_was_there_and_no_more():
    index = ReplyIndex()
    assert "a" not in index.known()
    index.add("a", 1)
    keys = pickle.loads(pickle.dumps(index.known()))
    index.add("b", 2)
    assert len(keys) == 1
    assert "a" in keys
    assert "b" not in keys
    assert "b" in index.known()


def test_a_key_takes_sixteen_bytes_once_it_is_sorted_in():
    index = ReplyIndex()
    for number in range(1000):
        index.add(str(number), number)
    keys = index.known()
    assert keys._hashes.nbytes + index._places.nbytes == 16 * len(keys) == 16_000
    assert not index._recent
