"""Headers of the operator's own: no value on the command line, each checked, and every one a secret."""

import io
import json
from pathlib import Path

import pytest

from reconciler.errors import UsageError
from reconciler.log import configure
from reconciler.provider.header import absolute, fault_of_names, header_of, headers_for
from reconciler.provider.key import Key, Secrets

VALUE = "a-value-that-must-appear-nowhere"


class Given:
    """Headers as given, what of them is secret, and what was logged."""

    def __init__(self, *references: str, **environment: str) -> None:
        self.secrets = Secrets()
        self.out = io.StringIO()
        self.log = configure(form="json", secrets=self.secrets, stream=self.out)
        self.headers = headers_for(map(header_of, references), environment, self.secrets, self.log)

    @property
    def values(self) -> dict[str, str]:
        return {name: value.current() for name, value in self.headers.items()}


def test_a_value_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(f'"{VALUE}"\n')
    given = Given("x-a=$A", "x-b=${B_1}", f"x-c=@{tmp_path}/file", A="one two", B_1='{"strategy": {"mode": "single"}}')
    assert given.values == {"x-a": "one two", "x-b": '{"strategy": {"mode": "single"}}', "x-c": VALUE}
    assert set(given.secrets) == set(given.values.values())


def test_what_stands_after_a_scheme_is_a_secret_too() -> None:
    given = Given("authorization=$A", A=f"Bearer {VALUE}")
    assert given.values == {"authorization": f"Bearer {VALUE}"}
    assert set(given.secrets) == {VALUE, f"Bearer {VALUE}"}


def test_a_file_that_changed_is_read_again_and_the_last_value_stays_while_it_holds_none(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text(VALUE)
    given = Given(f"x-a=@{file}")
    assert given.values == {"x-a": VALUE}
    file.write_text("another-value")
    assert given.values == {"x-a": "another-value"}
    file.write_text("")
    assert given.values == {"x-a": "another-value"}
    assert [json.loads(line)["event"] for line in given.out.getvalue().splitlines()] == [
        "key.changed",
        "key.unreadable",
    ]
    given.log.info("job.event", message=f"{VALUE} another-value")
    assert json.loads(given.out.getvalue().splitlines()[-1])["message"] == "[redacted] [redacted]"


@pytest.mark.parametrize(
    "given", [f"x-a={VALUE}", f"x-a=${VALUE}", f"x-a={VALUE}=$A", "x-a=", "x-a=@", "x-a=$", f"x-a=$({VALUE})"]
)
def test_a_value_on_the_command_line_is_refused_and_not_shown(given: str) -> None:
    with pytest.raises(ValueError, match="x-a: no value is given here") as refused:
        header_of(given)
    assert VALUE not in str(refused.value)


@pytest.mark.parametrize("given", [VALUE, f"x a={VALUE}", f"={VALUE}", f"x:{VALUE}", f"x\n={VALUE}", f"é=@{VALUE}"])
def test_what_has_no_name_is_refused_and_not_shown(given: str) -> None:
    with pytest.raises(ValueError, match="^write it as NAME=@FILE or NAME=") as refused:
        header_of(given)
    assert VALUE not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"{VALUE}\nHost: elsewhere", "it holds 2 lines"),
        (f"{VALUE}\x01", "no HTTP header may hold"),
        (f"{VALUE}é", "no HTTP header may hold"),
        ("${VALUE}", "a template that was not filled in"),
    ],
)
def test_a_value_that_no_header_may_hold_is_refused_and_not_shown(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(content)
    for given in (Given("x-a=$A", A=content), Given(f"x-a=@{tmp_path}/file")):
        with pytest.raises(UsageError, match=f"^--header x-a.*{said}") as refused:
            _ = given.values
        assert VALUE not in str(refused.value)


def test_a_value_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    for given, said in (
        (Given("x-a=$NOWHERE"), "--header x-a: the environment variable NOWHERE is not set"),
        (Given("x-a=$A", A=" "), "--header x-a: the environment variable A is not set"),
        (Given(f"x-a=@{tmp_path}/empty"), f"--header x-a {tmp_path}/empty: it holds no value"),
        (Given(f"x-a=@{tmp_path}/nowhere"), f"--header x-a {tmp_path}/nowhere: no such file or directory"),
        (
            Given(f"x-a=@{VALUE}"),
            "--header x-a takes @ and a file's name (a value itself goes into an environment variable): no such file or directory",
        ),
    ):
        with pytest.raises(UsageError) as refused:
            _ = given.values
        assert str(refused.value) == said


def test_only_a_server_that_says_so_takes_another_authorization() -> None:
    assert fault_of_names(["Authorization", "x-a"], authorization=True) == ""
    assert "it comes from the key" in fault_of_names(["Authorization"], authorization=False)
    assert "it comes from the key" in fault_of_names(["api-key"], authorization=True)


def test_a_file_is_found_wherever_the_process_works_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("@file") == f"@{tmp_path}/file"
    assert absolute("$A") == "$A"


def test_no_value_is_shown_with_its_holder() -> None:
    assert VALUE not in repr(Key(lambda: VALUE))
