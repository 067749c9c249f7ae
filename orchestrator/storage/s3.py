"""A bucket of an S3-compatible service. Credentials come from the normal chain of boto3 and are kept nowhere.

Only what every such service does the same way is used: put, get, delete, list, multipart. Objects are deleted
one by one, because the request for many carries a checksum on which services disagree.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, final

import boto3
import botocore.session
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader, create_loader
from botocore.response import StreamingBody
from urllib3.exceptions import HTTPError

from orchestrator.errors import InputError, StoreError
from orchestrator.storage.base import Bucket, Entry, StoreConfig
from orchestrator.storage.cache import Cache
from orchestrator.storage.disk import explained
from orchestrator.storage.remembered import Remembered
from orchestrator.storage.scratch import Scratch

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

T = TypeVar("T")
U = TypeVar("U")
PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")
ABSENT = ("404", "NoSuchKey", "NoSuchBucket", "NotFound")
FORBIDDEN = ("401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken")
BROKEN_OFF = (
    exceptions.ReadTimeoutError,
    exceptions.ResponseStreamingError,
    exceptions.IncompleteReadError,
    HTTPError,  # botocore lets it through where an error breaks off that answers a request for a content
)
CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.ProfileNotFound,
    exceptions.NoRegionError,
)
#: With the waits of botocore between them about a minute in all: an outage of half a minute passes unnoticed.
ATTEMPTS = 10
#: botocore does not repeat what breaks off in the body; so long we wait before we do.
BODY_PAUSES = (0.5, 1.0, 2.0, 4.0, None)
CHUNK_BYTES = 1 << 20
TRANSFER = TransferConfig(max_concurrency=4)
#: The hosts of AWS itself; behind any other is a compatible service.
AMAZON = re.compile(r"^https?://[^/]*\.amazonaws\.com(\.cn)?(:\d+)?(/|$)")
LOGIN = "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile, that may use it"
ADVICE = "run the same command again when it can be reached; what is finished is kept"


def parse(uri: str) -> tuple[str, str]:
    """The bucket and the prefix (empty, or ending with a slash) of ``s3://bucket/prefix``.

    Raises:
        InputError: it is none. It is not repeated when it may hold a password.
    """
    if "@" in uri:
        raise InputError(
            "store: an s3:// address holds no login; leave credentials to the environment or a profile"
        )
    match = PLACE.fullmatch(uri)
    if match is None:
        raise InputError(
            f"store {uri}: an S3 store is s3://bucket/prefix, the bucket 3 to 63 of a-z, 0-9, . and -"
        )
    parts = [part for part in (match[2] or "").split("/") if part]
    if any(part in (".", "..") for part in parts):
        raise InputError(f"store {uri}: a prefix holds no . and .. parts")
    return match[1], "".join(f"{part}/" for part in parts)


@final
class S3Bucket(Bucket):
    """The objects of one bucket below one prefix; what is fetched is kept on this machine below ``local``."""

    parallel: ClassVar[int] = 16

    def __init__(self, config: StoreConfig, local: Path | None = None) -> None:
        self.config = config
        self._bucket, self._prefix = parse(config.uri)
        self._local = local or Path(tempfile.gettempdir()) / f"sparsweep-{os.getuid()}"
        self._scratch = Scratch(self._local / "scratch")
        place = hashlib.sha256(f"{config.endpoint} {self.uri}".encode()).hexdigest()[:16]
        self._cache = Cache(self._local / "cache" / place, self._scratch)
        self._remembered = Remembered(self._local / "read" / place, self._scratch)
        self._opening = threading.Lock()
        self._opened: tuple[int, S3Client] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return S3Bucket, (self.config, self._local)

    @property
    def uri(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def check(self) -> None:
        """List one object, to find out at once whether the place can be used.

        Raises:
            InputError: there is no such bucket, profile or permission, or there are no credentials; or the
                folder for copies on this machine is somebody else's.
            StoreError: the service cannot be reached.
        """
        try:
            client = self._connect(attempts=2)
            client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
        except CREDENTIALS as error:
            raise InputError(f"store {self.uri}: {str(error).rstrip('.')}; {LOGIN}") from None
        except ClientError as error:
            if _code(error) in ABSENT:
                raise InputError(
                    f"store {self.uri}: there is no bucket {self._bucket!r}; make it first"
                ) from None
            if _code(error) in FORBIDDEN:
                raise InputError(f"store {self.uri}: no permission ({_code(error)}); {LOGIN}") from None
            raise StoreError(f"{self.uri}: cannot list: {error}; {ADVICE}") from error
        except ValueError as error:  # an endpoint that is no address
            raise InputError(f"store {self.uri}: {error}; an endpoint is https://host:port") from None
        except BotoCoreError as error:
            raise StoreError(f"{self.uri}: cannot list: {error}; {ADVICE}") from error

    def list(self, prefix: str) -> Iterator[Entry]:
        for page, _ in self._pages(prefix):
            yield from page

    def _pages(self, prefix: str) -> Iterator[tuple[Sequence[Entry], bool]]:
        """The pages of a listing, and whether there are more after each."""
        with self._explained("list", prefix):
            pages = self._client().get_paginator("list_objects_v2")
            start = self._prefix + prefix
            for page in pages.paginate(
                Bucket=self._bucket, Prefix=start, PaginationConfig={"PageSize": self.page}
            ):
                yield tuple(map(self._entry, page.get("Contents", ()))), page.get("IsTruncated", False)

    def _entry(self, found: ObjectTypeDef) -> Entry:
        size, modified = found["Size"], found["LastModified"].timestamp()
        tag = f"{found['ETag']} {size} {modified}" if found.get("ETag") else ""
        return Entry(found["Key"][len(self._prefix) :], size, modified, tag)

    def entries(self, prefix: str) -> Sequence[Entry]:
        first, is_truncated = next(self._pages(prefix))
        if not is_truncated:
            return first
        listed = self._each(lambda digit: [*self.list(prefix + digit)], "0123456789abcdef")
        return [entry for entries in listed for entry in entries]

    def holders(self, prefix: str, name: str) -> dict[str, str]:
        found = {}
        for entry in self.entries(prefix):
            folder, _, rest = entry.key[len(prefix) :].partition("/")
            if rest == name and entry.size:
                found[folder] = entry.tag
        return found

    def get(self, key: str, tag: str = "") -> bytes:
        found = self._remembered.get(key, tag) if tag else None
        if found is None:
            found = self._read(key, lambda body: body.read())
            if tag:  # what was written since the listing is kept under a tag that no later listing gives
                self._remembered.keep(key, tag, found)
        return found

    def fetch(self, key: str, path: Path) -> None:
        with self._explained("read", key):
            try:
                self._client().download_file(self._bucket, self._prefix + key, str(path), Config=TRANSFER)
            except ClientError as error:
                if _code(error) in ABSENT:
                    raise KeyError(key) from None
                raise

    def sha256(self, key: str) -> str:
        def hashed(body: StreamingBody) -> str:
            found = hashlib.sha256()
            for chunk in body.iter_chunks(CHUNK_BYTES):
                found.update(chunk)
            return found.hexdigest()

        return self._read(key, hashed)

    def _read(self, key: str, take: Callable[[StreamingBody], T]) -> T:
        """What ``take`` makes of the content of an object."""
        with self._explained("read", key):
            for wait_seconds in BODY_PAUSES:
                try:
                    found = self._client().get_object(Bucket=self._bucket, Key=self._prefix + key)
                    return take(found["Body"])
                except ClientError as error:
                    if _code(error) in ABSENT:
                        raise KeyError(key) from None
                    raise
                except BROKEN_OFF:
                    if wait_seconds is None:
                        raise
                    time.sleep(wait_seconds)
        raise AssertionError("the last try returns or raises")

    def put(self, key: str, data: bytes) -> None:
        with self._explained("write", key):
            self._client().put_object(Bucket=self._bucket, Key=self._prefix + key, Body=data)

    def delete(self, keys: Iterable[str]) -> None:
        def forget(key: str) -> None:
            with self._explained("delete", key):
                self._client().delete_object(Bucket=self._bucket, Key=self._prefix + key)

        self._each(forget, list(keys))

    def remove(self, prefix: str) -> None:
        self.delete([entry.key for entry in self.list(prefix)])

    def upload(self, folder: Path, prefix: str) -> None:
        def send(path: Path) -> None:
            key = f"{prefix}{path.relative_to(folder).as_posix()}"
            with self._explained("write", key):
                self._client().upload_file(str(path), self._bucket, self._prefix + key, Config=TRANSFER)

        self._each(send, [path for path in folder.rglob("*") if path.is_file()])

    def download(self, prefix: str, names: Collection[str], *, fresh: bool = False) -> Path:
        with explained(str(self._local), "write"):
            folder = self._cache.folder(prefix)
            wanted = [name for name in names if fresh or not (folder / name).exists()]
            self._each(lambda name: self._fill(prefix, folder, name), wanted)
            if wanted:
                self._cache.trim()
        return folder

    def _fill(self, prefix: str, folder: Path, name: str) -> None:
        self._cache.fill(folder / name, lambda path: self.fetch(prefix + name, path))

    @property
    def scratch(self) -> Scratch:
        return self._scratch

    def now(self) -> float:
        with self._explained("ask", "the time"):
            answer = self._client().list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
            date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
        return parsedate_to_datetime(date).timestamp()

    def _each(self, act: Callable[[U], T], items: Sequence[U]) -> Sequence[T]:
        """What ``act`` returns for each item, at most `parallel` at once."""
        if len(items) < 2:  # noqa: PLR2004 - one request needs no threads
            return [act(item) for item in items]
        with ThreadPoolExecutor(self.parallel) as threads:
            return [*threads.map(act, items)]

    def _client(self) -> S3Client:
        """The client of this process; temporary credentials refresh themselves in it."""
        with self._opening:
            if self._opened is None or self._opened[0] != os.getpid():
                self._opened = os.getpid(), self._connect(ATTEMPTS)
            return self._opened[1]

    def _connect(self, attempts: int) -> S3Client:
        _claim(self._local)
        inner = botocore.session.Session()
        inner.register_component("data_loader", _descriptions())
        session = boto3.Session(
            botocore_session=inner, profile_name=self.config.profile, region_name=self.config.region
        )
        client = self._opened_with(session, self.config.endpoint, attempts)
        endpoint = client.meta.endpoint_url
        if self.config.endpoint or AMAZON.search(endpoint):
            return client
        return self._opened_with(session, endpoint, attempts)  # the user's profile names another service

    def _opened_with(self, session: boto3.Session, endpoint: str | None, attempts: int) -> S3Client:
        # Many compatible services refuse the checksums that are the default; we verify every read ourselves.
        checksums: Literal["when_required"] | None = "when_required" if endpoint else None
        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": attempts},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=4 * self.parallel,
            s3={"addressing_style": "path" if endpoint else "auto"},
            request_checksum_calculation=checksums,
            response_checksum_validation=checksums,
        )
        region = session.region_name or ("us-east-1" if endpoint else None)
        return session.client("s3", endpoint_url=endpoint, region_name=region, config=config)

    @contextmanager
    def _explained(self, verb: str, key: str) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error, HTTPError) as error:
            advice = f"no permission; {LOGIN}" if _code(error) in FORBIDDEN else ADVICE
            raise StoreError(f"{self.uri}/{key}: cannot {verb}: {error}; {advice}") from error


def _claim(folder: Path) -> None:
    """Make ``folder`` for this user alone; what is read from it is believed.

    Raises:
        InputError: somebody else may write there.
    """
    with suppress(OSError):  # where it cannot be made nothing is kept, and a write will say why
        folder.mkdir(mode=0o700, parents=True)
    with suppress(OSError):
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise InputError(
                f"{folder}: copies from a store are kept there, and others may write to it;"
                " remove it, or name another place with TMPDIR"
            )


@cache
def _descriptions() -> Loader:
    """What botocore reads of its services from files, for all clients of a process: 60 ms the first time."""
    return create_loader(os.environ.get("AWS_DATA_PATH"))


def _code(error: Exception) -> str:
    """The code that the service gave, or nothing."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
