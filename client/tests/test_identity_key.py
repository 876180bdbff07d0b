"""Identity keys equal those of the TypeScript client to the byte. The expected values were computed by Node."""

import pytest

from abuse_client.contract import identity_key, known_user

NOBODY = "fingerprint:22af7331d27fdc39ab1c65981a5123550cb5ae7e038be2d2c1d3909d81c56d4a"
SOMEBODY = "fingerprint:a739b828b2001763baf651b97fd1ea85c9d97d324f39f684e2b7883d1f79fd93"

VECTORS = [
    ("user-1", None, None, None, "user:user-1"),
    ("  user-1 ", None, None, None, "user:user-1"),
    ("\ufeffuser-1\ufeff", None, None, None, "user:user-1"),
    ("\u0085user-1", None, None, None, "user:\u0085user-1"),
    ("\u001cuser-1", None, None, None, "user:\u001cuser-1"),
    ("\u180euser-1", None, None, None, "user:\u180euser-1"),
    ("\u2028\u00a0user-1\u3000", None, None, None, "user:user-1"),
    (None, None, None, None, NOBODY),
    ("", None, None, None, NOBODY),
    ("   ", None, None, None, NOBODY),
    ("\ufeff", None, None, None, NOBODY),
    ("anon:192.0.2.9", "192.0.2.9", "t13d", "agent/1", SOMEBODY),
    (" anon:192.0.2.9", "192.0.2.9", "t13d", "agent/1", SOMEBODY),
    ("\ufeffanon:x", "192.0.2.9", "t13d", "agent/1", SOMEBODY),
    ("ANON:192.0.2.9", "192.0.2.9", None, None, "user:ANON:192.0.2.9"),
    ("Anon:x", None, None, None, "user:Anon:x"),
    ("anon:", None, None, None, NOBODY),
    ("anon", None, None, None, "user:anon"),
    (None, "", "", "", NOBODY),
    (
        None,
        "192.0.2.7, 198.51.100.3",
        "t13d",
        "agent/1",
        "fingerprint:990fb585d87c864970a6dd8b06628cd3e94b1c3a93d6be6210fe2d3f731de4b3",
    ),
    (
        None,
        " 192.0.2.7 ",
        " ",
        "\ufeff",
        "fingerprint:bf45c8fa06fc167602cb140351ce01cbc1d6919b705a5cab2acb385e8de52711",
    ),
    (
        None,
        "192.0.2.7",
        None,
        "half \ud83d",
        "fingerprint:3fd89112b6ff6bbdbf675ba58fb4acfa0450d5489e2d7bbdee97cf7ac68d3ceb",
    ),
    (
        None,
        "192.0.2.7",
        None,
        "\ude00 low first",
        "fingerprint:1e92fa3530ddd7161bafd7f3575cf7003de7c044a43617341634215c767e61cc",
    ),
    (
        None,
        "192.0.2.7",
        None,
        "\ud83d\ud83d\ude00",
        "fingerprint:9c4813100e6d1aa4019b6fcd23090aa82f0a429b15c4d83c7ca42376acef3722",
    ),
    (
        None,
        "192.0.2.7",
        None,
        "whole \ud83d\ude00",
        "fingerprint:a06e32765249e7c7f1279dbb70daa3e2f088a5f35b84b92f3d6de922f8aa19d0",
    ),
    (
        None,
        "192.0.2.7",
        None,
        "\ufeffagent",
        "fingerprint:4d5b03caf1b30328b6c9727e5f5a87148483e89ebf4cab8e6e4ac1bf33c96109",
    ),
    ("user-\ud83d", None, None, None, "user:user-\ufffd"),
    ("user:1", None, None, None, "user:user:1"),
    ("Zo\u00eb", None, None, None, "user:Zo\u00eb"),
]


@pytest.mark.parametrize(("kilo_user_id", "ip_address", "ja4_digest", "user_agent", "expected"), VECTORS)
def test_key_equals_javascript(kilo_user_id, ip_address, ja4_digest, user_agent, expected):
    """Trimming, the test for ``anon:``, empty strings and halves of surrogate pairs count as JavaScript counts them."""
    assert identity_key(kilo_user_id, ip_address, ja4_digest, user_agent) == expected


def test_key_is_always_text():
    """Whatever is hashed or trimmed, the key can be encoded."""
    assert identity_key("user-\ud83d").encode() == b"user:user-\xef\xbf\xbd"


def test_known_user_is_somebody():
    """An anonymous user is nobody, a signed-in one is known by the trimmed id."""
    assert known_user(" user-1\ufeff") == "user-1"
    assert known_user("anon:192.0.2.9") is None
    assert known_user("\u3000") is None
    assert known_user(None) is None
