"""What a place may be called, and that nothing leaves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from raykd.errors import UserError
from raykd.storage import check_url, is_url, join


@pytest.mark.parametrize("place", ["s3://b/x", "gs://b", "file:///tmp", "hdfs://n/x", "s3:/b", "S3A://b"])
def test_is_url(place: str) -> None:
    assert is_url(place)


@pytest.mark.parametrize("place", ["raykd-runs", "/mnt/home", "a:b", "C:/x", "s3", "", Path("/mnt/x")])
def test_is_path(place: str | Path) -> None:
    assert not is_url(place)


@pytest.mark.parametrize(
    "url",
    ["s3://bucket", "s3://bucket/", "s3://bucket/a/b@c", "gs://bucket/x", "file:///mnt/a%20b",
     "abfss://box@account.dfs.core.windows.net/x"],
)  # fmt: skip
def test_good(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s4://bucket/x", "did you mean 's3'"),
        ("gcs://bucket", "did you mean 'gs'"),
        ("mnt/x", "no URL"),
        ("s3:/bucket", "two slashes"),
        ("s3://", "names no bucket"),
        ("s3:///x", "names no bucket"),
        ("abfss://box/x", "names no account"),
        ("file://host/x", "names no machine"),
        ("s3://127.0.0.1:9000/bucket", "AWS_ENDPOINT_URL"),
        ("s3://bucket/a/../b", "'..'"),
        ("file:///a/%2e%2e/b", "'..'"),
        ("s3://bucket/a?endpoint_override=x", "environment"),
        ("s3://bucket/a\nb", "control"),
    ],
)
def test_bad(url: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        check_url(url)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["s3://AKIAKEY:hush@bucket/x", "s3://AKIAKEY:hu/sh@bucket/x", "s3://hush@bucket", "s3://bucket/x?secret_key=hush",
     "abfss://box:hush@account.dfs.core.windows.net/x"],
)  # fmt: skip
def test_secrets_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UserError, match="environment") as caught:
        check_url(url)
    assert not {"hush", "AKIAKEY", "sh@"} & set(str(caught.value).replace("/", " ").replace("=", " ").split())
    assert "hush" not in str(caught.value)
    assert "AKIAKEY" not in str(caught.value)


def test_all_problems_at_once() -> None:
    with pytest.raises(UserError) as caught:
        check_url("s3:///../x?y")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("place", "parts", "whole"),
    [
        ("s3://bucket", ["a", "b"], "s3://bucket/a/b"),
        ("s3://bucket/x/", ["a/b"], "s3://bucket/x/a/b"),
        ("file:///", ["a b"], "file:///a%20b"),
        ("runs", ["a", "b"], "runs/a/b"),
        ("/mnt", [], "/mnt"),
    ],
)
def test_join(place: str, parts: list[str], whole: str) -> None:
    assert join(place, *parts) == whole


@pytest.mark.parametrize("place", ["runs", "s3://bucket/x", "file:///mnt"])
@pytest.mark.parametrize("part", ["..", "../x", "a/../../x", "/etc/passwd", "", ".", "a//b", "a\\..\\b", "a\0b", "a/"])
def test_s27_nothing_leaves_its_folder(place: str, part: str) -> None:
    with pytest.raises(UserError, match="cannot be a name below"):
        join(place, "good", part)
