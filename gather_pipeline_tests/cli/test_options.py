from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.shell_completion import ShellComplete

from gather_pipeline.cli.app import gather, invoke
from gather_pipeline.cli.tlm import tlm
from gather_pipeline_tests.cli.commands import Shell

RUN = ["run", "--project", "salt"]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ([*RUN, "--max-iterations", "0"], "--max-iterations is '0', expected a whole number from 1 to 10000"),
        ([*RUN, "--max-iterations", "-3"], "--max-iterations is '-3', expected a whole number from 1 to 10000"),
        ([*RUN, "--max-iterations", "99999999"], "--max-iterations is '99999999', expected a whole number from 1 to 10000"),
        ([*RUN, "--max-iterations", "abc"], "--max-iterations is 'abc', expected a whole number from 1 to 10000"),
        ([*RUN, "--max-iterations", "1.5"], "--max-iterations is '1.5', expected a whole number from 1 to 10000"),
        ([*RUN, "--max-iterations", ""], "--max-iterations is '', expected a whole number from 1 to 10000"),
        ([*RUN, "--max-tokens", "0"], "--max-tokens is '0', expected a whole number from 1 up"),
        ([*RUN, "--max-tokens", "all"], "--max-tokens is 'all', expected a whole number from 1 up"),
        ([*RUN, "--max-cost", "nan"], "--max-cost is 'nan', expected an amount of US dollars above 0, like 1.50"),
        ([*RUN, "--max-cost", "inf"], "--max-cost is 'inf', expected an amount of US dollars above 0, like 1.50"),
        ([*RUN, "--max-cost", "-1"], "--max-cost is '-1', expected an amount of US dollars above 0, like 1.50"),
        ([*RUN, "--max-cost", "$3"], "--max-cost is '$3', expected an amount of US dollars above 0, like 1.50"),
        ([*RUN, "--webhook-url", "ftp://host/secret"], "webhook_url begins with 'ftp://ho', expected an address like https://host/path"),
        ([*RUN, "--webhook-url", "http://[secret"], "webhook_url begins with 'http://[', expected an address like https://host/path"),
        (
            [*RUN, "--webhook-url", "http://host:99999/secret"],
            "webhook_url begins with 'http://h', expected an address like https://host/path",
        ),
        (["run", "--project", "../a"], "--project is '../a', expected 24 hexadecimal digits, or 1 to 48 of a-z, 0-9 and '-'"),
        (["items", "--project", "Ä"], "--project is 'Ä', expected 24 hexadecimal digits, or 1 to 48 of a-z, 0-9 and '-'"),
        (["events", "--project", "salt", "--after", "-1"], "--after is '-1', expected a whole number from 0 up"),
    ],
)
def test_a_refusal_repeats_the_value_and_says_what_was_expected(
    args: list[str], sentence: str, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    done = shell.here(capsys, *args)
    assert (done.code, done.out, done.err) == (2, "", f"Error: {sentence}\n")


def test_a_long_value_is_cut(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    done = shell.here(capsys, *RUN, "--max-iterations", "9" * 6000)
    assert done.code == 2
    assert len(done.err) < 350
    assert "(6002 characters)" in done.err


def twice() -> Iterator[tuple[click.Group, list[str], bool]]:
    """Of each root every command with each of its options given twice, and whether that is right."""

    def below(root: click.Group, command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[click.Group, list[str], bool]]:
        for option in command.params:
            if isinstance(option, click.Option) and not option.is_eager:
                given = [option.opts[-1]] if option.is_flag else [option.opts[-1], "1"]
                yield root, [*path, *given, *given], option.multiple
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                yield from below(root, command.get_command(context, name) or pytest.fail(name), (*path, name))

    for root in (gather, tlm):
        yield from below(root, root, ())


def test_every_option_that_takes_one_value_is_refused_when_it_is_given_twice(capsys: pytest.CaptureFixture[str]) -> None:
    found = [(root, args) for root, args, is_right in twice() if not is_right]
    assert len(found) > 150
    for root, args in found:
        option = next(arg for arg in args if arg.startswith("-"))
        assert (args, invoke(args, root)) == (args, 2)
        assert capsys.readouterr().err == f"Error: {option} is given 2 times, expected once\n"


def test_a_shell_may_ask_how_a_line_goes_on() -> None:
    completion = ShellComplete(gather, {}, "gather", "_GATHER_COMPLETE")
    assert completion.get_completions(["run", "--project"], "") == []
    assert "--department" in [one.value for one in completion.get_completions(["run", "--json", "--json"], "--d")]


@pytest.mark.parametrize("args", [["items", "--project", "a", "--project", "b", "--help"], ["-V", "-V"], ["sql", "--", "--json", "--json"]])
def test_what_is_no_option_or_asks_for_help_is_not_counted(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    invoke(args)
    assert "times" not in capsys.readouterr().err
