"""Patch MinIO's source before we compile it: `patch.py SOURCE TARGET`.

MinIO's upstream is archived. Its last commit has published holes that nobody will close there. This
program copies the verified source to TARGET and closes them. Mostly it refuses what none of our
clients sends, because that is the smallest and surest change.
docs/decisions/0003-minio-from-source.md lists the holes.

Each anchor must occur exactly once. If it does not, the source has changed: look at the new source,
then change the edit or drop it.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Edit:
    """Replaces `anchor`, which must occur exactly once in `file`, and says why."""

    file: str
    anchor: str
    replacement: str
    why: str


EDITS = (
    Edit(
        "cmd/auth-handler.go",
        "\t\treturn authTypeStreamingUnsignedTrailer\n",
        """\
\t\tif !isRequestSignatureV4(r) {
\t\t\treturn authTypeUnknown
\t\t}
\t\treturn authTypeStreamingUnsignedTrailer
""",
        "CVE-2026-41145: of an upload with an unsigned trailer, handlers verify a signature in a"
        " header only, but take credentials from the query too. They refuse an unknown type.",
    ),
    Edit(
        "cmd/auth-handler.go",
        "authTypeSignedV2, authTypeStreamingSigned, authTypeStreamingSignedTrailer:",
        "authTypeSignedV2, authTypeStreamingSigned, authTypeStreamingSignedTrailer,"
        " authTypeStreamingUnsignedTrailer:",
        "No CVE: the date of an upload with an unsigned trailer was not checked, so that a recorded"
        " one could be sent again at any time.",
    ),
    Edit(
        "cmd/api-router.go",
        "api.PutObjectExtractHandler, traceHdrsS3HFlag",
        "errorResponseHandler",
        "CVE-2026-40344: if an upload that MinIO unpacks (snowball) has an unsigned trailer,"
        " nothing verifies its signature.",
    ),
    Edit(
        "cmd/api-router.go",
        "api.SelectObjectContentHandler, traceHdrsS3HFlag",
        "errorResponseHandler",
        "CVE-2026-39414: S3 Select reads a line of any length into memory.",
    ),
    Edit(
        "cmd/signature-v4-utils.go",
        "\textractedSignedHeaders := make(http.Header)\n",
        """\
\textractedSignedHeaders := make(http.Header)
\tfor name := range reqHeaders {
\t\tswitch name = strings.ToLower(name); name {
\t\tcase "x-amz-content-sha256": // part of every signature
\t\tcase "x-amz-signature-age": // MinIO itself sets it after the first verification
\t\tdefault:
\t\t\tif strings.HasPrefix(name, "x-amz-") && !slices.Contains(signedHeaders, name) {
\t\t\t\treturn nil, ErrUnsignedHeaders
\t\t\t}
\t\t}
\t}
""",
        "CVE-2026-97731: an added, unsigned x-amz-copy-source copies any object that the signer may"
        " read. Like Amazon, refuse every unsigned x-amz-* header.",
    ),
    Edit(
        "cmd/generic-handlers.go",
        """\
\t\tif _, ok := validSSEReplicationHeaders[key]; ok {
\t\t\treturn false
""",
        """\
\t\tif stringsHasPrefixFold(key, "X-Minio-Replication-") ||
\t\t\tstringsHasPrefixFold(key, "X-Minio-Source-") {
\t\t\treturn true
""",
        "CVE-2026-34204: headers of MinIO's replication, which we don't use, make objects"
        " unreadable.",
    ),
    Edit(
        "cmd/common-main.go",
        'os.Setenv("CONSOLE_PBKDF_SALT", globalDeploymentID())',
        'os.Setenv("CONSOLE_PBKDF_SALT", mustGetUUID())',
        "CVE-2026-113466: see CONSOLE_PBKDF_PASSPHRASE.",
    ),
    Edit(
        "cmd/common-main.go",
        'os.Setenv("CONSOLE_PBKDF_PASSPHRASE", globalDeploymentID())',
        'os.Setenv("CONSOLE_PBKDF_PASSPHRASE", mustGetUUID())',
        "CVE-2026-113466: the key of the console's session cookies was an id that is in the id of"
        " every upload. A random one ends sessions at a restart.",
    ),
)


def patch(source: Path, target: Path) -> None:
    """Copy MinIO's source and apply all edits.

    Raises:
        SystemExit: an anchor does not occur exactly once.
    """
    shutil.copytree(source, target)
    for edit in EDITS:
        file = target / edit.file
        text = file.read_text() if file.exists() else ""
        if (count := text.count(edit.anchor)) != 1:
            sys.exit(
                f"{edit.file}: found {count} times instead of once: {edit.anchor.strip()!r}."
                f" MinIO's source has changed; adapt minio/patch.py. The edit's reason: {edit.why}"
            )
        file.write_text(text.replace(edit.anchor, edit.replacement))


if __name__ == "__main__":
    patch(Path(sys.argv[1]), Path(sys.argv[2]))
