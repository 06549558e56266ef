"""Chats: turns, and the template by which a model's authors turn them into one text.

A template comes with the model file, so nobody has checked it. It runs in jinja2's sandbox in a process of its own
(`chat_process.py`), with limits on time, memory and output.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from compute.errors import PromptError, UsageError
from compute.io.escape import one_line
from compute.io.untrusted_json import read_untrusted_json

SECONDS = 2
"""Processor time that a template may take. The clock may take ten times as long, on a busy machine."""
MEMORY_BYTES = 512 << 20
LONGEST_OUTPUT = 4_000_000
"""Characters that a template may write."""
LONGEST_TEMPLATE = 200_000
MOST_TURNS = 1000

_PROCESS = Path(__file__).with_name("chat_process.py")
_ROLE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_LONGEST_SHOWN = 200  # characters of a template's own message
# Two code points that Unicode reserves for use inside programs: no text contains them.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_SHIELD = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")


@dataclass(frozen=True)
class Turn:
    """One message of a chat. role: "user", "assistant", "system", or another one that the template knows."""

    role: str
    content: str


@dataclass(frozen=True)
class ChatPrompt:
    """A chat as the model reads it: the exact text that is sent, and its token ids."""

    turns: tuple[Turn, ...]
    text: str
    ids: list[int]


@dataclass(frozen=True)
class ChatTemplate:
    """A model's template. names: values that it may use, such as `bos_token`; where: the file, for messages."""

    source: str
    where: str
    names: tuple[tuple[str, str], ...] = ()

    def render(self, turns: Sequence[Turn]) -> str:
        """The text of `turns`, with the beginning of the answer if the last turn is not the assistant's.

        Raises `PromptError` for turns that the template refuses, or a template that is broken, takes too long, or
        tries to reach anything outside of its sandbox.
        """
        if not turns or len(turns) > MOST_TURNS:
            raise PromptError(f"chat: has {len(turns)} turns; give 1 to {MOST_TURNS}")
        if len(self.source) > LONGEST_TEMPLATE:
            raise PromptError(
                f"{self.where}: its chat template has {len(self.source)} characters, more than {LONGEST_TEMPLATE};"
                " give the prompt as plain text"
            )
        return _rendered(self, tuple(turns))


@functools.lru_cache(maxsize=16)
def _rendered(template: ChatTemplate, turns: tuple[Turn, ...]) -> str:
    names = dict(template.names)
    request = {
        "template": template.source,
        "values": {
            **names,
            "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
            "add_generation_prompt": turns[-1].role != "assistant",
        },
        "seconds": SECONDS,
        "memory": MEMORY_BYTES,
        "longest": LONGEST_OUTPUT,
    }
    failed = f"{template.where}: its chat template"
    try:
        # Isolated from the environment and the working folder; the script imports jinja2 and nothing of this program.
        done = subprocess.run(
            [sys.executable, "-I", str(_PROCESS)],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=10 * SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PromptError(f"{failed} did not finish in {10 * SECONDS} seconds; give the prompt as plain text") from None
    except OSError as error:
        raise PromptError(f"{failed} cannot run: no process can be started ({one_line(str(error))})") from None
    try:
        answer = read_untrusted_json(done.stdout)
    except ValueError:  # the system has ended the process, which then wrote nothing or only a part
        raise PromptError(
            f"{failed} takes more than {SECONDS} seconds or {MEMORY_BYTES >> 20} MB of memory; give the prompt as plain"
            " text"
        ) from None
    if "refused" in answer:
        raise PromptError(f"{failed} refuses these turns: {one_line(answer['refused'], _LONGEST_SHOWN)}")
    if "error" in answer:
        raise PromptError(f"{failed} failed ({one_line(answer['error'], _LONGEST_SHOWN)}); use plain text")
    return str(answer["text"])


def shielded(text: str, names: Sequence[str]) -> str:
    """`text` in which each of `names` is replaced by its number between two code points that no text contains.

    Raises `PromptError` for text that contains those code points.
    """
    if _OPEN in text or _CLOSE in text:
        raise PromptError("chat: a turn contains U+FDD0 or U+FDD1, which are not characters; remove them")
    if not names:
        return text
    numbers = {name: number for number, name in enumerate(names)}
    pattern = re.compile("|".join(map(re.escape, names)))  # longest first, as callers pass them
    return pattern.sub(lambda match: f"{_OPEN}{numbers[match[0]]}{_CLOSE}", text)


def unshielded(text: str, names: Sequence[str]) -> str:
    """The text from which `shielded` made `text`."""
    return _SHIELD.sub(lambda match: names[int(match[1])] if int(match[1]) < len(names) else match[0], text)


def turns_of(value: object) -> list[Turn]:
    """Turns as Python callers and JSON write them: `{"role": "user", "content": "..."}`, in a list.

    Raises `UsageError`.
    """
    if isinstance(value, str) or not isinstance(value, Iterable) or isinstance(value, Mapping):
        raise UsageError('chat: must be a list of turns such as {"role": "user", "content": "Hello"}')
    turns = []
    for number, item in enumerate(value, start=1):
        if isinstance(item, Turn):
            role, content = item.role, item.content
        elif isinstance(item, Mapping) and item.keys() == {"role", "content"}:
            role, content = item["role"], item["content"]
        else:
            raise UsageError(f"chat: turn {number} must have a role and a content, and nothing else")
        turns.append(turn_of(role, content, f"chat: turn {number}"))
    return turns


def turn_of(role: object, content: object, where: str) -> Turn:
    """A checked turn. where: begins messages. Raises `UsageError`."""
    if not isinstance(role, str) or not _ROLE.fullmatch(role):
        raise UsageError(f"{where}: its role must be a word such as user, assistant or system")
    if not isinstance(content, str):
        raise UsageError(f"{where}: its content must be text")
    return Turn(role, content)
