from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from taskspace.labelers.language_models._batches import budgeted, longest_stem, padded, shared_prefix, stems
from taskspace.labelers.language_models._query import Query

LISTS = st.lists(st.integers(0, 2), min_size=1, max_size=6).map(tuple)


def begins(whole, part):
    return whole[: len(part)] == part


def test_the_shared_prefix_leaves_each_context_a_token():
    assert shared_prefix([(1, 2, 3, 4), (1, 2, 5)]) == 2
    assert shared_prefix([(1, 2), (1, 2, 5)]) == 1
    assert shared_prefix([(1, 2), (1, 2)]) == 1
    assert shared_prefix([(1,), (2,)]) == 0


@given(st.lists(LISTS, min_size=1, max_size=5))
def test_the_shared_prefix_is_shared_and_the_longest(contexts):
    length = shared_prefix(contexts)
    assert all(begins(context, contexts[0][:length]) and len(context) > length for context in contexts)
    longer = [context[: length + 1] for context in contexts]
    assert len(set(longer)) > 1 or min(map(len, contexts)) == length + 1


@given(st.lists(st.integers(1, 30), max_size=12), st.integers(1, 60))
def test_batches_keep_to_the_budget(costs, budget):
    batches = list(budgeted(costs, budget))
    assert sorted(item for batch in batches for item in batch) == list(range(len(costs)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(costs[item] for item in batch) <= budget
    heads = [costs[batch[0]] for batch in batches]
    assert heads == sorted(heads)


def test_stems_by_hand():
    answers = ((5, 6, 7, 8), (5, 6), (5,), (5, 6, 9), (11, 12))
    assert dict(stems(answers)) == {(5, 6, 7): (0, 1, 3), (11,): (4,)}
    assert stems(((5,), (6,))) == ()
    assert dict(stems(((5,), (6,)), (0,))) == {(0,): (0, 1)}
    assert longest_stem(Query((1,), answers)) == 3
    assert longest_stem(Query((1,), ())) == 0


@given(st.lists(LISTS, max_size=6).map(tuple), st.sampled_from([(), (7,)]))
def test_each_answer_is_predicted_by_one_stem_and_no_stem_by_another(answers, start):
    found = dict(stems(answers, start))
    served = sorted(number for numbers in found.values() for number in numbers)
    assert served == [number for number, answer in enumerate(answers) if start or len(answer) > 1]
    assert all(begins(stem, start + answers[number][:-1]) for stem, numbers in found.items() for number in numbers)
    assert not any(begins(other, stem) for stem in found for other in found if other != stem)


def test_padding_by_hand():
    ids, mask = padded([(4, 5), (6,)], "right", "cpu")
    assert (ids.tolist(), mask.tolist()) == ([[4, 5], [6, 0]], [[1, 1], [1, 0]])
    ids, mask = padded([(4, 5), (6,)], "left", "cpu")
    assert (ids.tolist(), mask.tolist()) == ([[4, 5], [0, 6]], [[1, 1], [0, 1]])
