"""The key under which client and service know one identity. Equal to the byte on both sides."""

import hashlib

# What JavaScript's trim() strips. Python's strip() keeps U+FEFF and strips U+001C to U+001F and U+0085.
_JS_WHITE_SPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)


def identity_key(
    kilo_user_id: str | None,
    ip_address: str | None = None,
    ja4_digest: str | None = None,
    user_agent: str | None = None,
) -> str:
    """The identity that these facts name.

    ``user:{kilo_user_id}``; for no user, or an anonymous one (``anon:`` prefix), ``fingerprint:`` and the SHA-256 hex
    of ``{ip or "unknown_ip"}|{ja4 or "no_ja4"}|{user agent or "no_ua"}``. Strings count as JavaScript counts them:
    trimmed by its rules, empty is missing, half a surrogate pair hashes as U+FFFD. Source: CONTRACT, "Identity key".
    """
    user = known_user(kilo_user_id)
    if user is not None:
        return f"user:{user}"
    parts = f"{ip_address or 'unknown_ip'}|{ja4_digest or 'no_ja4'}|{user_agent or 'no_ua'}"
    return f"fingerprint:{hashlib.sha256(_encode(parts)).hexdigest()}"


def known_user(kilo_user_id: str | None) -> str | None:
    """The trimmed id of a signed-in user, or ``None`` for nobody and for an anonymous one."""
    trimmed = (kilo_user_id or "").strip(_JS_WHITE_SPACE)
    if not trimmed or trimmed.startswith("anon:"):
        return None
    return _encode(trimmed).decode()


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # A pair of halves is one character to JavaScript; what still stands alone is U+FFFD.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
