"""A webhook: an address that takes a message when a verdict is there.

The address is a secret, as whoever has it can write to the channel: no sentence quotes any of it. A message that can't
be delivered changes no verdict.
"""

from __future__ import annotations

import time
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args
from urllib.parse import SplitResult, urlsplit

from harness import strict_json
from harness.errors import WrongArgument, shown
from harness.gate.announced.messages import Format

if TYPE_CHECKING:
    import urllib3

VARIABLE = "HARNESS_WEBHOOK"
"""The environment variable that says the address, so that no log of commands has it."""
TRIES = 3
PASSING = (408, 429, 500, 502, 503, 504)
"""Answers that may be others a moment later."""
FIRST_WAIT = 1.0
"""Seconds before the second try, doubled with each."""
MOST_WAIT = 10.0
"""Of what a server asks to wait (Retry-After)."""
TIMEOUT = 10.0
"""Seconds to connect, and without a byte."""
_HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Webhook:
    """Where a message goes, and in which form."""

    address: str = field(repr=False)
    form: Format = "json"


def webhook(address: str, form: str, place: str = "webhook") -> Webhook:
    """A webhook from its address and the name of a form. Raises UserError, which does not quote the address."""
    address = address.strip()
    forms = get_args(Format)
    if form not in forms:
        raise WrongArgument(f"is one of {', '.join(forms)}, not '{shown(form)}'", place=f"{place}_format")
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise WrongArgument("is no web address (it is a secret, so it is not shown)", place=place) from None
    if not address.isascii() or not address.isprintable() or " " in address or not parts.hostname:
        raise WrongArgument("is no web address (it is a secret, so it is not shown)", place=place)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
        raise WrongArgument("has to begin with https:// (http:// only for localhost)", place=place)
    return Webhook(address, form)  # type: ignore[arg-type]


def post(hook: Webhook, body: object) -> str | None:
    """Send a message; None where it was taken, else why it was not, as a sentence that does not quote the address.

    Tries again where the server is busy. Redirects are not followed: the message would go to whoever is named there.
    """
    from urllib3.exceptions import HTTPError
    from urllib3.util import Retry, Timeout

    content = strict_json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "harness"}
    why = ""
    for number in range(TRIES):
        wait = FIRST_WAIT * 2**number
        try:
            with _pool(urlsplit(hook.address)) as pool:
                answer = pool.request(
                    "POST",
                    hook.address,
                    body=content,
                    headers=headers,
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    timeout=Timeout(connect=TIMEOUT, read=TIMEOUT),
                )
                answer.close()
        except (HTTPError, OSError, ValueError) as error:  # whose texts quote the address
            why = _reason(error)
        else:
            if answer.status < 300:
                return None
            if answer.status < 400:
                return f"it answers with a redirect ({answer.status}), which is not followed: give the address it is at"
            why = f"it answers {answer.status}"
            if answer.status not in PASSING:
                return why
            try:
                asked = Retry().get_retry_after(answer)
            except (HTTPError, ValueError):
                asked = None
            wait = wait if asked is None else asked
        if number + 1 < TRIES:
            time.sleep(min(wait, MOST_WAIT))
    return f"{why}, {TRIES} times"


def _pool(address: SplitResult) -> urllib3.PoolManager:
    """Connections by the proxy settings of the environment."""
    import urllib3

    proxy = urllib.request.getproxies().get(address.scheme)
    if proxy and not urllib.request.proxy_bypass(address.hostname or ""):
        return urllib3.ProxyManager(proxy if "://" in proxy else f"http://{proxy}")
    return urllib3.PoolManager()


def _reason(error: Exception) -> str:
    from urllib3 import exceptions as of

    inner = getattr(error, "reason", None) or error
    if isinstance(inner, of.NameResolutionError):
        return "its host is not known"
    if isinstance(inner, of.NewConnectionError):  # which urllib3 counts among the timeouts
        return "it can't be reached (no connection)"
    if isinstance(inner, of.SSLError):
        return "its certificate is not trusted, or TLS failed"
    if isinstance(inner, of.TimeoutError | TimeoutError):
        return f"it does not answer within {TIMEOUT:g} s"
    if isinstance(inner, of.ProxyError):
        return "the proxy of the environment can't be reached"
    return f"it can't be reached ({type(inner).__name__})"
