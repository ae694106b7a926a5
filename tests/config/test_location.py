"""Where machines share a study: two options that go together, and URLs without their passwords."""

import pytest

from hpo.config.call_arguments import Location, location_of, shown_url
from hpo.config.study_file import ConfigError


@pytest.mark.parametrize("password", ["plain", "a/b", "a#b", "a?b", "a@b", "a:b", "p%2Fq"])
def test_a_password_of_any_characters_is_not_shown(password: str) -> None:
    url = f"postgresql://hpo:{password}@db:5432/studies?sslpassword=secret"
    assert shown_url(url) == "postgresql://hpo:***@db:5432/studies"
    assert Location(url, "").shown == "postgresql://hpo:***@db:5432/studies"


@pytest.mark.parametrize(
    "url", ["postgresql://db/studies", "s3://bucket/folder", "file:///folder", "postgresql://me@db/x"]
)
def test_a_url_without_a_password_is_shown_as_it_is(url: str) -> None:
    assert shown_url(url) == url


def test_both_options_are_given_or_neither() -> None:
    assert location_of(None, None) is None and location_of("", "") is None
    assert location_of("postgresql://db/x", "file:///y") == Location("postgresql://db/x", "file:///y")
    for storage, files, missing in (("postgresql://db/x", None, "--files"), (None, "file:///y", "--storage")):
        with pytest.raises(ConfigError, match=rf"^{missing} \(HPO_"):
            location_of(storage, files)
