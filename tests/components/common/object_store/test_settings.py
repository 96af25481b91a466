"""How a store is reached, by the variables of an environment."""

import pytest

from components.common.errors import MonitorError
from components.common.object_store.address import is_address, parse, refuse_remote
from components.common.object_store.settings import endpoint_of, settings_of

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"}
NOWHERE = {"AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials"}


@pytest.mark.parametrize(
    "path", ["s3://", "s3://B/a", "s3://bucket//a", "s3://bucket/a/../b", "s3://bucket/./a", "hdfs://bucket/a", "/a",
             "", "s3://bucket/a\nb", "s3://bucket/" + "a" * 1025],
)  # fmt: skip
def test_what_is_no_address_is_refused(path):
    with pytest.raises(MonitorError, match="`serving` must"):
        parse(path, "serving")


def test_an_address_says_what_it_was_read_from():
    for path in ("s3://bucket", "gs://bucket/a", "minio://mlpipeline/v2/artifacts/a b"):
        assert is_address(path)
        assert str(parse(path)) == path
        assert str(parse(f"{path}/")) == path


def test_where_only_a_folder_will_do_every_scheme_is_refused():
    refuse_remote("/srv/serving", "serving_dir", "")
    for path in ("s3://bucket/a", "hdfs://node/a"):
        with pytest.raises(MonitorError, match=r"`serving_dir` must be a folder of this machine.*Copy it first"):
            refuse_remote(path, "serving_dir", "Copy it first")


@pytest.mark.parametrize(
    ("address", "environment", "endpoint"),
    [
        ("s3://bucket", {}, ""),
        ("s3://bucket", {"AWS_ENDPOINT_URL": "https://one/"}, "https://one"),
        ("s3://bucket", {"AWS_ENDPOINT_URL": "https://one", "AWS_ENDPOINT_URL_S3": "https://two"}, "https://two"),
        ("minio://bucket", {}, "http://minio-service.kubeflow:9000"),
        ("minio://bucket", {"MINIO_SERVICE_SERVICE_HOST": "10.0.0.7", "MINIO_SERVICE_SERVICE_PORT": "9000"},
         "http://10.0.0.7:9000"),
        ("minio://bucket", {"AWS_ENDPOINT_URL": "http://one"}, "http://one"),
    ],
)  # fmt: skip
def test_where_a_store_is(address, environment, endpoint):
    assert endpoint_of(parse(address), environment) == endpoint
    settings = settings_of(parse(address), {**environment, **KEYS})
    assert settings.config.get("endpoint", "") == endpoint
    assert settings.client["allow_http"] == endpoint.startswith("http://")


@pytest.mark.parametrize(
    ("address", "environment", "config"),
    [
        ("s3://bucket", KEYS, {"access_key_id": "a", "secret_access_key": "b", "session_token": "c"}),
        ("minio://bucket", {"MINIO_ACCESS_KEY": "d", "MINIO_SECRET_KEY": "e"},
         {"access_key_id": "d", "secret_access_key": "e"}),
        ("s3://bucket", {"AWS_SKIP_SIGNATURE": "true"}, {"skip_signature": True}),
        ("s3://bucket", {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_REGION": "eu-west-1"}, {}),
        ("s3://bucket", {}, {}),  # a machine of Amazon's has credentials of its own
        ("s3://bucket", {"AWS_ENDPOINT_URL": "https://s3.eu-west-1.amazonaws.com"}, {}),
    ],
)  # fmt: skip
def test_who_asks(address, environment, config, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    found = settings_of(parse(address), environment).config
    assert {key: value for key, value in found.items() if key not in ("region", "endpoint")} == config


@pytest.mark.parametrize(
    ("address", "environment"),
    [
        ("minio://bucket", {}),
        ("s3://bucket", {"AWS_ENDPOINT_URL": "http://one"}),
        ("s3://bucket", {"AWS_EC2_METADATA_DISABLED": "true"}),
    ],
)
def test_without_credentials_nothing_is_asked(address, environment, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(MonitorError, match=f"{address} must be asked with credentials.*AWS_ACCESS_KEY_ID"):
        settings_of(parse(address), environment)


@pytest.mark.parametrize(
    ("text", "environment", "sentence"),
    [
        (None, {}, "must be a file with the profile 'default'. Received: no such file"),
        ("[other]\n", {"AWS_PROFILE": "ours"}, "`ours in .*credentials` must have aws_access_key_id"),
        ("[ours]\nrole_arn = x\n", {"AWS_PROFILE": "ours"}, r"must have aws_access_key_id.*Received: \['role_arn'\]"),
        ("aws_access_key_id = x\n", {}, "must be a file of profiles"),
    ],
)
def test_a_file_of_credentials_that_has_none_is_named(text, environment, sentence, tmp_path):
    file = tmp_path / "credentials"
    if text is not None:
        file.write_text(text)
    with pytest.raises(MonitorError, match=sentence):
        settings_of(parse("s3://bucket"), {**environment, "AWS_SHARED_CREDENTIALS_FILE": str(file)})


def test_keys_are_in_no_text_of_the_settings():
    settings = settings_of(parse("s3://bucket"), {"AWS_ACCESS_KEY_ID": "open-sesame", "AWS_SECRET_ACCESS_KEY": "hush"})
    assert "sesame" not in repr(settings)
    assert "hush" not in repr(settings)


def test_a_file_of_google_that_is_not_there_is_named():
    with pytest.raises(MonitorError, match=r"`GOOGLE_APPLICATION_CREDENTIALS` must be a file. Rec"):
        settings_of(parse("gs://bucket"), {"GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent"})
