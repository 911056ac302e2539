"""What a place is called: a path of this machine, or a URL whose scheme says which store holds it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote

from raykd.errors import UserError, unknown

SCHEMES = {
    "s3": "s3://BUCKET/PREFIX",
    "gs": "gs://BUCKET/PREFIX",
    "abfss": "abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX",
    "abfs": "abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX",
    "file": "file:///FOLDER",
}
# One slash is enough to be taken for a URL: "s3:/bucket" is a slip, not a folder called "s3:".
URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


def is_url(place: str | Path) -> bool:
    """Whether `place` has a scheme: ``s3://``, ``gs://``, ``file://`` and so on, known or not."""
    return URL.match(str(place)) is not None


def split(url: str) -> tuple[str, str, str]:
    """Scheme, bucket (with what says where it is) and path without slashes at its ends."""
    scheme, _, rest = url.partition("://")
    bucket, _, path = rest.partition("/")
    if scheme == "file":  # the one kind whose URLs are percent-encoded: elsewhere a key is written as it is
        path = unquote(path)
    return scheme, bucket, "/".join(part for part in path.split("/") if part)


def root(url: str) -> str:
    """``scheme://bucket``: what is away or there as a whole. Paths of this machine share one."""
    if not is_url(url):
        return "file://"
    scheme, bucket, _ = split(url)
    return f"{scheme}://{bucket}"


def check_url(url: str) -> None:
    """Raises UserError with everything that is wrong with `url`; a secret in it is not repeated."""
    shown = _without_secrets(url)
    match = URL.match(url)
    if match is None:
        raise UserError(f"'{shown}' is no URL (allowed: {', '.join(SCHEMES.values())})")
    if match[1] not in SCHEMES:
        raise UserError(f"'{shown}': {unknown('scheme', match[1], SCHEMES)}")
    form = SCHEMES[match[1]]
    if not url.startswith(f"{match[1]}://"):
        raise UserError(f"'{shown}': a URL has two slashes after its scheme ({form})")
    scheme, bucket, path = split(url)
    problems = []
    if _has_secrets(url):
        problems.append("credentials do not belong into a URL, where logs repeat them: give them in the environment")
    elif scheme == "file" and bucket:
        problems.append(f"a file URL names no machine ({form})")
    elif scheme in ("s3", "gs") and ":" in bucket:
        problems.append(f"a server's address does not belong into the URL: set AWS_ENDPOINT_URL for it ({form})")
    elif scheme != "file" and not bucket.partition("@")[0]:
        problems.append(f"it names no bucket ({form})")
    elif scheme in ("abfs", "abfss") and not bucket.partition("@")[2]:
        problems.append(f"it names no account ({form})")
    if any(unquote(part) in ("..", ".") for part in path.split("/")):
        problems.append("'.' and '..' are not allowed in it")
    if scheme != "file" and re.search("[?#]", url):
        problems.append("'?' and '#' are not allowed in it; what they would set comes from the environment")
    if CONTROL.search(url):
        problems.append("control characters and backslashes are not allowed in it")
    if problems:
        raise UserError(*(f"'{shown}': {problem}" for problem in problems))


def _has_secrets(url: str) -> bool:
    """``user:secret@bucket`` or ``key@bucket``; a container in an Azure account is no user. A secret may hold '/'."""
    scheme, bucket, _ = split(url)
    if scheme in ("abfs", "abfss"):
        return ":" in bucket.rpartition("@")[0]
    return "@" in bucket or (":" in bucket and "@" in url)


def _without_secrets(url: str) -> str:
    """`url` for a message: no user, no secret, no query."""
    scheme, separator, rest = url.partition("://")
    if separator and _has_secrets(url):
        url = f"{scheme}://***@{rest.rpartition('@')[2]}"
    return re.sub(r"\?.*", "?...", url, flags=re.DOTALL)


def join(place: str, *parts: str) -> str:
    """`parts` below `place`, a path or a URL. Raises UserError for a part that could leave it."""
    problems = [
        f"'{part}' cannot be a name below '{_without_secrets(place)}': no '..', no '/' at its start, no empty name, "
        "no control character or backslash"
        for part in parts
        if CONTROL.search(part) or {"", ".", ".."} & set(part.split("/"))
    ]
    if problems:
        raise UserError(*problems)
    if not is_url(place):
        return str(Path(place, *parts))
    scheme, _, rest = place.partition("://")
    encoded = [quote(part) if scheme == "file" else part for part in parts]
    return f"{scheme}://" + "/".join([rest.rstrip("/"), *encoded])
