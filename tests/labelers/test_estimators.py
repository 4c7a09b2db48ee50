from __future__ import annotations

import copy
import pickle

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC, LinearSVC

from taskspace.errors import LabelerError, SettingError
from taskspace.labelers import ask, from_sklearn
from taskspace.labelers.estimators import load_estimator


def as_lengths(texts):
    return np.array([[len(t)] for t in texts])


def test_probabilities_are_those_of_the_pipeline(fitted, pool):
    pipeline = fitted(LogisticRegression())
    inputs, answers = ask(from_sklearn(pipeline, name="lr"), pool)
    assert inputs.pairs == (None,) * 6
    np.testing.assert_allclose(answers.values, pipeline.predict_proba(list(inputs.texts)))
    assert answers.known.all()


@pytest.mark.parametrize("estimator", [SVC(), LinearSVC()])
def test_an_svm_without_probabilities_gives_hard_labels(fitted, single_pool, estimator):
    pipeline = fitted(estimator)
    labeler = from_sklearn(pipeline, name="svm")
    _, answers = ask(labeler, single_pool)
    names = np.array(sorted({"good", "bad", "other"}))
    assert labeler.output == "labels"
    assert names[answers.values.argmax(axis=1)].tolist() == pipeline.predict(single_pool.texts).tolist()
    assert set(np.unique(answers.values)) == {0, 1}


@pytest.mark.parametrize("labels", [[0.5, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6], [[1], [2], [3], [4], [5], [6]]])
def test_a_regressor_gives_numbers_also_where_they_are_whole(fitted, single_pool, labels):
    pipeline = fitted(Ridge(), labels)
    _, answers = ask(from_sklearn(pipeline, name="ridge"), single_pool)
    assert answers.kind == "numbers"
    np.testing.assert_array_equal(answers.values[:, 0], np.ravel(pipeline.predict(single_pool.texts)))


def test_whole_predictions_of_a_regressor_are_still_numbers(single_pool):
    line = make_pipeline(FunctionTransformer(as_lengths), LinearRegression(fit_intercept=False))
    line.fit(["a", "bb", "ccc"], [2, 4, 6])
    line[-1].coef_ = np.array([2.0])
    _, answers = ask(from_sklearn(line, name="line"), single_pool)
    assert answers.kind == "numbers"
    assert answers.values[:, 0].tolist() == [2 * len(t) for t in single_pool.texts]


def test_a_clustering_gives_hard_labels(fitted, single_pool):
    _, answers = ask(from_sklearn(fitted(KMeans(2, n_init=1, random_state=0)), name="k"), single_pool)
    assert answers.values.shape == (6, 2)


def test_one_class_only_is_fine(fitted, single_pool):
    _, answers = ask(from_sklearn(fitted(DummyClassifier(), ["spam"] * 6), name="one"), single_pool)
    assert np.ptp(answers.values, axis=0).max() == 0
    np.testing.assert_array_equal(answers.values.sum(axis=1), 1)


def test_pairs_come_as_two_columns(pool):
    columns = ColumnTransformer([("first", TfidfVectorizer(), 0), ("second", TfidfVectorizer(), 1)])
    rows = [[text, pair] for text, pair in zip(pool.texts, pool.text_pairs, strict=True) if pair]
    pipeline = make_pipeline(columns, LogisticRegression()).fit(rows, ["yes", "no", "yes", "no"])
    inputs, answers = ask(from_sklearn(pipeline, name="nli", reads="pairs"), pool)
    assert len(inputs) == 4
    np.testing.assert_allclose(answers.values, pipeline.predict_proba(rows))
    _, both = ask(from_sklearn(pipeline, name="nli", reads="both"), pool)
    everything = [[text, pair or ""] for text, pair in zip(pool.texts, pool.text_pairs, strict=True)]
    np.testing.assert_allclose(both.values, pipeline.predict_proba(everything))


def test_estimators_that_cannot_serve(fitted, single_pool):
    with pytest.raises(LabelerError, match=r"labeler 'x' \(sklearn.pipeline.Pipeline\) is not fitted"):
        from_sklearn(make_pipeline(TfidfVectorizer(), LogisticRegression()), name="x")
    with pytest.raises(LabelerError, match="is not fitted"):
        from_sklearn(LogisticRegression(), name="x")
    with pytest.raises(LabelerError, match="labeler 'x' is a TfidfVectorizer, not a fitted estimator"):
        from_sklearn(TfidfVectorizer().fit(["some text"]), name="x")
    with pytest.raises(LabelerError, match="is a class LogisticRegression"):
        from_sklearn(LogisticRegression, name="x")
    with pytest.raises(SettingError, match="cannot read 'text'; did you mean 'texts'"):
        from_sklearn(fitted(LogisticRegression()), name="x", reads="text")


def test_one_that_takes_no_raw_texts(single_pool):
    numeric = LogisticRegression().fit([[0.0], [1.0]], ["a", "b"])
    with pytest.raises(LabelerError, match="^labeler 'x' failed on 6 texts .*raw texts.* with ValueError: ") as caught:
        ask(from_sklearn(numeric, name="x"), single_pool)
    assert isinstance(caught.value.__cause__, ValueError)


def test_several_outputs_are_refused(fitted, single_pool):
    two = [["a", "x"], ["b", "y"], ["a", "y"], ["b", "x"], ["a", "x"], ["b", "y"]]
    with pytest.raises(LabelerError, match="answers 2 questions at once"):
        ask(from_sklearn(fitted(MultiOutputClassifier(LogisticRegression()), two), name="x"), single_pool)
    with pytest.raises(LabelerError, match="predicts 2 values per text"):
        ask(from_sklearn(fitted(Ridge(), [[1, 2]] * 6), name="x"), single_pool)


def test_an_estimator_from_elsewhere_needs_only_predict(single_pool):
    class Ours:
        def predict(self, texts):
            return ["film" if "film" in t else "other" for t in texts]

    _, answers = ask(from_sklearn(Ours(), name="ours"), single_pool)
    assert answers.values.argmax(axis=1).tolist() == [0, 0, 1, 1, 1, 1]


MODELS = [
    LogisticRegression(),
    SVC(),
    RandomForestClassifier(5, random_state=0),
    KNeighborsClassifier(2),
    MultinomialNB(),
]

FINGERPRINT = """
import sys, joblib
from taskspace.labelers import from_sklearn
for estimator in joblib.load(sys.argv[1]):
    print(from_sklearn(estimator, name="x").fingerprint)
    estimator.predict(["warm rain"])
    print(from_sklearn(estimator, name="y").fingerprint)
"""


def test_the_fingerprint_is_the_same_in_other_processes_and_after_use(fitted, tmp_path, elsewhere):
    pipelines = [fitted(model) for model in MODELS]
    file = tmp_path / "models.joblib"
    joblib.dump(pipelines, file)
    here = [from_sklearn(pipeline, name="x").fingerprint for pipeline in pipelines]
    assert len(set(here)) == len(MODELS)
    assert elsewhere(FINGERPRINT, str(file), seed="1").split() == [print_ for print_ in here for _ in range(2)]


TRAINING = """
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from taskspace.labelers import from_sklearn
texts = ["warm film", "dull film", "late train", "warm soup"]
pipeline = make_pipeline(TfidfVectorizer(stop_words=["late"]), LogisticRegression()).fit(texts, list("abab"))
print(from_sklearn(pipeline, name="x").fingerprint)
"""


def test_training_again_elsewhere_gives_the_same_fingerprint(elsewhere):
    assert elsewhere(TRAINING, seed="1") == elsewhere(TRAINING, seed="2")


def test_the_fingerprint_tells_fits_and_readings_apart(fitted):
    prints = {
        from_sklearn(fitted(LogisticRegression()), name="x").fingerprint,
        from_sklearn(fitted(LogisticRegression(C=2.0)), name="x").fingerprint,
        from_sklearn(fitted(LogisticRegression(), ["a", "b", "c", "c", "b", "a"]), name="x").fingerprint,
        from_sklearn(fitted(LogisticRegression()), name="x", reads="both").fingerprint,
        from_sklearn(fitted(LogisticRegression(C=2.0)), name="other name").fingerprint,
    }
    assert len(prints) == 4


class TestLoad:
    def test_skops_gives_back_the_estimator(self, fitted, tmp_path):
        pipeline = fitted(LogisticRegression())
        file = tmp_path / "m.skops"
        skops.io.dump(pipeline, file)
        loaded = load_estimator(file)
        np.testing.assert_array_equal(loaded.predict_proba(["warm rain"]), pipeline.predict_proba(["warm rain"]))
        assert from_sklearn(loaded, name="x").fingerprint == from_sklearn(pipeline, name="x").fingerprint

    def test_unknown_types_in_skops_are_listed_and_refused(self, fitted, tmp_path):
        pipeline = make_pipeline(FunctionTransformer(as_lengths), *fitted(LogisticRegression())[1:])
        file = tmp_path / "m.skops"
        skops.io.dump(pipeline, file)
        with pytest.raises(LabelerError, match=r"holds types .*as_lengths.*--trust-pickle"):
            load_estimator(file)

    def test_unknown_types_in_skops_are_read_when_trusted(self, fitted, tmp_path):
        pipeline = make_pipeline(FunctionTransformer(copy.copy), *fitted(LogisticRegression()))
        file = tmp_path / "m.skops"
        skops.io.dump(pipeline, file)
        with pytest.raises(LabelerError, match=r"copy\.copy"):
            load_estimator(file)
        loaded = load_estimator(file, trust_pickle=True)
        assert loaded.predict(["warm rain"]) == pipeline.predict(["warm rain"])

    @pytest.mark.parametrize("ending", [".joblib", ".pkl", ".pickle", ".PKL"])
    def test_pickles_need_trust(self, fitted, tmp_path, ending):
        pipeline = fitted(LogisticRegression())
        file = tmp_path / f"m{ending}"
        file.write_bytes(pickle.dumps(pipeline))
        with pytest.raises(LabelerError, match=r"m\.\w+ is a pickle.*--trust-pickle.*skops"):
            load_estimator(file)
        loaded = load_estimator(file, trust_pickle=True)
        assert loaded.predict(["warm rain"]) == pipeline.predict(["warm rain"])

    def test_refusal_comes_before_any_code_of_the_file_runs(self, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (exec, ("raise SystemExit('boom')",))

        file = tmp_path / "bomb.pkl"
        file.write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(LabelerError, match="is a pickle"):
            load_estimator(file)

    @pytest.mark.parametrize("ending", [".skops", ".joblib", ".pkl"])
    def test_broken_files(self, tmp_path, ending):
        for content in (b"", b"\x00\x01 not a model", b"PK\x03\x04 cut"):
            file = tmp_path / f"m{ending}"
            file.write_bytes(content)
            with pytest.raises(LabelerError, match="cannot be read as an estimator") as caught:
                load_estimator(file, trust_pickle=True)
            assert "\n" not in str(caught.value)

    def test_not_an_estimator(self, tmp_path):
        file = tmp_path / "m.skops"
        skops.io.dump({"a": 1}, file)
        with pytest.raises(LabelerError, match="holds a dict, not an estimator"):
            load_estimator(file)

    def test_missing_and_unknown_files(self, tmp_path):
        with pytest.raises(LabelerError, match="there is no file .*none.skops"):
            load_estimator(tmp_path / "none.skops")
        with pytest.raises(LabelerError, match=r"m\.onnx is not a file of an estimator; \.skops, \.joblib"):
            load_estimator(tmp_path / "m.onnx")
