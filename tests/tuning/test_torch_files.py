from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import MissingExtra, PromptError
from taskspace.tuning._torch_files import read_tensors

torch = pytest.importorskip("torch")


def test_tensors_by_dotted_name(tmp_path):
    content = {
        "a": torch.ones(2),
        "deep": {"b": torch.zeros(1, 2, dtype=torch.bfloat16), "ids": torch.ones(2, dtype=torch.long)},
        "text": "x", "sparse": torch.eye(2).to_sparse(), 3: torch.nn.Parameter(torch.ones(1)),
    }  # fmt: skip
    torch.save(content, tmp_path / "x.pt")
    tensors = read_tensors(tmp_path / "x.pt")
    assert {name: table.shape for name, table in tensors.items()} == {"a": (2,), "deep.b": (1, 2), "3": (1,)}
    assert {table.dtype for table in tensors.values()} == {np.dtype("float32")}


def test_a_bare_view_is_read_as_it_looks(tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    torch.save(whole.T[1:], tmp_path / "x.pt")
    np.testing.assert_array_equal(read_tensors(tmp_path / "x.pt")[""], whole.T[1:].numpy())


def test_a_tensor_that_claims_more_than_there_is_memory(tmp_path, one_sentence):
    """Strides of zero let a few bytes pose as a table of any size."""
    torch.save(torch.ones(1).expand(2**25, 2**25), tmp_path / "x.pt")
    with pytest.raises(PromptError, match="not a whole file") as caught:
        read_tensors(tmp_path / "x.pt")
    assert one_sentence(caught.value)


def test_it_is_loaded_as_weights_only_and_onto_the_cpu(tmp_path, monkeypatch):
    torch.save(torch.ones(2), tmp_path / "x.pt")
    seen = {}
    real = torch.load
    monkeypatch.setattr(torch, "load", lambda path, **how: seen.update(how) or real(path, **how))
    read_tensors(tmp_path / "x.pt")
    assert seen == {"map_location": "cpu", "weights_only": True}


def test_without_torch(tmp_path, monkeypatch):
    import taskspace._extras as extras

    def absent(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(extras, "import_module", absent)
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"taskspace\[embed\]"):
        read_tensors(tmp_path / "x.pt")
