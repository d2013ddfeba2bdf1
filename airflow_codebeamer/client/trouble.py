"""What it means when no answer came: was anything sent, and what helps.

Knows the libraries' exceptions by what they carry, sends nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)

from airflow_codebeamer.errors import (
    CodebeamerError,
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    Retry,
)
from airflow_codebeamer.settings import ServerSettings

__all__ = ["error_without_answer"]

#: How the library starts a complaint about a missing file of certificates.
_NO_BUNDLE = "Could not find a suitable TLS CA certificate bundle"

#: Python functions that run while a TLS connection is being set up.
_TLS_SETUP = frozenset({"do_handshake", "ssl_wrap_socket"})

_UNSENT = (ConnectTimeoutError, NewConnectionError, ProxyError)


def error_without_answer(
    trouble: Exception, method: str, settings: ServerSettings
) -> CodebeamerError:
    """Say in one sentence what went wrong, and whether the request had left.

    In doubt it had: repeating a write that happened is worse than looking.
    The result does not refer to `trouble`, which carries credentials.
    """
    if isinstance(trouble, ValueError):
        # Raised while the request is put together: an address or a header.
        return ConfigurationError(
            "url", "this is no address that a request can be sent to; check its letters"
        )
    if _NO_BUNDLE in str(trouble):
        return ConfigurationError(
            "verify", "the file of certificates cannot be read; check its path"
        )
    chain = list(_chain(trouble))
    if any(_happened_in_tls_setup(error) for error in chain):
        return _tls_error(chain, method, settings)
    if any(isinstance(error, _UNSENT) for error in chain):
        sentence = f"{settings.base} was not reached, {_unreached(chain, settings)}."
        return NotSentError(sentence, address=settings.base, method=method)
    if any(isinstance(error, ReadTimeoutError) for error in chain):
        problem = f"did not answer within {settings.read_timeout_seconds:g} seconds"
    else:
        problem = "broke the connection before its answer was complete"
    return OutcomeUnknownError(
        f"{settings.base} {problem}; whether the {method} took effect is unknown, look "
        "before writing again.",
        address=settings.base,
        method=method,
    )


def _unreached(chain: list[BaseException], settings: ServerSettings) -> str:
    def among(kind: type[BaseException]) -> bool:
        return any(isinstance(error, kind) for error in chain)

    if among(ProxyError):
        return (
            "the proxy did not let us through: check HTTP_PROXY, HTTPS_PROXY and "
            "NO_PROXY"
        )
    if among(NameResolutionError):
        return "no machine has that name: check the address"
    if among(ConnectionRefusedError):
        return "nothing listens there: check address and port, or start the server"
    if among(ConnectTimeoutError):
        seconds = f"{settings.connect_timeout_seconds:g}"
        return f"no connection within {seconds} seconds: check address and firewall"
    return "no connection could be made: check the address and the network"


#: Words in the complaint of the TLS library, the first that fits counts.
_TLS_REASONS = (
    (
        ("ostname mismatch", "IP address mismatch"),
        "its certificate is for another name: use the name in the certificate as "
        "address",
    ),
    (
        ("certificate has expired",),
        "its certificate has expired: have it renewed",
    ),
    (
        ("CERTIFICATE_VERIFY_FAILED",),
        "its certificate is not trusted: set `verify` to the path of the CA bundle "
        "that signed it",
    ),
    (
        ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"),
        "it does not speak TLS on that port: check port and https in the url",
    ),
    (
        ("X509", "PEM"),
        "the file that `verify` names holds no certificates: check it",
    ),
)


def _tls_error(
    chain: list[BaseException], method: str, settings: ServerSettings
) -> NotSentError:
    text = " ".join(str(error) for error in chain)
    found = [
        reason for words, reason in _TLS_REASONS if any(word in text for word in words)
    ]
    broken = "the connection broke while TLS was set up: check port and proxy"
    reason = found[0] if found else broken
    error = NotSentError(
        f"No TLS connection to {settings.base}, {reason}.",
        address=settings.base,
        method=method,
    )
    if found:
        error.retry = Retry.NEVER
    return error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that led to it."""
    todo: list[object] = [error]
    seen: set[int] = set()
    while todo:
        found = todo.pop()
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        todo += [found.__cause__, found.__context__, *found.args]


def _happened_in_tls_setup(error: BaseException) -> bool:
    """Tell whether an error came up before a TLS connection was ready.

    Its class does not tell: a broken connection gives the same ones later,
    when the request has been sent.
    """
    frames = error.__traceback__
    while frames is not None:
        if frames.tb_frame.f_code.co_name in _TLS_SETUP:
            return True
        frames = frames.tb_next
    return False
