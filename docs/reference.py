"""Writes docs/commands.md from the command line's own parser: `./dev reference`. A test holds the page to it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from atlas_viewer.cli.parser import build_parser

PAGE = Path(__file__).parent / "commands.md"

_HEAD = """\
# Commands

*Made from the program by `./dev reference`; changes belong into `atlas_viewer/cli/parser.py`.*

`atlas-viewer` and `python -m atlas_viewer` are the same program; `./dev run` passes its arguments on to it. Without a
command, `view` is meant. `PROMPT` `-` reads standard input. The options of model and device may also stand before the
command.

The exit status is 0 when it is done, 1 when it failed for a reason that is told in one line on standard error, 2 for
bad usage, 130 after Ctrl+C, 143 after SIGTERM, 129 after SIGHUP. `doctor` gives 0 only if the viewer can run,
`doctor --prove` only if nothing is beyond its tolerance: [what it checks](how-it-works.md#the-self-test).

`generate` and `session record` report logits that are NaN or infinite in one line on standard error, with the step at
which they began. Such logits are never drawn. The exit status stays 0 as long as there is a finite one to draw, and is
1 when there is none. In `generate --json`, `nonfinite_logits` counts them in each step and in total. JSON has null for
every number that is not finite.

Pictures and arrays are written under names that end in `.png`, `.npy` or `.npz`, as the option says, or to a device
such as `/dev/stdout`. Nothing that a command reads, and no recording, is replaced by what it writes.
"""

Row = tuple[str, str]  # what is given, what it means


def page() -> str:
    """The whole page."""
    parser = build_parser()
    commands = dict(_commands(parser))
    shared = _shared(list(commands.values()))
    parts = [_HEAD]
    for title, rows in shared.items():
        users = [f"`{name}`" for name, command in commands.items() if set(rows) <= set(_rows(command).get(title, []))]
        told = "Every command has them." if title in _rows(parser) else f"Of {', '.join(users)}."
        parts.append(f"## Options: {title}\n\n{told}\n\n{_table(rows)}")
    for name, command in commands.items():
        parts.append(_section(name, command, shared))
    return "\n".join(parts)


def _commands(parser: argparse.ArgumentParser, before: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that does something, by its full name, in the order of `--help`."""
    # argparse has no public way to look at a parser.
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                inner = list(_commands(sub, f"{before}{name} "))
                yield from inner or [(before + name, sub)]


def _rows(command: argparse.ArgumentParser) -> dict[str, list[Row]]:
    """Arguments by the title of their group: "" for what is the command's own."""
    found: dict[str, list[Row]] = {}
    for group in command._action_groups:
        title = "" if group.title in ("positional arguments", "options") else str(group.title)
        for action in group._group_actions:
            if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction | argparse._VersionAction):
                found.setdefault(title, []).append((_given(action), action.help or ""))
    return found


def _given(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else ""
    if action.choices is not None and not value:
        value = "|".join(map(str, action.choices))
    if action.nargs == "?":
        value = f"[{value}]"
    return " ".join([", ".join(action.option_strings), value]).strip()


def _shared(commands: list[argparse.ArgumentParser]) -> dict[str, list[Row]]:
    """Rows of a group that are the same in every command that has the group, where several have it."""
    shared: dict[str, list[Row]] = {}
    for title in dict.fromkeys(title for command in commands for title in _rows(command) if title):
        groups = [rows for command in commands if (rows := _rows(command).get(title))]
        if len(groups) > 1:
            shared[title] = [row for row in groups[0] if all(row in group for group in groups)]
    return shared


def _section(name: str, command: argparse.ArgumentParser, shared: dict[str, list[Row]]) -> str:
    groups = _rows(command)
    own = [row for title, rows in groups.items() if not title or title in shared for row in rows]
    own = [row for row in own if not any(row in rows for rows in shared.values())]
    parts = [f"## {name}", _sentence(command.description or ""), f"`{_usage(name, command)}`"]
    if own:
        parts.append(_table(own))
    parts += [
        f"{_sentence(title, end=':')}\n\n{_table(rows)}"
        for title, rows in groups.items()
        if title and title not in shared
    ]
    links = [f"[{title}](#options-{title.replace(' ', '-')})" for title in groups if title in shared]
    parts.append(f"And the options of {' and of '.join(links)}.")
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _usage(name: str, command: argparse.ArgumentParser) -> str:
    """The command with all that it must be given."""
    wanted = [_given(action) for action in command._actions if action.required or not action.option_strings]
    return " ".join(["atlas-viewer", name, *wanted, "[OPTIONS]"])


def _sentence(text: str, end: str = ".") -> str:
    return text[:1].upper() + text[1:] + end


def _table(rows: list[Row]) -> str:
    lines = ["| argument | meaning |", "|---|---|"]
    lines += ["| `{}` | {} |".format(*(text.replace("|", "\\|") for text in row)) for row in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
