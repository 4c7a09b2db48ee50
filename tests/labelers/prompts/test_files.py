import textwrap

import pytest

from taskspace.errors import DataError, SettingError
from taskspace.labelers.prompts import Example, Prompt, builtin_sets, read_prompts

ANSWERS = 'answers = { good = ["fine", "great"], bad = "poor" }\n'
PROMPT = 'name = "a"\ntemplate = "{text}"\n'


@pytest.fixture
def write(tmp_path):
    def write(content, name="mine.toml"):
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())
        return file

    return write


def test_a_file_of_many_prompts(write):
    file = write("""
        model = "some/model"
        base_url = "http://localhost:8000/v1"
        revision = "abc"
        device = "cpu"
        dtype = "float32"
        chat = true
        system = "Be brief."

        [endpoint]
        concurrency = 3

        [answers]
        good = ["fine", "great"]
        bad = "poor"

        [[examples]]
        text = "lovely"
        label = "good"

        [[prompts]]
        name = "first"
        template = "{text}?"

        [[prompts]]
        name = "second"
        template = '''{text}
        Verdict:'''
        chat = false
        words = "max"
        length = "token"
        with_end = true
        reasoning = "Think."
        reasoning_tokens = 9
        conclusion = "So"
        separator = "\\n"
        note = "ambiguous: by way of trial"
        answers = { bad = ["poor"], good = ["fine"] }
        examples = []
    """)
    read = read_prompts(file)
    assert (read.path, read.model, read.base_url) == (file, "some/model", "http://localhost:8000/v1")
    assert (read.revision, read.device, read.dtype, read.endpoint) == ("abc", "cpu", "float32", {"concurrency": 3})
    first, second = read.prompts
    answers = {"good": ("fine", "great"), "bad": ("poor",)}
    assert first == Prompt("first", "{text}?", answers, True, "Be brief.", (Example("lovely", "good"),))
    assert second == Prompt(
        "second", "{text}\nVerdict:", {"bad": ("poor",), "good": ("fine",)}, False, "Be brief.", (), "\n", "Think.", 9,
        "So", True, "max", "token",
    )  # fmt: skip
    assert second.labels == ("bad", "good")
    assert second.note == "ambiguous: by way of trial"
    assert read.named("second") is second


def test_a_file_without_tables_is_one_prompt_called_after_the_file(write):
    read = read_prompts(write(f'template = "{{text}}"\n{ANSWERS}'))
    assert [prompt.name for prompt in read.prompts] == ["mine"]
    assert (read.model, read.base_url, dict(read.endpoint)) == (None, None, {})
    assert read_prompts(write(f"{PROMPT}{ANSWERS}")).prompts[0].name == "a"


def test_a_model_folder_is_found_from_the_file(write, tmp_path):
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    one = f"{PROMPT}{ANSWERS}"
    assert read_prompts(write(f'model = "models/tiny"\n{one}')).model == str(tmp_path / "models" / "tiny")
    assert read_prompts(write(f'model = "models/none"\n{one}')).model == "models/none"
    assert read_prompts(write(f'model = "models/tiny"\nbase_url = "http://x"\n{one}')).model == "models/tiny"


def test_pairs_examples_and_a_byte_order_mark(write):
    read = read_prompts(write(b"\xef\xbb\xbf" + b"""
template = "{text} / {text_pair}"\r
answers = { same = ["yes"], other = ["no"] }\r
[[examples]]\r
text = "a"\r
text_pair = "b"\r
label = "other"\r
"""))  # fmt: skip
    assert read.prompts[0].examples == (Example("a", "other", "b"),)


def test_other_answers_for_the_same_templates(write):
    read = read_prompts(write(f'template = "{{text}}: {{labels}}?"\n{ANSWERS}'))
    other = read.with_answers({"spam": ["junk", "spam"], "ham": "mail"})
    assert other.prompts[0].labels == ("spam", "ham")
    assert other.prompts[0].question("hello") == "hello: junk or mail?"
    assert read.prompts[0].labels == ("good", "bad")


def test_an_unknown_name_suggests_the_nearest(write):
    with pytest.raises(SettingError, match=r"mine\.toml has no prompt 'b'; there is 'a'"):
        read_prompts(write(PROMPT + ANSWERS)).named("b")


MANY = f"{ANSWERS}[[prompts]]\n{PROMPT}"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("template = {text}", r"mine\.toml is not TOML: .*line 1"),
        ("a = 1\na = 2\n", r"mine\.toml is not TOML: .*line 2"),
        (b"template = '\xff'", r"mine\.toml is not UTF-8 text \(byte 12\)"),
        ("", r"mine\.toml, prompt 'mine', has no template"),
        (PROMPT, r"mine\.toml, prompt 'a', has no answers"),
        (ANSWERS, r"prompt 'mine', has no template"),
        (f"{PROMPT}{ANSWERS}tempalte = 'x'", r"prompt 'a', has an unknown key 'tempalte'; did you mean 'template'\?"),
        (f"{PROMPT}{ANSWERS}modle = 'x'", r"unknown key 'modle'; did you mean 'model'\?"),
        (f"{MANY}reasonig = 'x'", r"prompt 'a', has an unknown key 'reasonig'; did you mean 'reasoning'\?"),
        (f"chatt = true\n{MANY}", r"mine\.toml has an unknown key 'chatt'; did you mean 'chat'\?"),
        (f"{MANY}model = 'x'", r"prompt 'a', says model; move it to the top"),
        (f"{MANY}{MANY.removeprefix(ANSWERS)}", r"two prompts named 'a'"),
        (f"name = 'all'\n{MANY}", r"gives a name beside its \[\[prompts\]\]"),
        (f"{MANY}[[prompts]]\ntemplate = '{{text}}'", r"has no name for prompt 2"),
        ("prompts = 'a'", r"says prompts = 'a'"),
        ("prompts = []", r"says prompts = \[\]"),
        (f"{PROMPT}{ANSWERS}chat = 'yes'", r"prompt 'a', says chat = 'yes'; make it true or false"),
        (f"{PROMPT}{ANSWERS}reasoning_tokens = 2.5", r"says reasoning_tokens = 2.5; make it a whole number"),
        (f"{PROMPT}{ANSWERS}reasoning_tokens = true", r"says reasoning_tokens = True; make it a whole number"),
        (f"{PROMPT}{ANSWERS}system = 3", r"prompt 'a', says system = 3; make it a text"),
        (f"name = 3\ntemplate = '{{text}}'\n{ANSWERS}", r"prompt 3, says name = 3; make it a text"),
        (f"model = 3\n{PROMPT}{ANSWERS}", r"mine\.toml says model = 3; make it a text"),
        (f"endpoint = 'x'\n{PROMPT}{ANSWERS}", r"mine\.toml says endpoint = 'x'; make it a table"),
        (f"{PROMPT}answers = ['a', 'b']", r"prompt 'a', says answers = \['a', 'b'\]; make it a table"),
        (f"{PROMPT}answers = {{ a = 1, b = 'x' }}", r"prompt 'a', says answers = .*; make it a table"),
        (f"{PROMPT}{ANSWERS}examples = ['x']", r"says examples = \['x'\]; make it \[\[examples\]\] tables"),
        (f"{PROMPT}{ANSWERS}[[examples]]\ntext = 'x'", r"prompt 'a', example 1, has no label"),
        (f"{PROMPT}{ANSWERS}[[examples]]\ntext = 'x'\nlable = 'good'", r"example 1, has an unknown key 'lable'"),
        (f"{PROMPT}{ANSWERS}[[examples]]\ntext = 1\nlabel = 'good'", r"example 1, says text = 1; make it a text"),
        (
            f"{PROMPT}{ANSWERS}[[examples]]\ntext = 'x'\nlabel = 'fair'",
            r"mine\.toml: prompt 'a' has an example of 'fair'",
        ),
        (f"template = 'x'\n{ANSWERS}", r"mine\.toml: prompt 'mine' has no \{text\}"),
        (f"{PROMPT}answers = {{ good = 'fine' }}", r"mine\.toml: prompt 'a' has 1 labels"),
        (f"{PROMPT}{ANSWERS}words = 'mean'", r"mine\.toml: prompt 'a' says words='mean'"),
    ],
)
def test_a_mistake_is_one_sentence_with_file_prompt_and_key(write, content, says, one_sentence):
    with pytest.raises(DataError, match=says) as caught:
        read_prompts(write(content))
    assert one_sentence(caught.value)


def test_a_file_that_is_not_there(tmp_path, one_sentence):
    with pytest.raises(DataError, match="there is no file of prompts .*none.toml") as caught:
        read_prompts(tmp_path / "none.toml")
    assert one_sentence(caught.value)
    with pytest.raises(DataError, match="did you mean 'sentiment'") as caught:
        read_prompts("sentimant")
    assert one_sentence(caught.value)
    with pytest.raises(DataError) as caught:
        read_prompts(tmp_path)
    assert one_sentence(caught.value)


def test_a_file_goes_before_a_packaged_set_of_its_name(write, tmp_path, monkeypatch):
    write(PROMPT + ANSWERS, name="topic")
    monkeypatch.chdir(tmp_path)
    assert [prompt.name for prompt in read_prompts("topic").prompts] == ["a"]
    assert len(read_prompts("nli").prompts) > 1
    assert "topic" in builtin_sets()
