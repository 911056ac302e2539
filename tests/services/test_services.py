"""PostgreSQL and the S3-compatible server of the tests: they store, go away, come back, have forgotten nothing."""

from __future__ import annotations

import io
import os
import time
from typing import Any

import boto3
import numpy as np
import optuna
import psycopg
import pytest
from botocore.exceptions import ClientError
from pyarrow.fs import FileSelector, FileSystem, FileType

from tests.services.postgres import Postgres
from tests.services.s3 import S3

pytestmark = [pytest.mark.services, pytest.mark.slow]

AWAY = 3.0  # seconds
BIG = np.random.default_rng(0).bytes(20 << 20)  # several parts for boto3 (8 MB each) and pyarrow (10 MB each)


def test_postgres_keeps_what_was_committed(postgres: Postgres) -> None:
    with psycopg.connect(postgres.address()) as connection:
        connection.execute("CREATE TABLE kept (value int)")
        connection.execute("INSERT INTO kept VALUES (17)")
    postgres.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres.address(), connect_timeout=2)
    time.sleep(AWAY)
    postgres.start()
    with psycopg.connect(postgres.address()) as connection:
        assert connection.execute("SELECT value FROM kept").fetchall() == [(17,)]
        connection.execute("DROP TABLE kept")


def test_postgres_wants_the_password(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", os.devnull)
    bare = postgres.address(password=False)
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(bare)
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(bare, password="wrong")
    monkeypatch.setenv("PGPASSWORD", postgres.password)
    psycopg.connect(bare).close()


def test_optuna_study_in_postgres(postgres: Postgres) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(postgres.create_database("studies"), engine_kwargs={"pool_pre_ping": True})
    study = optuna.create_study(storage=storage, study_name="s", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: trial.suggest_float("x", -1.0, 1.0) ** 2, n_trials=3)
    values = [trial.value for trial in study.trials]
    postgres.stop()
    time.sleep(AWAY)
    postgres.start()
    study.optimize(lambda trial: trial.suggest_float("x", -1.0, 1.0) ** 2, n_trials=1)  # over connections that are new
    again = optuna.load_study(storage=storage, study_name="s")
    assert [trial.value for trial in again.trials[:3]] == values
    assert len(again.trials) == 4
    storage.remove_session()
    storage.engine.dispose()


def test_pyarrow(s3: S3, keys: None) -> None:
    files, root = FileSystem.from_uri(f"s3://{s3.bucket}/arrow")
    with files.open_output_stream(f"{root}/deep/big") as out:
        out.write(BIG)
    with files.open_output_stream(f"{root}/small") as out:
        out.write(b"old")
    with files.open_output_stream(f"{root}/small") as out:
        out.write(b"new")
    with files.open_input_file(f"{root}/deep/big") as source:
        source.seek(12_345_678)
        assert source.read(100) == BIG[12_345_678:12_345_778]
    assert files.open_input_stream(f"{root}/deep/big").read() == BIG
    assert files.open_input_stream(f"{root}/small").read() == b"new"
    listed = {info.path: info.size for info in files.get_file_info(FileSelector(root, recursive=True))}
    assert listed == {f"{root}/deep": None, f"{root}/deep/big": len(BIG), f"{root}/small": 3}
    files.move(f"{root}/small", f"{root}/moved")
    files.create_dir(f"{root}/folder/in", recursive=True)
    assert files.get_file_info(f"{root}/small").type == FileType.NotFound
    files.delete_dir(root)
    assert files.get_file_info(FileSelector(root, recursive=True, allow_not_found=True)) == []


def test_boto3(s3: S3, client: Any) -> None:
    client.upload_fileobj(io.BytesIO(BIG), s3.bucket, "boto/big")
    back = io.BytesIO()
    client.download_fileobj(s3.bucket, "boto/big", back)
    assert back.getvalue() == BIG
    names = [f"boto/many/{i:02d}" for i in range(25)] + ["boto/odd/a b=ü+%?#.json"]
    for name in names:
        client.put_object(Bucket=s3.bucket, Key=name, Body=name.encode())
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=s3.bucket, Prefix="boto/", PaginationConfig={"PageSize": 7}
    )
    assert [item["Key"] for page in pages for item in page["Contents"]] == ["boto/big", *names]
    folders = client.list_objects_v2(Bucket=s3.bucket, Prefix="boto/", Delimiter="/")["CommonPrefixes"]
    assert [folder["Prefix"] for folder in folders] == ["boto/many/", "boto/odd/"]
    client.delete_objects(Bucket=s3.bucket, Delete={"Objects": [{"Key": name} for name in [*names, "boto/big"]]})
    assert client.list_objects_v2(Bucket=s3.bucket, Prefix="boto/")["KeyCount"] == 0


def test_s3_wants_the_secret(s3: S3, client: Any) -> None:
    stranger = boto3.client("s3", aws_secret_access_key="wrong", aws_access_key_id="test:raykd")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        stranger.list_objects_v2(Bucket=s3.bucket)
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(Bucket=s3.bucket, Key="never/written")


def test_s3_keeps_objects_and_uploads_under_way(s3: S3, client: Any) -> None:
    client.put_object(Bucket=s3.bucket, Key="kept/small", Body=b"17", Metadata={"who": "raykd"})
    upload = {"Bucket": s3.bucket, "Key": "kept/parts"}
    upload["UploadId"] = client.create_multipart_upload(**upload)["UploadId"]
    cut = 6 << 20
    tags = [client.upload_part(**upload, PartNumber=1, Body=BIG[:cut])["ETag"]]
    s3.stop()
    files, path = FileSystem.from_uri(f"s3://{s3.bucket}/kept/small")
    with pytest.raises(OSError, match=r"(?i)connect"):
        files.open_input_stream(path).read()
    time.sleep(AWAY)
    s3.start()
    assert files.open_input_stream(path).read() == b"17"
    assert client.head_object(Bucket=s3.bucket, Key="kept/small")["Metadata"] == {"who": "raykd"}
    tags.append(client.upload_part(**upload, PartNumber=2, Body=BIG[cut:])["ETag"])
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert client.get_object(Bucket=s3.bucket, Key="kept/parts")["Body"].read() == BIG
