"""A store in a bucket, by obstore: S3, Google Cloud Storage or Azure, or in memory for tests.

Every object is one request (``use_multipart=False``): what is uploaded in parts cannot be create-only.
Credentials and endpoints are those of each cloud's usual variables.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bundle.archive.store import Entry, Exists, Missing, StoreError, too_large
from bundle.errors import UsageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "memory")


class BucketStore:
    """The objects below a prefix of a bucket; an object's time is its LastModified."""

    def __init__(self, url: str, store: ObjectStore) -> None:
        self._url = url
        self._store = store

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``."""
        return self._url

    def create(self, name: str, data: bytes) -> None:
        """As ``Store``. An answer that was lost may have been a success: what is there and equal is ours."""
        import obstore  # noqa: PLC0415 - an extra

        try:
            with self._errors(name):
                obstore.put(self._store, name, data, mode="create", use_multipart=False)
        except Exists:
            if self.read(name, len(data)) != data:
                raise

    def read(self, name: str, most: int) -> bytes:
        """As ``Store``."""
        import obstore  # noqa: PLC0415 - an extra

        with self._errors(name):
            answer = obstore.get(self._store, name)
            if answer.meta["size"] > most:
                raise too_large(self.url, name, most)
            return bytes(answer.bytes())

    def list(self, prefix: str) -> Iterator[Entry]:
        """As ``Store``."""
        import obstore  # noqa: PLC0415 - an extra

        with self._errors(prefix):
            for page in obstore.list(self._store, prefix=prefix.rstrip("/") or None):
                for each in page:
                    yield Entry(each["path"], each["size"], each["last_modified"])

    def delete(self, name: str) -> None:
        """As ``Store``."""
        import obstore  # noqa: PLC0415 - an extra

        with contextlib.suppress(Missing), self._errors(name):
            obstore.delete(self._store, name)

    @contextlib.contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        from obstore import exceptions  # noqa: PLC0415 - an extra

        try:
            yield
        except exceptions.AlreadyExistsError as error:
            raise Exists(f"{self.url}: {name} exists", hint="nothing in a store is replaced") from error
        # Of an S3 server that answers "If-None-Match: *" with 412 instead of 409.
        except exceptions.PreconditionError as error:
            raise Exists(f"{self.url}: {name} exists", hint="nothing in a store is replaced") from error
        except (exceptions.NotFoundError, FileNotFoundError) as error:
            raise Missing(f"{self.url}: there is no {name}", hint="`xfer archive check` names what is lost") from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise StoreError(
                f"{self.url}: access to {name} is denied", hint="check the credentials in the cloud's usual variables"
            ) from error
        except (exceptions.BaseError, OSError) as error:
            raise StoreError(
                f"{self.url}: {name}: {_kind(error)}",
                hint="check the URL, the network and the endpoint (AWS_ENDPOINT_URL), then run the same command again",
            ) from error


def connect(url: str) -> BucketStore:
    """The store at a URL (``s3://bucket/prefix``).

    Raises:
        UsageError: obstore is not installed, or cannot use the URL.
    """
    try:
        from obstore import exceptions  # noqa: PLC0415 - an extra
        from obstore.store import from_url  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError(
            f"{url}: a bucket as a store needs obstore, which is not installed", hint="pip install 'xfer[archive]'"
        ) from error
    try:
        return BucketStore(url, from_url(url, retry_config={"max_retries": 5}))
    except (exceptions.BaseError, ValueError, TypeError) as error:
        raise UsageError(
            f"{url}: not a store that can be used: {_kind(error)}",
            hint="like s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, or a directory",
        ) from error


def _kind(error: Exception) -> str:
    """What went wrong without the library's own text, which can hold what was sent."""
    return type(error).__name__.removesuffix("Error").lower() + " error"
