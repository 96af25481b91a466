"""How a store is reached and who asks: by the environment variables and files that its own tools read.

| variable | of | what |
|---|---|---|
| `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` | s3, minio | the address of a store that is not Amazon's |
| `MINIO_SERVICE_SERVICE_HOST`, `..._PORT` | minio | the same, as Kubernetes tells the pods beside a `minio-service` |
| `AWS_REGION`, `AWS_DEFAULT_REGION` | s3, minio | the region, `us-east-1` without it |
| `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | s3, minio | who asks |
| `MINIO_ACCESS_KEY`, `MINIO_SECRET_KEY` | minio | the same, where those of AWS are not set |
| `AWS_PROFILE`, `AWS_SHARED_CREDENTIALS_FILE` | s3, minio | the keys in `~/.aws/credentials` |
| `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_CONTAINER_CREDENTIALS_*` | s3 | the role of a pod or container |
| `AWS_SKIP_SIGNATURE` | s3, minio | `true`: nobody in particular asks, of a public bucket |
| `GOOGLE_APPLICATION_CREDENTIALS` | gs | the file of a service account, or gcloud's of a person |
| `STORAGE_EMULATOR_HOST` | gs | the address of an emulator, which is asked without credentials |
| `MODEL_MONITOR_STORE_SECONDS` | all | how long an answer may take, 60 without it |
"""

import configparser
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ..errors import MonitorError, require
from .address import Address, BucketError

_IN_A_CLUSTER = "http://minio-service.kubeflow:9000"  # where Kubeflow Pipelines looks for its own store
_DEFAULT_PROFILE = "default"
_SECONDS, _SECONDS_KEY = 60.0, "MODEL_MONITOR_STORE_SECONDS"
_CONNECT = timedelta(seconds=5)
_RETRIES = 5
# The role of a pod or a container, which the store's client looks up itself.
_ROLES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
Environment = Mapping[str, str]


@dataclass(frozen=True)
class Settings:
    """How a bucket is opened.

    Attributes:
      config: settings of the store, by obstore's names.
      client: of its HTTP client.
      retry: how requests are repeated that a store did not answer or answered with a fault of its own.

    """

    config: dict[str, Any] = field(repr=False)  # keys are among them
    client: dict[str, Any]
    retry: dict[str, Any]


def settings_of(address: Address, environment: Environment) -> Settings:
    """The settings of a bucket, by the variables of an environment and the files that they name.

    Raises:
      MonitorError: there are no credentials, or a variable or file holds something else than it should.

    """
    config = _google(environment) if address.scheme == "gs" else _s3(address, environment)
    waited = timedelta(seconds=_seconds(environment))
    endpoint = str(config.get("endpoint", ""))
    client = {
        "allow_http": endpoint.startswith("http://") or "STORAGE_EMULATOR_HOST" in environment,
        "connect_timeout": min(_CONNECT, waited),
        "read_timeout": waited,
        "timeout": max(waited, timedelta(minutes=10)),  # of a whole answer, however large: parts may take their time
    }
    backoff = {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2}
    return Settings(config, client, {"max_retries": _RETRIES, "backoff": backoff, "retry_timeout": 2 * waited})


def endpoint_of(address: Address, environment: Environment) -> str:
    """The address of the store behind s3:// or minio://; "" for Amazon's own. Raises `MonitorError` for no address."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if value := environment.get(name):
            right = value.startswith(("http://", "https://"))
            require(right, name, "be an address that begins with http:// or https://", value)
            return value.rstrip("/")
    if address.scheme != "minio":
        return ""
    host, port = environment.get("MINIO_SERVICE_SERVICE_HOST"), environment.get("MINIO_SERVICE_SERVICE_PORT")
    return f"http://{host}:{port}" if host and port else _IN_A_CLUSTER


def _s3(address: Address, environment: Environment) -> dict[str, Any]:
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    config: dict[str, Any] = {"region": region}
    if endpoint := endpoint_of(address, environment):
        config["endpoint"] = endpoint
    return {**config, **_keys(address, environment)}


def _keys(address: Address, environment: Environment) -> dict[str, Any]:
    """The keys to ask with; none where they are not needed, or the client finds them out itself."""
    if environment.get("AWS_SKIP_SIGNATURE", "").lower() == "true":
        return {"skip_signature": True}
    if found := _pair(environment, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        return {**found, **_token(environment.get("AWS_SESSION_TOKEN"))}
    if address.scheme == "minio" and (found := _pair(environment, "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY")):
        return found
    if found := _profile(environment):
        return found
    if any(environment.get(name) for name in _ROLES):
        return {}
    # What is left are the credentials of a machine of Amazon's, which are for no store but Amazon's.
    machine = environment.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true"
    endpoint = endpoint_of(address, environment)
    if machine and (not endpoint or ".amazonaws.com" in endpoint):
        return {}
    raise no_credentials(address)


def no_credentials(address: Address) -> BucketError:
    """The error about a store that nobody has given us a key for."""
    if address.scheme == "gs":
        how = "GOOGLE_APPLICATION_CREDENTIALS to the file of a service account"
    else:
        how = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile in ~/.aws/credentials"
    return BucketError(f"{address.root} must be asked with credentials, and there are none: set {how}")


def _pair(environment: Environment, key: str, secret: str) -> dict[str, Any]:
    given = environment.get(key), environment.get(secret)
    require(
        all(given) or not any(given), f"{key} and {secret}", "be set both or not at all", _which(given, key, secret)
    )
    return {"access_key_id": given[0], "secret_access_key": given[1]} if all(given) else {}


def _which(given: tuple[str | None, str | None], key: str, secret: str) -> str:
    return f"{key if given[0] else secret} alone"


def _token(token: str | None) -> dict[str, Any]:
    return {"session_token": token} if token else {}


def _profile(environment: Environment) -> dict[str, Any]:
    """The keys of a profile in the file of credentials; none where there is no file and nobody has named a profile."""
    name = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or _DEFAULT_PROFILE
    named = environment.get("AWS_SHARED_CREDENTIALS_FILE", "")
    path = os.path.expanduser(named or "~/.aws/credentials")
    profiles = configparser.RawConfigParser()
    try:
        with open(path, encoding="utf-8") as file:
            profiles.read_file(file)
    except FileNotFoundError:
        if name == _DEFAULT_PROFILE and not named:
            return {}
        raise MonitorError(f"{path} must be a file with the profile {name!r}. Received: no such file") from None
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise MonitorError(f"{path} must be a file of profiles. Received: {error}") from error
    profile = dict(profiles[name]) if profiles.has_section(name) else {}
    if not profile and name == _DEFAULT_PROFILE:
        return {}
    known = {key: profile.get(f"aws_{key}") for key in ("access_key_id", "secret_access_key")}
    # Of other ways, such as a role to assume or single sign-on, AWS's own tools make keys for the environment.
    require(all(known.values()), f"{name} in {path}", "have aws_access_key_id and aws_secret_access_key", list(profile))
    return {**known, **_token(profile.get("aws_session_token"))}


def _google(environment: Environment) -> dict[str, Any]:
    """Settings of Google Cloud Storage. What is not set the client finds out itself: a machine's service account."""
    if host := environment.get("STORAGE_EMULATOR_HOST"):
        url = host if "://" in host else f"http://{host}"
        account = {
            "gcs_base_url": url,
            "disable_oauth": True,
            "client_email": "",
            "private_key": "",
            "private_key_id": "",
        }
        return {"service_account_key": json.dumps(account)}
    path = environment.get("GOOGLE_APPLICATION_CREDENTIALS")
    if not path:
        return {}
    if not os.path.isfile(path):
        raise MonitorError(f"`GOOGLE_APPLICATION_CREDENTIALS` must be a file. Received: {path!r}")
    return {"application_credentials": path}


def _seconds(environment: Environment) -> float:
    given = environment.get(_SECONDS_KEY, "")
    try:
        seconds = float(given) if given else _SECONDS
    except ValueError:
        seconds = 0.0
    require(0 < seconds <= 3600, _SECONDS_KEY, "be a number of seconds from 0 to 3600", given)
    return seconds
