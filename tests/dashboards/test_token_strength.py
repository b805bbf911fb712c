from __future__ import annotations

import secrets

import pytest

from workbench.dashboards.token_strength import warning


@pytest.mark.parametrize(
    "token",
    [
        "aaaaaaaaaaaaaaaa", "1111111111111112", "1234567890123456", "abcdefghijklmnop", "zyxwvutsrqponmlk",
        "abababababababab", "passwordpassword", "password12345678", "workbench-dashboards-2024", "qwertyuiopasdfgh",
        "letmein letmein letmein", "7391048265019374", "MyCompanyDashboard1!",
    ],
)  # fmt: skip
def test_what_can_be_guessed_is_weak_however_long(token):
    found = warning(token)
    assert "`dashboards.token` is weak" in found
    assert token not in found


@pytest.mark.parametrize("make", [lambda: secrets.token_urlsafe(16), lambda: secrets.token_hex(16)])
def test_what_is_random_is_not(make):
    assert [token for token in (make() for _ in range(500)) if warning(token)] == []
