import pytest

from engram.train.console.errors import Errors, ExperimentError
from engram.train.experiments.loading import parse_mapping, parse_yaml, read_document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("-1E5", -1e5),
        ("3.e2", 300.0),
        (".5e1", 5.0),
        ("1_000e3", 1e6),
        ("2_000_000", 2_000_000),
        ("0.1", 0.1),
        ("1e", "1e"),
        ("e4", "e4"),
        ("v1e4x", "v1e4x"),
        ("true", True),
        ("0x10", 16),
        ("0b11", 3),
        ("0", 0),
        ("-0.5", -0.5),
        ("0o10", "0o10"),
        ("'1:30'", "1:30"),
        ("yes", True),
        ("off", False),
        ("'no'", "no"),
        ("~", None),
        ("[0, 1]", [0, 1]),
    ],
)
def test_scalars(text, value):
    read = parse_yaml(text, "x")
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: [1", "line 1"),
        ("a: 1\na: 2", "x: key 'a' stands twice, in lines 1 and 2"),
        ("b:\n  a: 1\n  c: {d: 1, d: 2}\n  a: 2\n  a: 3", "x: key 'd' stands twice, in lines 3 and 3"),
        ("b:\n  a: 1\n  c: {d: 1, d: 2}\n  a: 2\n  a: 3", "x: key 'a' stands twice, in lines 2, 4 and 5"),
        ("on: 1", "key True is no text"),
        (
            "a: 1:30:00",
            "x, line 1, column 4: 1:30:00 is 5400 to YAML, read in base 60; write 5400 (or put it in",
        ),
        ("a: 1:30.5", "1:30.5 is 90.5 to YAML, read in base 60"),
        ("b: 1\na: -010", "x, line 2, column 4: -010 is -8 to YAML, read in base 8"),
        ("a: [00]", "00 is 0 to YAML, read in base 8"),
        ("a: {1: 2}", "x: a: key 1 is no text"),
        ("a: .nan", "x: a: NaN"),
        ("a: 2020-01-01", "x: a: a date is no value"),
        (
            "a: !!python/object:os.system 1",
            "x: a: a value with the tag !!python/object:os.system is no value",
        ),
        ("a: !thing {b: 1}", "x: a: a value with the tag !thing is no value"),
        ("a: [!!set {b, c}]", "x: a[0]: a set is no value"),
        ("a: !!binary aGk=", "x: a: binary data is no value"),
        ("a: 2020-13-45", "(if text is meant, put 2020-13-45 in quotes)"),
        ("a:\n  ? [b]\n  : 1", "x, line 2, column 5: a list is no key; legal: text"),
        ("2020-01-01", "x: a date is no value"),
        ("a: !!int abc", "not valid YAML"),
        ("a: &x [*x]", "contain itself"),
        ("[" * 3000, "not valid YAML"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_broken_documents_are_one_error(text, part):
    with pytest.raises(ExperimentError) as caught:
        parse_yaml(text, "x")
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_plain_data_is_told_with_the_rest_and_left_out():
    text = (
        "{a: 2020-01-01, b: !!set {x}, 3: 1, [4]: 1, c: .nan, d: 010, e: [1, 2020-01-01, 2], f: {g: 1}, f: 2}"
    )
    errors = Errors()
    assert parse_yaml(text, "x", errors) == {"d": 8, "e": [1, 2], "f": 2}
    assert [line.partition("; ")[0] for line in errors.lines] == [
        "x: key 'f' stands twice, in lines 1 and 1",
        "x, line 1, column 37: a list is no key",
        "x, line 1, column 57: 010 is 8 to YAML, read in base 8",
        "x: a: a date is no value",
        "x: b: a set is no value",
        "x: key 3 is no text",
        "x: c: NaN is no value",
        "x: e[1]: a date is no value",
    ]


def test_doubled_keys_need_not_end_the_reading():
    errors = Errors()
    assert parse_yaml("a: 1\nb: {c: 1}\na: 2", "x", errors) == {"a": 2, "b": {"c": 1}}
    assert errors.lines == ["x: key 'a' stands twice, in lines 1 and 3"]
    assert parse_yaml("a: &x {b: 1}\nc: {<<: *x, b: 2}", "x") == {"a": {"b": 1}, "c": {"b": 2}}


def test_aliases_are_copies():
    document = parse_yaml("a: &x {b: 1}\nc: *x", "x")
    document["a"]["b"] = 2
    assert document["c"] == {"b": 1}


def test_json_is_a_mapping_too():
    assert parse_mapping('{"lr": 1e-4, "model": {"skip": true}}', "--config") == {
        "lr": 1e-4,
        "model": {"skip": True},
    }
    with pytest.raises(ExperimentError, match="--config: expected a mapping"):
        parse_mapping("3", "--config")


def test_files(tmp_path):
    good = tmp_path / "good.yaml"
    good.write_text("a: 1")
    assert read_document(str(good)) == {"a": 1}
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xfa")
    for name, part in [("bytes.yaml", "cannot be read"), ("none.yaml", "no such file"), ("", "folder")]:
        with pytest.raises(ExperimentError, match=part):
            read_document(str(tmp_path / name))
