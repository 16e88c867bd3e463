"""bundle.server.profiles: a name means one server, and each profile is resolved alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle.errors import ProfileError
from bundle.server.profiles import Profiles, ignored_environment, resolve
from bundle.server.target import SecretText, Target
from support.fake_server import CANARY
from support.profiles import CLOUD, URL, A, W, profiles_of, refusal_of


def test_nothing_leaks_from_the_environment_or_the_active_profile() -> None:
    """A profile with only a URL has no credentials, whatever the environment and the active profile hold."""
    profiles = Profiles(
        path=Path("p"),
        tables={"on": {"PREFECT_API_URL": CLOUD, "PREFECT_API_KEY": CANARY}, "a": {"PREFECT_API_URL": URL}},
        active="on",
    )
    environ = {"PREFECT_API_URL": CLOUD, "PREFECT_API_KEY": CANARY, "PREFECT_CLIENT_CUSTOM_HEADERS": '{"X": "y"}'}
    assert resolve(profiles, "a", environ) == Target(name="a", url=URL)
    assert ignored_environment(environ) == tuple(environ)


def test_no_variable_is_ignored_where_none_is_set() -> None:
    """Empty and foreign variables are not reported."""
    assert ignored_environment({"PREFECT_API_URL": "", "PATH": "/bin"}) == ()


def test_env_means_the_environment() -> None:
    """The name env stands for the PREFECT_* variables, unless a profile has that name."""
    environ = {"PREFECT_API_URL": URL + "/", "PREFECT_API_KEY": CANARY + "\n"}
    assert resolve(profiles_of(), "env", environ).url == URL
    assert resolve(profiles_of(), "env", environ).credentials == SecretText(CANARY)
    assert resolve(profiles_of(env={"PREFECT_API_URL": "http://other/api"}), "env", environ).url == "http://other/api"
    with pytest.raises(ProfileError, match="the environment has no PREFECT_API_URL"):
        resolve(profiles_of(), "env", {})


def test_a_url_stands_for_itself() -> None:
    """A URL given as a name needs no profile and carries only its own user information."""
    target = resolve(profiles_of(), f"http://admin:{CANARY}@h:4200/api/", {"PREFECT_API_KEY": "k"})
    assert (target.name, target.url, target.auth) == ("http://h:4200/api/", "http://h:4200/api", "basic")
    assert target.credentials == SecretText(f"admin:{CANARY}")
    assert CANARY not in repr(target)


def test_unknown_profile_lists_the_known_ones() -> None:
    """An unknown name is refused with all known names and the closest one."""
    with pytest.raises(ProfileError, match=r'unknown profile "stagng"; .* prod, staging') as caught:
        resolve(profiles_of(staging={}, prod={}), "stagng", {})
    assert 'did you mean "staging"?' in str(caught.value.hint)


@pytest.mark.parametrize("name", [f"http://u:{CANARY}/x@h/api", f"u:{CANARY}@h/api", f"http://h/api?key={CANARY}"])
def test_a_password_in_a_name_is_not_shown(name: str) -> None:
    """A refused name that carries a password is shown without it."""
    with pytest.raises(ProfileError) as caught:
        resolve(profiles_of(), name, {})
    assert CANARY not in f"{caught.value!r} {caught.value.hint}"


def test_profile_without_a_url() -> None:
    """A profile without a URL is refused with how to set it."""
    assert "config set PREFECT_API_URL" in str(refusal_of(PREFECT_API_URL="").hint)
    off = refusal_of(PREFECT_API_URL=None, PREFECT_SERVER_EPHEMERAL_ENABLED="false")
    assert "config set PREFECT_API_URL" in str(off.hint)
    with pytest.raises(ProfileError) as caught:
        resolve(profiles_of(), "env", {})
    assert caught.value.hint.startswith("export PREFECT_API_URL=http://HOST:4200/api (Cloud: ")


def test_a_page_of_cloud_without_its_scheme_is_recognised() -> None:
    """The address of a page of Cloud, copied without its scheme and given as a name, is told the URL of its API."""
    with pytest.raises(ProfileError) as caught:
        resolve(profiles_of(), f"app.prefect.cloud/account/{A}/workspace/{W}/dashboard", {})
    assert f"did you mean {CLOUD}?" in caught.value.hint


@pytest.mark.parametrize("name", ["prefect.corp.test/api", "127.0.0.1:4200/api", f"me:{CANARY}@h:4200/api", "h:4200"])
def test_a_url_without_its_scheme_is_recognised(name: str) -> None:
    """What looks like a URL given as a name is told what it lacks, without user information."""
    with pytest.raises(ProfileError) as caught:
        resolve(profiles_of(), name, {})
    assert f"did you mean http://{name.rpartition('@')[2]}?" in caught.value.hint
    assert CANARY not in f"{caught.value!r} {caught.value.hint}"
