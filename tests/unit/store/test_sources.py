from pathlib import Path

import pytest

from myna.store.sources import HubFile, LocalFile, PackageMember, parse


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("hf:o/r@v1.0.0/en/x.onnx", HubFile("o/r", "v1.0.0", "en/x.onnx")),
        ("pypi:a-b==1.0/a_b/x.bin", PackageMember("pypi", "a-b", "1.0", "a_b/x.bin")),
        ("npm:a@1.2.1/package/x", PackageMember("npm", "a", "1.2.1", "package/x")),
        ("npm:@s/a@1.2.1/package/x", PackageMember("npm", "@s/a", "1.2.1", "package/x")),
        ("path:/srv/x.bin", LocalFile(Path("/srv/x.bin"))),
    ],
)
def test_each_kind_of_source_is_read(text, piece):
    assert parse(text).pieces == (piece,)


def test_a_source_prints_as_it_was_written():
    assert str(parse("hf:o/r@v1/x")) == "hf:o/r@v1/x"


def test_a_split_file_has_its_parts_in_order():
    source = parse("pypi:a==1/x.1 + pypi:b==2/x.2")
    assert [(piece.package, piece.member) for piece in source.pieces] == [
        ("a", "x.1"),
        ("b", "x.2"),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "x.bin", "hf:o/r/x", "hf:r@v1/x", "pypi:a/x", "pypi:a==1", "npm:a/x", "path:", "ftp:a"],
)
def test_anything_else_is_refused_with_the_syntax(text):
    with pytest.raises(ValueError, match="write hf:OWNER/REPO@REVISION/PATH"):
        parse(text)


def test_a_missing_part_is_refused():
    with pytest.raises(ValueError, match="is no source"):
        parse("pypi:a==1/x + ")
