from __future__ import annotations

import pytest

from taskspace.prompting.soft import same_backbone


@pytest.mark.parametrize(("one", "other", "same"), [
    (("t5-base", ""), ("google-t5/t5-base", ""), True), (("t5-base", ""), ("t5-small", ""), False),
    (("t5-base", ""), ("/models/T5-base/", "x"), True), (("a", "x"), ("b", "x"), True), (("a", "x"), ("a", "y"), False),
])  # fmt: skip
def test_tables_then_names(backbone_of, one, other, same):
    one, other = (backbone_of(name=name, table=table) for name, table in (one, other))
    assert same_backbone(one, other) == same_backbone(other, one) == same
    assert same_backbone(None, one)
    assert same_backbone(one, None)


def test_soft_prompts_need_no_torch(elsewhere):
    """Reading, adding, saving: what torch is not asked for does not bring it in."""
    script = """
import sys, tempfile, numpy as np
import taskspace.prompting.soft as soft
v = soft.SoftPrompt(np.ones((2, 3)), name="p", init=np.zeros((2, 3)), tasks=("a",)).vector
prompt = (2 * v).apply(np.zeros((2, 3)))
with tempfile.TemporaryDirectory() as folder:
    again = soft.read_prompt(prompt.save(folder + "/p"))
assert (again.tokens == 2).all()
print(sorted({"torch", "scipy", "transformers", "peft", "pandas"} & set(sys.modules)))
"""
    assert elsewhere(script) == "[]"
