"""Requests to an S3 store, signed in each way that S3 knows, or forged.

A key without a secret forges: its signatures have the right form and consist of zeros only.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote, urlencode

import requests

SECONDS = 30
EMPTY_SHA256 = hashlib.sha256().hexdigest()
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
_ALGORITHM = "AWS4-HMAC-SHA256"
# A trailer: the checksum of the body, which follows it.
CHECKSUM = "x-amz-checksum-sha256"


@dataclass(frozen=True)
class Key:
    """An access key; an empty secret forges signatures."""

    access: str
    secret: str = ""

    def sign(self, text: str, moment: datetime, region: str, service: str = "s3") -> str:
        """Signature version 4 of a text."""
        if not self.secret:
            return "0" * 64
        secret = f"AWS4{self.secret}".encode()
        for part in (f"{moment:%Y%m%d}", region, service, "aws4_request"):
            secret = hmac.digest(secret, part.encode(), "sha256")
        return hmac.digest(secret, text.encode(), "sha256").hex()

    def sign_old(self, text: str) -> str:
        """Signature version 2 of a text."""
        if not self.secret:
            return base64.b64encode(bytes(20)).decode()
        return base64.b64encode(hmac.digest(self.secret.encode(), text.encode(), "sha1")).decode()


@dataclass(frozen=True)
class Request:
    """A request without a signature; the names of headers are in lower case."""

    endpoint: str
    region: str
    path: str
    body: bytes = b""
    method: str = "PUT"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Host and port."""
        return self.endpoint.removeprefix("http://")

    def send(
        self, headers: Mapping[str, str], query: Mapping[str, str] | None = None, body: bytes = b""
    ) -> requests.Response:
        """Send it with these headers, query and body; all of them replace its own."""
        query = self.query if query is None else query
        url = f"{self.endpoint}{self.path}" + (f"?{_encode(query)}" if query else "")
        return requests.request(self.method, url, data=body, headers=dict(headers), timeout=SECONDS)


Send = Callable[[Request, Key], requests.Response]
# Uploads to a bucket, under a name.
Post = Callable[[Request, Key, str, str], requests.Response]


def _encode(query: Mapping[str, str]) -> str:
    return urlencode(sorted(query.items()), quote_via=quote, safe="")


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def _scope(request: Request, moment: datetime) -> str:
    return f"{moment:%Y%m%d}/{request.region}/s3/aws4_request"


def _sign_request(
    request: Request,
    key: Key,
    moment: datetime,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    payload: str,
) -> str:
    lines = [f"{name}:{headers[name]}\n" for name in sorted(headers)]
    canonical = [request.method, request.path, _encode(query), "".join(lines)]
    digest = hashlib.sha256("\n".join([*canonical, ";".join(sorted(headers)), payload]).encode())
    text = [_ALGORITHM, _stamp(moment), _scope(request, moment), digest.hexdigest()]
    return key.sign("\n".join(text), moment, request.region)


def _sign_headers(
    request: Request, key: Key, moment: datetime, payload: str, **more: str
) -> dict[str, str]:
    """All headers of a request that is signed in a header, the signature included."""
    headers = {
        **request.headers,
        **{name.replace("_", "-"): value for name, value in more.items()},
        "host": request.host,
        "x-amz-date": _stamp(moment),
        "x-amz-content-sha256": payload,
    }
    signature = _sign_request(request, key, moment, headers, request.query, payload)
    authorization = (
        f"{_ALGORITHM} Credential={key.access}/{_scope(request, moment)},"
        f" SignedHeaders={';'.join(sorted(headers))}, Signature={signature}"
    )
    return {**headers, "authorization": authorization}


def send_anonymous(request: Request, _key: Key) -> requests.Response:
    """No signature at all."""
    return request.send(request.headers, body=request.body)


def sign_headers(request: Request, key: Key) -> dict[str, str]:
    """All headers of a request that is signed with version 4 in a header, with the body's hash."""
    payload = hashlib.sha256(request.body).hexdigest()
    return _sign_headers(request, key, datetime.now(UTC), payload)


def send_signed(request: Request, key: Key) -> requests.Response:
    """Version 4 in a header, with the body's hash."""
    return request.send(sign_headers(request, key), body=request.body)


def send_unsigned_payload(request: Request, key: Key) -> requests.Response:
    """Version 4 in a header, which does not cover the body."""
    headers = _sign_headers(request, key, datetime.now(UTC), "UNSIGNED-PAYLOAD")
    return request.send(headers, body=request.body)


def presign(request: Request, key: Key) -> dict[str, str]:
    """The query of a version 4 presigned URL, which covers the host only."""
    moment = datetime.now(UTC)
    headers = {"host": request.host, **request.headers}
    query = {
        **request.query,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{key.access}/{_scope(request, moment)}",
        "X-Amz-Date": _stamp(moment),
        "X-Amz-Expires": "600",
        "X-Amz-SignedHeaders": ";".join(sorted(headers)),
    }
    signature = _sign_request(request, key, moment, headers, query, "UNSIGNED-PAYLOAD")
    return {**query, "X-Amz-Signature": signature}


def send_presigned(request: Request, key: Key) -> requests.Response:
    """Version 4 in the query."""
    return request.send(request.headers, presign(request, key), request.body)


def _text_of_version_2(request: Request, date: str) -> str:
    named = sorted(name for name in request.headers if name.startswith("x-amz-"))
    headers = "".join(f"{name}:{request.headers[name]}\n" for name in named)
    query = "&".join(f"{name}={value}" for name, value in sorted(request.query.items()))
    resource = request.path + (f"?{query}" if query else "")
    return f"{request.method}\n\n\n{date}\n{headers}{resource}"


def send_version_2(request: Request, key: Key) -> requests.Response:
    """Version 2 in a header."""
    date = format_datetime(datetime.now(UTC), usegmt=True)
    signature = key.sign_old(_text_of_version_2(request, date))
    headers = {"date": date, "authorization": f"AWS {key.access}:{signature}"}
    return request.send({**request.headers, **headers}, body=request.body)


def send_presigned_version_2(request: Request, key: Key) -> requests.Response:
    """Version 2 in the query."""
    expires = str(int((datetime.now(UTC) + timedelta(minutes=10)).timestamp()))
    signature = key.sign_old(_text_of_version_2(request, expires))
    query = {"AWSAccessKeyId": key.access, "Expires": expires, "Signature": signature}
    return request.send(request.headers, {**request.query, **query}, request.body)


def _sign_chunks(request: Request, key: Key, moment: datetime, seed: str, trailer: str) -> bytes:
    """The body in signed chunks: all of it, then an empty one, then a signed trailer if any."""
    signature, chunks = seed, b""
    for data in (request.body, b""):
        digest = hashlib.sha256(data).hexdigest()
        text = ["AWS4-HMAC-SHA256-PAYLOAD", _stamp(moment), _scope(request, moment), signature]
        lines = "\n".join([*text, EMPTY_SHA256, digest])
        signature = key.sign(lines, moment, request.region)
        chunks += f"{len(data):x};chunk-signature={signature}\r\n".encode() + data
        chunks += b"\r\n" if data or not trailer else b""
    if not trailer:
        return chunks
    digest = hashlib.sha256(f"{trailer}\n".encode()).hexdigest()
    text = ["AWS4-HMAC-SHA256-TRAILER", _stamp(moment), _scope(request, moment), signature]
    signature = key.sign("\n".join([*text, digest]), moment, request.region)
    return chunks + f"{trailer}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()


def _checksum(body: bytes) -> str:
    return f"{CHECKSUM}:{base64.b64encode(hashlib.sha256(body).digest()).decode()}"


def _send_streaming(request: Request, key: Key, payload: str, trailer: str) -> requests.Response:
    moment = datetime.now(UTC)
    more = {"x_amz_decoded_content_length": str(len(request.body))}
    if trailer:
        more["x_amz_trailer"] = CHECKSUM
    headers = _sign_headers(request, key, moment, payload, content_encoding="aws-chunked", **more)
    seed = headers["authorization"].rpartition("=")[2]
    return request.send(headers, body=_sign_chunks(request, key, moment, seed, trailer))


def send_streaming(request: Request, key: Key) -> requests.Response:
    """Version 4 in a header and in each chunk of the body."""
    return _send_streaming(request, key, STREAMING, "")


def send_streaming_with_trailer(request: Request, key: Key) -> requests.Response:
    """Version 4 in a header, in each chunk of the body, and in a trailer with a checksum."""
    return _send_streaming(request, key, STREAMING_TRAILER, _checksum(request.body))


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n%s\r\n\r\n" % (len(body), body, _checksum(body).encode())


def _unsigned_trailer(request: Request) -> dict[str, str]:
    return {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(request.body)),
        "x-amz-trailer": CHECKSUM,
    }


def _sign_unsigned_trailer(request: Request, key: Key, moment: datetime) -> dict[str, str]:
    more = {name.replace("-", "_"): text for name, text in _unsigned_trailer(request).items()}
    return _sign_headers(request, key, moment, UNSIGNED_TRAILER, **more)


def send_unsigned_trailer(
    request: Request, key: Key, age: timedelta = timedelta()
) -> requests.Response:
    """Version 4 in a header, an unsigned body, and an unsigned trailer."""
    headers = _sign_unsigned_trailer(request, key, datetime.now(UTC) - age)
    return request.send(headers, body=_chunk(request.body))


def send_unsigned_trailer_missing(request: Request, key: Key) -> requests.Response:
    """Version 4 in a header that announces an unsigned trailer, before a plain body."""
    headers = _sign_unsigned_trailer(request, key, datetime.now(UTC))
    return request.send(headers, body=request.body)


def send_unsigned_trailer_presigned(request: Request, key: Key) -> requests.Response:
    """Version 4 in the query, an unsigned body, and an unsigned trailer."""
    headers = {**request.headers, **_unsigned_trailer(request)}
    headers["x-amz-content-sha256"] = UNSIGNED_TRAILER
    return request.send(headers, presign(request, key), _chunk(request.body))


def send_unsigned_trailer_anonymous(request: Request, _key: Key) -> requests.Response:
    """No signature at all, an unsigned body, and an unsigned trailer."""
    headers = {**request.headers, **_unsigned_trailer(request)}
    headers["x-amz-content-sha256"] = UNSIGNED_TRAILER
    return request.send(headers, body=_chunk(request.body))


def send_streaming_presigned(request: Request, key: Key) -> requests.Response:
    """Version 4 in the query, with a body that claims to have signed chunks."""
    moment = datetime.now(UTC)
    headers = {
        **request.headers,
        "x-amz-content-sha256": STREAMING,
        "x-amz-decoded-content-length": str(len(request.body)),
    }
    body = _sign_chunks(request, key, moment, "0" * 64, "")
    return request.send(headers, presign(request, key), body)


# Every way in which a store may take credentials for an upload.
UPLOADS: dict[str, Send] = {
    "anonymous": send_anonymous,
    "signed": send_signed,
    "unsigned payload": send_unsigned_payload,
    "presigned": send_presigned,
    "version 2": send_version_2,
    "presigned version 2": send_presigned_version_2,
    "streaming": send_streaming,
    "streaming presigned": send_streaming_presigned,
    "streaming with trailer": send_streaming_with_trailer,
    "unsigned trailer": send_unsigned_trailer,
    "unsigned trailer missing": send_unsigned_trailer_missing,
    "unsigned trailer presigned": send_unsigned_trailer_presigned,
    "unsigned trailer anonymous": send_unsigned_trailer_anonymous,
}


def post_form(request: Request, key: Key, bucket: str, name: str) -> requests.Response:
    """Upload with a browser's form, whose policy is signed with version 4."""
    moment = datetime.now(UTC)
    conditions: dict[str, str] = {
        "bucket": bucket,
        "key": name,
        "x-amz-algorithm": _ALGORITHM,
        "x-amz-credential": f"{key.access}/{_scope(request, moment)}",
        "x-amz-date": _stamp(moment),
    }
    policy = _encode_policy(conditions)
    signature = key.sign(policy, moment, request.region)
    return _post(request, {**conditions, "policy": policy, "x-amz-signature": signature})


def post_form_version_2(request: Request, key: Key, bucket: str, name: str) -> requests.Response:
    """Upload with a browser's form, whose policy is signed with version 2."""
    policy = _encode_policy({"bucket": bucket, "key": name})
    signature = key.sign_old(policy)
    fields = {"key": name, "AWSAccessKeyId": key.access, "policy": policy, "signature": signature}
    return _post(request, fields)


def _encode_policy(conditions: Mapping[str, str]) -> str:
    until = datetime.now(UTC) + timedelta(minutes=10)
    policy = {
        "expiration": f"{until:%Y-%m-%dT%H:%M:%S.000Z}",
        "conditions": [["eq", f"${name}", value] for name, value in conditions.items()],
    }
    return base64.b64encode(json.dumps(policy).encode()).decode()


def _post(request: Request, fields: Mapping[str, str]) -> requests.Response:
    return requests.post(
        f"{request.endpoint}{request.path}",
        data=fields,
        files={"file": ("upload", request.body)},
        timeout=SECONDS,
    )
