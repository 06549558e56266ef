"""The pre-commit hooks run the checks of `./dev lint`, no more and no fewer."""

from __future__ import annotations

import re

from helpers.paths import ROOT


def test_the_hooks_are_the_commands_of_lint() -> None:
    lint = re.search(r"^lint\(\) \{\n(.*?)^\}", (ROOT / "dev").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert lint is not None
    commands = re.findall(r'python" -m ([^|\n]+)', lint[1])
    hooks = re.findall(r"entry: \.venv/bin/python -m (.*)", (ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    # A hook is given the changed files, `./dev lint` the whole tree.
    assert hooks == [command.strip().removesuffix(" .") for command in commands]
    assert len(hooks) == 3
