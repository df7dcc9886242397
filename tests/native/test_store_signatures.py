"""Attacks on MinIO: forged signatures of every kind, and published holes of its last source."""

import base64
import hashlib
import hmac
import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pyarrow.fs
import pytest
import requests
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from minio import Minio
from minio.credentials import AssumeRoleProvider, StaticProvider
from minio.error import MinioAdminException
from minio.minioadmin import MinioAdmin

from infra.install.parts import Parts
from infra.services.minio import ensure_buckets, store_as_root
from infra.services.model import Lakehouse
from tests.support.object_store import running_minio
from tests.support.scratch import describe_scratch
from tests.support.signatures import (
    UPLOADS,
    Key,
    Post,
    Request,
    post_form,
    post_form_version_2,
    presign,
    send_signed,
    send_unsigned_trailer,
    sign_headers,
)

BODY = b"an attack"
EXTRACTED = "unpacked"
# Uploads that are refused even if their signature is right.
REFUSED = (
    "anonymous",
    "streaming presigned",
    "unsigned trailer missing",
    "unsigned trailer presigned",
    "unsigned trailer anonymous",
)
VALID = tuple(kind for kind in UPLOADS if kind not in REFUSED)
USERS = ("root", "flink", "trino")
FOREIGN_ORIGINS = ("https://example.org", "http://localhost", "null")


@pytest.fixture(scope="module")
def described(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakehouse]:
    """A lakehouse of which only MinIO runs, with its buckets and users."""
    described = describe_scratch(tmp_path_factory.mktemp("store"), parts)
    with running_minio(described):
        ensure_buckets(described)
        yield described


def key(described: Lakehouse, user: str) -> Key:
    """The user's real key."""
    secrets = described.secrets.model_dump()
    return Key(secrets[f"s3_{user}_access_key"], secrets[f"s3_{user}_secret_key"])


def forge(described: Lakehouse, user: str) -> Key:
    """A key of somebody who knows the access key only."""
    return Key(key(described, user).access)


def put(described: Lakehouse, name: str, body: bytes = BODY) -> Request:
    address = described.settings.topology.s3
    return Request(address.endpoint, address.region, f"/{bucket(described)}/{name}", body)


def bucket(described: Lakehouse) -> str:
    return described.settings.pipeline.lake.bucket


def as_root(described: Lakehouse) -> Minio:
    return Minio(**store_as_root(described.settings.topology.s3, described.secrets))


def is_stored(described: Lakehouse, name: str) -> bool:
    found = as_root(described).list_objects(bucket(described), prefix=name)
    return any(each.object_name == name for each in found)


def name_after(*parts: str) -> str:
    return "-".join(parts).replace(" ", "-")


def is_refused(reply: requests.Response) -> bool:
    return 400 <= reply.status_code < 500


# --- Forged signatures ----------------------------------------------------------------------


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("kind", UPLOADS)
def test_forged_upload_is_refused(described: Lakehouse, kind: str, user: str) -> None:
    name = name_after("forged", user, kind)
    reply = UPLOADS[kind](put(described, name), forge(described, user))
    assert is_refused(reply), reply.text
    assert not is_stored(described, name)


@pytest.mark.parametrize("kind", VALID)
def test_signed_upload_is_stored(described: Lakehouse, kind: str) -> None:
    """Without this, a test of forged requests would also pass if they were malformed."""
    name = name_after("signed", kind)
    reply = UPLOADS[kind](put(described, name), key(described, "flink"))
    assert reply.ok, reply.text
    assert as_root(described).get_object(bucket(described), name).data == BODY


@pytest.mark.parametrize("kind", REFUSED)
def test_upload_of_an_unsafe_kind_is_refused(described: Lakehouse, kind: str) -> None:
    name = name_after("signed", kind)
    reply = UPLOADS[kind](put(described, name), key(described, "flink"))
    assert is_refused(reply), reply.text
    assert not is_stored(described, name)


def test_recorded_upload_can_not_be_sent_again_later(described: Lakehouse) -> None:
    """The test of other kinds is upstream's."""
    request, age = put(described, "recorded"), timedelta(hours=1)
    reply = send_unsigned_trailer(request, key(described, "flink"), age)
    assert is_refused(reply), reply.text
    assert not is_stored(described, "recorded")


@pytest.mark.parametrize("is_forged", [True, False])
@pytest.mark.parametrize("kind", UPLOADS)
def test_archive_is_not_unpacked(described: Lakehouse, kind: str, is_forged: bool) -> None:
    name = name_after(EXTRACTED, kind, str(is_forged))
    archive = put(described, "archive.tar", make_archive(name))
    request = replace(archive, headers={"x-amz-meta-snowball-auto-extract": "true"})
    user = (forge if is_forged else key)(described, "flink")
    reply = UPLOADS[kind](request, user)
    assert is_refused(reply), reply.text
    assert not is_stored(described, name)


def make_archive(name: str) -> bytes:
    """A tar file with one file."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(BODY)
        tar.addfile(member, io.BytesIO(BODY))
    return archive.getvalue()


@pytest.mark.parametrize("kind", UPLOADS)
def test_forged_part_of_an_upload_is_refused(described: Lakehouse, kind: str) -> None:
    name = name_after("parts", kind)
    upload = start_upload(described, name)
    part = put_part(described, name, upload)
    reply = UPLOADS[kind](part, forge(described, "flink"))
    assert is_refused(reply), reply.text
    assert "<ETag>" not in list_parts(described, part)


@pytest.mark.parametrize("kind", VALID)
def test_signed_part_of_an_upload_is_stored(described: Lakehouse, kind: str) -> None:
    name = name_after("parts", kind)
    part = put_part(described, name, start_upload(described, name))
    reply = UPLOADS[kind](part, key(described, "flink"))
    assert reply.ok, reply.text
    assert "<ETag>" in list_parts(described, part)


def start_upload(described: Lakehouse, name: str) -> str:
    start = replace(put(described, name, b""), method="POST", query={"uploads": ""})
    reply = send_signed(start, key(described, "flink"))
    [upload] = re.findall("<UploadId>(.+)</UploadId>", reply.text)
    return str(upload)


def put_part(described: Lakehouse, name: str, upload: str) -> Request:
    return replace(put(described, name), query={"partNumber": "1", "uploadId": upload})


def list_parts(described: Lakehouse, part: Request) -> str:
    query = {"uploadId": part.query["uploadId"]}
    request = replace(part, method="GET", body=b"", query=query)
    return send_signed(request, key(described, "flink")).text


@pytest.mark.parametrize("post", [post_form, post_form_version_2])
def test_form_is_stored_only_if_its_policy_is_signed(described: Lakehouse, post: Post) -> None:
    address = described.settings.topology.s3
    form = Request(address.endpoint, address.region, f"/{bucket(described)}", BODY, method="POST")
    for user, name in ((forge(described, "flink"), "forged"), (key(described, "flink"), "signed")):
        as_root(described).remove_object(bucket(described), name)
        reply = post(form, user, bucket(described), name)
        assert reply.ok == (name == "signed"), reply.text
        assert is_stored(described, name) == (name == "signed")


def test_forged_administration_is_refused(described: Lakehouse) -> None:
    wrong = store_as_root(described.settings.topology.s3, described.secrets)
    wrong["credentials"] = StaticProvider(key(described, "root").access, "wrong" * 8)
    with pytest.raises(MinioAdminException, match="SignatureDoesNotMatch"):
        MinioAdmin(**wrong).user_list()
    with pytest.raises(ValueError, match="status code 403"):
        assume_role(described, Key(key(described, "flink").access, "wrong" * 8))


def test_console_may_log_in_for_its_user(described: Lakehouse) -> None:
    """The console changes a password to temporary credentials, which may do no more."""
    assert assume_role(described, key(described, "analyst"))


def assume_role(described: Lakehouse, user: Key) -> object:
    address = described.settings.topology.s3
    provider = AssumeRoleProvider(
        sts_endpoint=address.endpoint,
        access_key=user.access,
        secret_key=user.secret,
        region=address.region,
    )
    return provider.retrieve()


# --- Clients --------------------------------------------------------------------------------


def test_large_file_of_pyarrow_is_stored(described: Lakehouse) -> None:
    """PyIceberg writes with pyarrow, which sends parts with unsigned trailers."""
    user = key(described, "flink")
    address = described.settings.topology.s3
    store = pyarrow.fs.S3FileSystem(
        access_key=user.access,
        secret_key=user.secret,
        endpoint_override=address.endpoint,
        region=address.region,
    )
    body = bytes(12_000_000)
    with store.open_output_stream(f"{bucket(described)}/large") as stream:
        stream.write(body)
    with store.open_input_stream(f"{bucket(described)}/large") as stream:
        assert stream.read() == body


# --- Published holes ------------------------------------------------------------------------


def test_added_header_does_not_copy_another_object(described: Lakehouse) -> None:
    """CVE-2026-97731."""
    lake = described.settings.pipeline.lake
    as_root(described).put_object(lake.state_bucket, "private", io.BytesIO(BODY), len(BODY))
    added = {"x-amz-copy-source": f"/{lake.state_bucket}/private"}
    request, user = put(described, "copied", b""), key(described, "flink")
    for reply in (
        request.send(added, presign(request, user)),
        request.send(added | sign_headers(request, user)),
    ):
        assert is_refused(reply), reply.text
        assert not is_stored(described, "copied")


def test_store_runs_no_queries(described: Lakehouse) -> None:
    """CVE-2026-39414: S3 Select reads a line of any length into memory."""
    as_root(described).put_object(bucket(described), "lines.csv", io.BytesIO(b"a\n1\n"), 4)
    query = (
        "<SelectObjectContentRequest><Expression>select * from s3object</Expression>"
        "<ExpressionType>SQL</ExpressionType><InputSerialization><CSV/></InputSerialization>"
        "<OutputSerialization><CSV/></OutputSerialization></SelectObjectContentRequest>"
    )
    options = {"select": "", "select-type": "2"}
    request = replace(put(described, "lines.csv", query.encode()), method="POST", query=options)
    reply = send_signed(request, key(described, "analyst"))
    assert is_refused(reply), reply.text


@pytest.mark.parametrize(
    "header",
    [
        "x-minio-replication-server-side-encryption-iv",
        "x-minio-replication-actual-object-size",
        "x-minio-source-etag",
    ],
)
def test_headers_of_replication_are_refused(described: Lakehouse, header: str) -> None:
    """CVE-2026-34204."""
    request = replace(put(described, header), headers={header: "1"})
    reply = send_signed(request, key(described, "flink"))
    assert is_refused(reply), reply.text
    assert not is_stored(described, header)


# --- Web pages, and users that want more ----------------------------------------------------


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
def test_page_of_another_site_may_not_read(described: Lakehouse, method: str, origin: str) -> None:
    reply = requests.request(
        method,
        f"{described.settings.topology.s3.endpoint}/{bucket(described)}/any",
        headers={"Origin": origin, "Access-Control-Request-Method": "GET"},
        timeout=30,
    )
    allowed = [name for name in reply.headers if name.lower().startswith("access-control-allow")]
    assert allowed == []


@pytest.mark.parametrize("user", ["flink", "trino", "analyst"])
def test_user_may_not_make_access_keys(described: Lakehouse, user: str) -> None:
    own = store_as_root(described.settings.topology.s3, described.secrets)
    access, secret = key(described, user).access, key(described, user).secret
    own["credentials"] = StaticProvider(access, secret)
    with pytest.raises(MinioAdminException, match="AccessDenied"):
        MinioAdmin(**own).add_service_account()
    with pytest.raises(MinioAdminException, match="AccessDenied"):
        MinioAdmin(**own).user_add(access, "another-secret-of-mine")


def test_session_of_the_console_has_a_secret_key(described: Lakehouse) -> None:
    """CVE-2026-113466: the key was the deployment's id, which is in the id of every upload."""
    address = described.settings.topology.s3
    user = key(described, "analyst")
    login = requests.post(
        f"http://{address.host}:{address.console_port}/api/v1/login",
        json={"accessKey": user.access, "secretKey": user.secret},
        timeout=30,
    )
    assert login.ok, login.text
    sealed = base64.b64decode(login.cookies["token"])
    iv, nonce, body = sealed[1:17], sealed[17:29], sealed[29:]
    upload = start_upload(described, "any")
    deployment, _, _ = base64.urlsafe_b64decode(upload + "==").partition(b".")
    derived = hashlib.pbkdf2_hmac("sha1", deployment, deployment, 4096, 32)
    with pytest.raises(InvalidTag):
        AESGCM(hmac.digest(derived, iv, "sha256")).decrypt(nonce, body, None)
