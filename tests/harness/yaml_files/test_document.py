"""The one reader of YAML that people write: values, where each stood, and keys that stand twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.errors import UserError
from harness.yaml_files.document import Language, Repeated, parse_document, read_document

TEXT = """a: 1
b: [x, {c: yes}]
d: &anchor
  e: ~
  f: 1.5
g: *anchor
h: {<<: *anchor, f: 2}
"""


def test_values_are_those_of_pyyaml_and_every_one_has_its_line() -> None:
    document = parse_document(TEXT, "a.yaml")
    assert document.data == yaml.safe_load(TEXT) and list(document.data["h"]) == list(yaml.safe_load(TEXT)["h"])
    assert document.place(("b", 1, "c")) == "a.yaml:2" and document.place(("d", "f")) == "a.yaml:5"
    assert document.place(("h", "f")) == "a.yaml:7" and document.place(("h", "e")) == "a.yaml:4"
    assert document.place(("b", 7)) == "a.yaml:2"  # of what is around it
    assert not document.repeated


def test_what_an_alias_repeats_is_a_copy() -> None:
    data = parse_document(TEXT, "a.yaml").data
    data["d"]["e"] = "changed"
    assert data["g"]["e"] is None


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("a: 1\na: 2\n", [Repeated(("a",), "t:2", True)]),
        ("a: 1\na: 1\n", [Repeated(("a",), "t:2", False)]),
        (
            "x:\n- a: [1]\n  a: [2]\n  a: [2]\n",
            [Repeated(("x", 0, "a"), "t:3", True), Repeated(("x", 0, "a"), "t:4", False)],
        ),
        ("b: &b {a: 1}\nc: {<<: *b, a: 2}\nd: {<<: *b, a: 2, a: 3}\n", [Repeated(("d", "a"), "t:3", True)]),
        ("b: &b {a: 1}\nc: &c {<<: *b, a: 2}\nd: *c\ne: {<<: *c, a: 3}\n", []),
        ("a: 1\n'a': !t 1\n", [Repeated(("a",), "t:2", True)]),
    ],
)
def test_a_key_that_stands_twice_is_told_and_the_last_counts(text: str, repeated: list[Repeated]) -> None:
    language = Language(tags={"!t": lambda node, place: place})
    document = parse_document(text, "t", language)
    assert document.repeated == repeated
    assert document.data == yaml.safe_load(text.replace("!t 1", "'t:2'"))


def test_tags_and_keys_are_the_language_s() -> None:
    def key(node: yaml.Node, value: Any, path: tuple[str | int, ...], place: str) -> str:
        return f"{path}{value}"

    document = parse_document(
        "1: !up a\n2: {x: !up b}\n", "t", Language(key, {"!up": lambda node, _: node.value.upper()})
    )
    assert document.data == {"()1": "A", "()2": {"('()2',)x": "B"}}
    with pytest.raises(UserError, match="t:2: values with the tag `!down` are not read here"):
        parse_document("\na: !down [1]\n", "t")


def test_both_of_pyyaml_s_loaders_give_the_same_and_python_s_own_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("name: [good\nb: 1\n")
    with pytest.raises(UserError, match=r"a\.yaml:2: not valid YAML: a comma is missing before this"):
        read_document(path, "a suite")
    path.write_bytes("a: é\n".encode("utf-16"))
    assert read_document(path, "a suite").data == {"a": "é"}
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(UserError, match=r"a\.yaml:2: this line is not UTF-8; save the file as UTF-8"):
        read_document(path, "a suite")
