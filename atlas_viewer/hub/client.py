"""How requests to the Hugging Face hub are made: headers, library settings, and errors turned into `FetchError`s.

The environment variables HF_ENDPOINT and HF_HUB_OFFLINE and those for proxies are respected. The token in HF_TOKEN is
sent only for models whose owner wants to know who asks, and for repositories outside of the catalogue.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import logging as hub_logging

from atlas_viewer import __version__
from compute.errors import FetchError
from compute.io.system_errors import reason_of

# No compression, so that sizes match those of the files and an interrupted transfer can be resumed.
HEADERS = {"user-agent": f"atlas-viewer/{__version__}", "accept-encoding": "identity"}

# The maximum that a broken connection loses and that is downloaded after `stop`. The library's 10 MiB would take long
# on a slow line.
constants.DOWNLOAD_CHUNK_SIZE = 1 << 18
# Disabled, because for its telemetry the library searches for the programs that it might be running in.
constants.HF_HUB_DISABLE_TELEMETRY = True
hub_logging.set_verbosity(logging.ERROR)  # its warnings about retries would break our progress bar


def endpoint() -> str | None:
    """The hub's address if it is not the usual one."""
    # Read on each call, because the library reads the variable only once, when it is imported.
    return os.environ.get("HF_ENDPOINT") or None


def token() -> str | None:
    """The user's token for the hub, from the environment."""
    return os.environ.get("HF_TOKEN") or None


def headers_for(token: str | None) -> dict[str, str]:
    """The headers of a request."""
    return {**HEADERS, **({} if token is None else {"authorization": f"Bearer {token}"})}


@contextmanager
def failures_as_fetch_errors(what: str) -> Iterator[None]:
    """Turn library and system errors into a `FetchError` that begins with `what`."""
    try:
        yield
    except OfflineModeIsEnabled:
        raise FetchError(f"{what}: HF_HUB_OFFLINE is set, so nothing is fetched; unset it and fetch again") from None
    except RevisionNotFoundError:
        raise FetchError(
            f"{what}: the hub no longer has this revision; check for a newer version of atlas-viewer"
        ) from None
    except RemoteEntryNotFoundError:
        raise FetchError(f"{what}: the hub has no such file; check for a newer version of atlas-viewer") from None
    except GatedRepoError:
        raise FetchError(
            f"{what}: is gated; accept its license on its page on the hub, then set HF_TOKEN to a token of your account"
        ) from None
    except RepositoryNotFoundError:
        raise FetchError(
            f"{what}: the hub has no such repository; check its name, or for a newer version of atlas-viewer"
        ) from None
    except HfHubHTTPError as error:
        raise FetchError(
            f"{what}: the hub answered with status {error.response.status_code}; fetch again later"
        ) from None
    except httpx2.ProxyError as error:
        raise FetchError(
            f"{what}: the proxy refused the request ({reason_of(error)}); check HTTPS_PROXY and NO_PROXY"
        ) from None
    except httpx2.TimeoutException:
        raise FetchError(
            f"{what}: the hub does not answer; what has been downloaded is kept, so fetch again to resume"
        ) from None
    except httpx2.TooManyRedirects:
        raise FetchError(f"{what}: the hub redirects endlessly; check HF_ENDPOINT and the proxy") from None
    except ValueError as error:  # raised by the standard library for addresses that it cannot parse
        raise FetchError(f"{what}: the hub's address is not usable ({reason_of(error)}); check HF_ENDPOINT") from None
    except (httpx2.RequestError, httpx2.InvalidURL) as error:
        raise FetchError(
            f"{what}: the connection failed ({reason_of(error)});"
            " check the network and HTTPS_PROXY, then fetch again to resume"
        ) from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise FetchError(f"{what}: the disk is full; free some space, then fetch again to resume") from None
        raise FetchError(f"{what}: cannot be written ({reason_of(error)}); check the cache folder") from None
