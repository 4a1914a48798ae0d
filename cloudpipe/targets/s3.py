"""Amazon S3 and everything that speaks its protocol, as a `Target`.

Control calls go by aiobotocore. Bodies are signed by botocore's signer and streamed by
aiohttp from the chunks (`s3wire`, `s3stream`); `compatible=True` sends them by
aiobotocore's plain calls instead, which joins each body into one copy.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, cast, get_args

from .._integrity import (
    Integrity,
    checksum_of_object,
    digest,
    etag_of_object,
    is_full_object,
    md5_hex,
)
from ..errors import (
    ClosedError,
    ConfigError,
    IntegrityError,
    InternalError,
    NoSuchUploadError,
    ObjectIntegrityError,
)
from ..s3stream import PutStream
from ..s3wire import object_url, sign_put
from ..target import Body, ObjectInfo, Part, Span, Upload, UploadOptions, UploadResult
from ._lost import SETTLED, by_store_clock, check_each_has_its_span, of_our_kind, within
from ._s3client import Addressing, ClientSettings, Network, make_client
from ._s3errors import error_of_response, translated
from ._s3options import create_request, put_headers, put_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from aiobotocore.signers import AioRequestSigner
    from botocore.auth import SigV4Auth
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.literals import ChecksumAlgorithmType
    from types_aiobotocore_s3.type_defs import (
        CompletedPartTypeDef,
        CompleteMultipartUploadRequestTypeDef,
        ListMultipartUploadsRequestTypeDef,
        ListPartsRequestTypeDef,
        MultipartUploadTypeDef,
    )

__all__ = ("S3Target",)

_OFF_LOOP = 64 << 10  # bytes; hashing less costs no more than a thread's wake-up
_MULTIPART_ETAG = re.compile(r"[0-9a-f]{32}-\d+")

_log = logging.getLogger("cloudpipe")


class S3Target:
    """A bucket. `async with` it; it may serve many pipes at once.

    Args:
        bucket: the bucket's name.
        access_key: with `secret` (and `session_token`): credentials. None: the
            ordinary AWS chain (environment, files, instance), refreshed as it does.
        end_point: host or URL of the store; None is AWS.
        use_ssl: https where `end_point` names no scheme.
        region: None leaves it to the AWS configuration, else us-east-1.
        addressing: "auto" is path style at an `end_point`, botocore's choice at AWS.
        client: a ready aiobotocore S3 client, used for everything and never closed;
            its credentials, endpoint, region and retries hold, not those given here.
        integrity: what every part and the object are checked with. The CRCs are
            checked over the whole object when it is finished; "md5" is for servers
            older than S3's checksums, and "none" leaves it to the connection. A store
            that confirms no checksum is told of once, by a warning in the log
            `cloudpipe`, and by the empty `checksum` of results.
        compatible: send bodies by aiobotocore's plain calls: one more copy of every
            body in flight, for servers that refuse UNSIGNED-PAYLOAD.
        connect_timeout: seconds for making a connection.
        read_timeout: seconds without progress after which a request has stalled.
        ca_file: certificates to trust; None is AWS_CA_BUNDLE or what botocore trusts.

    Proxies are those of the client, so HTTP_PROXY, HTTPS_PROXY and NO_PROXY hold. When
    the answer to CreateMultipartUpload was lost, the upload is removed if it can be
    told from others (`abort_lost`); a bucket should have a lifecycle rule with
    AbortIncompleteMultipartUpload for those that cannot, and for what SIGKILL leaves.
    """

    def __init__(  # noqa: PLR0913 - connection settings, all named, all optional
        self,
        bucket: str,
        access_key: str | None = None,
        secret: str | None = None,
        *,
        session_token: str | None = None,
        end_point: str | None = None,
        use_ssl: bool = True,
        region: str | None = None,
        addressing: Addressing = "auto",
        client: S3Client | None = None,
        integrity: Integrity = "crc64nvme",
        compatible: bool = False,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        ca_file: str | None = None,
    ) -> None:
        if not bucket:
            raise ConfigError("a bucket is required")
        if (access_key is None) != (secret is None):
            raise ConfigError("access_key and secret come together, or neither")
        if integrity not in get_args(Integrity):
            known = ", ".join(get_args(Integrity))
            raise ConfigError(f"integrity is {integrity!r}: one of {known}")
        if end_point is not None and "://" not in end_point:
            end_point = f"{'https' if use_ssl else 'http'}://{end_point}"
        if addressing == "auto" and end_point is not None:
            addressing = "path"
        self._bucket = bucket
        self._settings = ClientSettings(
            endpoint=end_point,
            use_ssl=use_ssl,
            access_key=access_key,
            secret=secret,
            session_token=session_token,
            region=region,
            addressing=addressing,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            ca_file=ca_file,
        )
        self._given_client = client
        self._integrity: Integrity = integrity
        self._compatible = compatible
        self._open_stream: PutStream | None = None
        self._stack = AsyncExitStack()
        self._open_client: S3Client | None = None
        self._base = ""
        self._uploads: set[str] = set()
        self._beginning: Counter[str] = Counter()  # keys of requests in flight
        self._initiator = ""  # who we are, as the store tells it of our uploads
        self._told_unconfirmed = False

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            with translated("start"):
                client = self._given_client
                if client is None:
                    client = await stack.enter_async_context(
                        await make_client(self._settings)
                    )
                # botocore's own word on the address (path or virtual host, region),
                # and a refusal here and now when there are no credentials.
                url = await client.generate_presigned_url(
                    "put_object", Params={"Bucket": self._bucket, "Key": "k"}
                )
                network = Network.of(client, url)
                stream = PutStream(
                    connect_timeout=self._settings.connect_timeout,
                    read_timeout=self._settings.read_timeout,
                    tls=await asyncio.to_thread(network.tls),
                    proxy=network.proxy,
                    proxy_headers=network.proxy_headers,
                )
                await stack.enter_async_context(stream)
            self._base = url.partition("?")[0].removesuffix("/k")
            self._open_client, self._open_stream = client, stream
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection of its own; idempotent."""
        self._open_client = self._open_stream = None
        await self._stack.aclose()

    async def put(self, key: str, body: Body, options: UploadOptions) -> UploadResult:
        """Store a whole object (PutObject)."""
        checksum = await self._digest(body)
        if self._compatible:
            headers = await self._plain_put(key, body, options, checksum)
        else:
            url = object_url(self._base, key)
            fields = put_headers(options) | self._checksum_header(checksum)
            headers = await self._signed_put("PutObject", url, fields, body)
        etag, told = self._check(headers, checksum)
        await self._note_unconfirmed(told)
        version = headers.get("x-amz-version-id")
        return UploadResult(key, body.size, etag, version, told)

    async def begin(self, key: str, options: UploadOptions) -> Upload:
        """Begin an upload (CreateMultipartUpload)."""
        request = create_request(self._bucket, key, options)
        if self._algorithm:
            request["ChecksumAlgorithm"] = cast(
                "ChecksumAlgorithmType", self._algorithm
            )
            full = is_full_object(self._integrity)
            request["ChecksumType"] = "FULL_OBJECT" if full else "COMPOSITE"
        client = self._client
        self._beginning[key] += 1
        try:
            with translated("CreateMultipartUpload"):
                answer = await client.create_multipart_upload(**request)
            self._uploads.add(answer["UploadId"])
        finally:
            self._beginning[key] -= 1
            self._beginning += Counter()  # drops what is zero
        return Upload(key, answer["UploadId"])

    async def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        """Store a part (UploadPart)."""
        checksum = await self._digest(body)
        if self._compatible:
            headers = await self._plain_part(upload, number, body, checksum)
        else:
            query = {"partNumber": str(number), "uploadId": upload.upload_id}
            url = object_url(self._base, upload.key, query)
            fields = self._checksum_header(checksum)
            headers = await self._signed_put("UploadPart", url, fields, body)
        etag, _ = self._check(headers, checksum)
        return Part(number, body.size, etag, checksum)

    async def list_parts(self, upload: Upload) -> Sequence[Part]:
        """List the parts the store has (ListParts), in their order."""
        request: ListPartsRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": upload.key,
            "UploadId": upload.upload_id,
        }
        found: list[Part] = []
        more = True
        while more:
            with translated("ListParts"):
                page = await self._client.list_parts(**request)
            for part in page.get("Parts", []):
                checksum = str(part.get(self._checksum_field, ""))
                etag = part["ETag"].strip('"')
                found.append(Part(part["PartNumber"], part["Size"], etag, checksum))
            more = page.get("IsTruncated", False)
            if more:
                request["PartNumberMarker"] = page["NextPartNumberMarker"]
        return found

    async def complete(self, upload: Upload, parts: Sequence[Part]) -> UploadResult:
        """Make the object (CompleteMultipartUpload), checked over the whole of it."""
        expected = checksum_of_object(self._integrity, parts)
        request = self._complete_request(upload, parts, expected)
        with translated("CompleteMultipartUpload"):
            answer = await self._client.complete_multipart_upload(**request)
        etag = answer.get("ETag", "").strip('"')
        if not etag:  # a 200 whose body is no result
            raise InternalError(
                "CompleteMultipartUpload: 200 without a result",
                operation="CompleteMultipartUpload",
                status=200,
            )
        self._uploads.discard(upload.upload_id)
        self._check_etag_of_object(etag, parts)
        told = str(answer.get(self._checksum_field, ""))
        await self._note_unconfirmed(told)
        if told and told != expected and ("-" in told) == ("-" in expected):
            raise ObjectIntegrityError(
                f"the store tells {told} of the finished object, not {expected}"
            )
        size = sum(part.size for part in parts)
        return UploadResult(upload.key, size, etag, answer.get("VersionId"), told)

    async def abort(self, upload: Upload) -> None:
        """Remove an upload and its parts (AbortMultipartUpload)."""
        with translated("AbortMultipartUpload"):
            await self._client.abort_multipart_upload(
                Bucket=self._bucket, Key=upload.key, UploadId=upload.upload_id
            )
        self._uploads.discard(upload.upload_id)

    async def head(self, key: str) -> ObjectInfo:
        """Tell what stands under a key (HeadObject)."""
        with translated("HeadObject"):
            answer = await self._client.head_object(
                Bucket=self._bucket, Key=key, ChecksumMode="ENABLED"
            )
        return ObjectInfo(
            answer["ContentLength"],
            answer["ETag"].strip('"'),
            answer.get("VersionId"),
            str(answer.get(self._checksum_field, "")),
        )

    async def abort_lost(
        self, key: str, options: UploadOptions, lost: Sequence[Span]
    ) -> bool:
        """Remove uploads that `begin` started without learning their ids.

        An upload is taken for one of those when it is of this key, was initiated (by
        the store's clock) while such a `begin` ran, by us where the store tells whom,
        with the same storage class and checksum algorithm, has no parts, and is not
        known to this target. When there are more of them than were lost nothing is
        removed: AbortFailedError. Needs the right to list uploads.
        """
        found, headers = await self._list_uploads(key)
        now = asyncio.get_running_loop().time()
        spans = by_store_clock(headers, now, lost)
        ours = [each for each in found if each["UploadId"] in self._uploads]
        for each in ours:
            self._initiator = each.get("Initiator", {}).get("ID") or self._initiator
        begun = [
            each
            for each in found
            if each not in ours
            and within(each["Initiated"], spans)
            and of_our_kind(
                each,
                storage_class=options.storage_class,
                algorithm=self._algorithm,
                initiator=self._initiator,
            )
            and await self._is_empty(Upload(key, each["UploadId"]))
        ]
        if begun and self._beginning[key]:
            return False  # one of them may be that of a pipe beside, not answered yet
        check_each_has_its_span([each["Initiated"] for each in begun], spans)
        if len(begun) < len(lost) and now - max(until for _, until in lost) < SETTLED:
            return False
        for each in begun:
            with suppress(NoSuchUploadError):
                await self.abort(Upload(key, each["UploadId"]))
        return True

    async def matches(self, info: ObjectInfo, content: Body | Sequence[Part]) -> bool:
        """Compare by checksum where the store tells one, else by ETag."""
        if isinstance(content, Body):
            size, checksum = content.size, await self._digest(content)
            if self._integrity == "md5":
                checksum = ""
        else:
            size = sum(part.size for part in content)
            checksum = checksum_of_object(self._integrity, content)
        if info.size != size:
            return False
        if checksum and info.checksum:
            return info.checksum == checksum
        if isinstance(content, Body):
            md5 = await asyncio.to_thread(digest, "md5", content.chunks)
            return info.etag == md5_hex(md5)
        return info.etag != "" and info.etag == etag_of_object(content)

    def public_url(self, key: str) -> str:
        """Return the object's address, unsigned; known once the target is open."""
        if not self._base:
            raise ClosedError("the target has not been opened")
        return object_url(self._base, key)

    @property
    def _client(self) -> S3Client:
        if self._open_client is None:
            raise ClosedError("the target is not open")
        return self._open_client

    @property
    def _algorithm(self) -> str:
        """The checksum algorithm as S3 names it, empty for those without one."""
        named = self._integrity not in ("none", "md5")
        return self._integrity.upper() if named else ""

    @property
    def _checksum_field(self) -> str:
        return f"Checksum{self._integrity.upper()}"

    async def _list_uploads(
        self, key: str
    ) -> tuple[list[MultipartUploadTypeDef], Mapping[str, str]]:
        """List the uploads of a key (ListMultipartUploads), and a page's headers."""
        request: ListMultipartUploadsRequestTypeDef = {
            "Bucket": self._bucket,
            "Prefix": key,
        }
        found: list[MultipartUploadTypeDef] = []
        while True:
            with translated("ListMultipartUploads"):
                page = await self._client.list_multipart_uploads(**request)
            found += (each for each in page.get("Uploads", []) if each["Key"] == key)
            # In the order of their keys: this key's are the first of the prefix.
            if not page.get("IsTruncated") or page.get("NextKeyMarker") != key:
                return found, page["ResponseMetadata"]["HTTPHeaders"]
            request["KeyMarker"] = key
            request["UploadIdMarker"] = page["NextUploadIdMarker"]

    async def _is_empty(self, upload: Upload) -> bool:
        try:
            return not await self.list_parts(upload)
        except NoSuchUploadError:
            return False

    async def _digest(self, body: Body) -> str:
        if body.size > _OFF_LOOP:
            return await asyncio.to_thread(digest, self._integrity, body.chunks)
        return digest(self._integrity, body.chunks)

    def _checksum_header(self, checksum: str) -> dict[str, str]:
        if not checksum:
            return {}
        if self._integrity == "md5":
            return {"Content-MD5": checksum}
        return {f"x-amz-checksum-{self._integrity}": checksum}

    def _checksum_parameter(self, checksum: str) -> dict[str, str]:
        if not checksum:
            return {}
        name = "ContentMD5" if self._integrity == "md5" else self._checksum_field
        return {name: checksum}

    async def _auth(self) -> SigV4Auth:
        """Return botocore's signer with the credentials of this moment."""
        client = self._client
        # The client's own signer: the only way to the credentials of a client that was
        # passed in, refreshed as it refreshes them.
        signer: AioRequestSigner = vars(client)["_request_signer"]
        region = client.meta.region_name
        if region == "aws-global":
            region = "us-east-1"
        auth = await signer.get_auth_instance("s3", region, signature_version="s3v4")
        return cast("SigV4Auth", auth)

    async def _signed_put(
        self, operation: str, url: str, fields: Mapping[str, str], body: Body
    ) -> Mapping[str, str]:
        """Send one signed PUT; return the answer's headers, or raise what it means."""
        with translated(operation):
            stream = self._open_stream
            if stream is None:
                raise ClosedError("the target is not open")
            request = sign_put(await self._auth(), url, fields, body.size)
            response = await stream.put(request, body)
        if response.status != 200:
            raise error_of_response(operation, response)
        return response.headers

    async def _plain_put(
        self, key: str, body: Body, options: UploadOptions, checksum: str
    ) -> Mapping[str, str]:
        parameters: dict[str, Any] = {
            **put_parameters(options),
            **self._checksum_parameter(checksum),
        }
        with translated("PutObject"):
            answer = await self._client.put_object(
                Bucket=self._bucket, Key=key, Body=b"".join(body.chunks), **parameters
            )
        return answer["ResponseMetadata"]["HTTPHeaders"]

    async def _plain_part(
        self, upload: Upload, number: int, body: Body, checksum: str
    ) -> Mapping[str, str]:
        parameters: dict[str, Any] = {**self._checksum_parameter(checksum)}
        with translated("UploadPart"):
            answer = await self._client.upload_part(
                Bucket=self._bucket,
                Key=upload.key,
                UploadId=upload.upload_id,
                PartNumber=number,
                Body=b"".join(body.chunks),
                **parameters,
            )
        return answer["ResponseMetadata"]["HTTPHeaders"]

    def _check(self, headers: Mapping[str, str], checksum: str) -> tuple[str, str]:
        """Return ETag and checksum as the store told them, when they are right."""
        etag = headers.get("etag", "").strip('"')
        told = headers.get(f"x-amz-checksum-{self._integrity}", "")
        if not etag and not told:
            # Whoever answered, it does not say that it has the bytes.
            raise InternalError("200 without an ETag or a checksum", status=200)
        if self._integrity == "md5":
            # With KMS the ETag is no MD5 (S3, "Object integrity").
            plain = headers.get("x-amz-server-side-encryption", "AES256") == "AES256"
            if plain and etag != md5_hex(checksum):
                raise IntegrityError(f"the store tells ETag {etag} of what was sent")
            return etag, ""
        if told and told != checksum:
            raise IntegrityError(f"the store tells checksum {told} of what was sent")
        return etag, told

    def _check_etag_of_object(self, etag: str, parts: Sequence[Part]) -> None:
        """With MD5: compare multipart ETags, where parts and object tell plain ones."""
        if self._integrity != "md5" or not _MULTIPART_ETAG.fullmatch(etag):
            return
        plain = all(part.etag == md5_hex(part.checksum) for part in parts)
        if plain and etag != etag_of_object(parts):
            raise ObjectIntegrityError(
                f"the store tells ETag {etag} of the finished object, not"
                f" {etag_of_object(parts)}"
            )

    async def _note_unconfirmed(self, told: str) -> None:
        if told or not self._algorithm or self._told_unconfirmed:
            return
        self._told_unconfirmed = True
        await asyncio.to_thread(  # handlers write to files and terminals
            _log.warning,
            "the store of bucket %r confirms no %s checksum, so it may not check any;"
            ' with integrity="md5" the ETags are compared',
            self._bucket,
            self._integrity,
        )

    def _complete_request(
        self, upload: Upload, parts: Sequence[Part], checksum: str
    ) -> CompleteMultipartUploadRequestTypeDef:
        named = checksum != ""
        listed: list[CompletedPartTypeDef] = []
        for part in parts:
            entry: dict[str, Any] = {"PartNumber": part.number, "ETag": part.etag}
            if named:
                entry[self._checksum_field] = part.checksum
            listed.append(cast("CompletedPartTypeDef", entry))
        request: dict[str, Any] = {
            "Bucket": self._bucket,
            "Key": upload.key,
            "UploadId": upload.upload_id,
            "MultipartUpload": {"Parts": listed},
        }
        if named and is_full_object(self._integrity):
            request[self._checksum_field] = checksum
            request["ChecksumType"] = "FULL_OBJECT"
        return cast("CompleteMultipartUploadRequestTypeDef", request)
