"""One file from an https address, resumed where an earlier download broke off."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from harness.assets.declaration import Url
from harness.errors import UserError

OnProgress = Callable[[int, int], None]

_PIECE = 1 << 18
_TIMEOUT = 60.0
"""Seconds without a byte."""
RETRIES = 3
PASSING = (408, 429, 500, 502, 503, 504)
"""Answers of a server that may be others a moment later: too late, too many, or something behind it is down."""
BACKOFF = 0.5
"""Seconds before the second retry, doubled with each; the first comes at once."""


def download(address: Url, size: int, folder: Path, on_progress: OnProgress) -> Path:
    """Download the file to `folder`; returns it. What is there of it already is not asked for again.

    The proxy and certificate settings of the environment hold (`https_proxy`, `SSL_CERT_FILE`). `size`: how many
    bytes the file has. A connection that breaks off goes on where it stopped. Raises UserError where the address can't
    be reached or breaks off again and again: what came by then stays.
    """
    file = _file(address, folder)
    if _length(file) > size:
        file.unlink()

    def go_on() -> None:
        have = _length(file)
        if have == size:
            return
        request = urllib.request.Request(address.url, headers={"Range": f"bytes={have}-"} if have else {})
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            if response.status != 206:  # the server has no ranges: it sends the file from the start
                have = 0
            with file.open("r+b" if have else "wb") as output:
                output.seek(have)
                _receive(response, output.write, have, size, on_progress)

    _until_it_came(address.url, go_on, lambda: _length(file))
    if _length(file) != size:
        raise UserError(f"{_length(file)} bytes came instead of {size}", place=address.url)
    on_progress(size, size)
    return file


def download_of_unknown_size(address: Url, about: int, folder: Path, on_progress: OnProgress) -> Path:
    """Download a file that the server makes again for everybody, from its start; returns it. Errors as in `download`.

    `about`: how many bytes are expected, for the progress.
    """
    file = _file(address, folder)

    def begin() -> None:
        with urllib.request.urlopen(address.url, timeout=_TIMEOUT) as response, file.open("wb") as output:
            _receive(response, output.write, 0, None, lambda have, _: on_progress(min(have, about), about))

    _until_it_came(address.url, begin, lambda: 0)
    on_progress(about, about)
    return file


def _file(address: Url, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / address.url.rpartition("/")[2]


def _length(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _until_it_came(url: str, attempt: Callable[[], None], have: Callable[[], int]) -> None:
    """Call `attempt`, and again where the network breaks off or the server is busy: `RETRIES` times in a row without a
    byte more than before (`have`). Raises UserError where that doesn't help, or can't, as for a file that isn't there.
    """
    from urllib3.exceptions import MaxRetryError
    from urllib3.util import Retry

    # what a server asks to wait (Retry-After) may be a day: the next `get` goes on where this one stopped
    fresh = Retry(RETRIES, status_forcelist=PASSING, backoff_factor=BACKOFF, respect_retry_after_header=False)
    left, most = fresh, have()
    while True:
        try:
            return attempt()
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            failed = UserError(f"the download broke off: {getattr(error, 'reason', error)}", place=url)
            if isinstance(error, urllib.error.HTTPError) and not fresh.is_retry("GET", error.code):
                raise failed from error
            if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
                raise failed from error
            if have() > most:
                left, most = fresh, have()
            try:
                left = left.increment("GET", url, error=error)
            except MaxRetryError:
                raise failed from error
            left.sleep()


def _receive(
    response: http.client.HTTPResponse,
    write: Callable[[bytes], int],
    have: int,
    size: int | None,
    on_progress: OnProgress,
) -> None:
    """Write what comes behind the first `have` bytes. Raises ConnectionError where less came than was announced."""
    while piece := response.read1(_PIECE):
        write(piece)
        have += len(piece)
        if size is None:
            on_progress(have, have)
            continue
        on_progress(min(have, size), size)
        if have > size:
            return
    if response.length:  # http.client takes it for the end
        raise ConnectionError(f"the server closed the connection {response.length:,} bytes before the end")
