"""Checks a walk against a model: every subject and link must exist in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from compute.errors import WalkError
from compute.models.description import Description
from compute.models.names import block_title

from .nearest import nearest, nearest_tensor
from .pages import Page, Walk
from .subject import LAST, MIDDLE, Kind, Subject

_BLOCKS = {"last": LAST, "middle": MIDDLE}


class Checker:
    """The names of a model and of the window's panels. Subjects are resolved to names that exist."""

    def __init__(self, description: Description, panels: Mapping[str, str]) -> None:
        """panels: the name of each panel by its title and by its name."""
        self._description, self._panels = description, panels
        self._layers = description.config.layers
        self._weights = description.weights
        self._heads = {pattern: attention.heads for pattern, attention in description.patterns.items()}
        outputs = [name for name in description.outputs if name not in description.aliases]
        self._names = [*outputs, *self._heads, *self._weights]
        self._parts = {section.title: section.block for section in description.sections}

    def walk(self, walk: Walk) -> Walk:
        """The walk with every subject resolved, without pages that need what the model lacks.

        Raises a `WalkError` that names the line of the first dead subject, or if no page is left.
        """
        pages = tuple(self._page(page, walk.file) for page in walk.pages if self._fits(page))
        if not pages:
            raise WalkError(f"{walk.file}:{walk.pages[0].line}: every page needs something that the model lacks")
        return replace(walk, pages=pages)

    def _page(self, page: Page, file: str) -> Page:
        def resolved(subject: Subject, line: int) -> Subject:
            try:
                return self.subject(subject)
            except ValueError as error:
                raise WalkError(f"{file}:{line}: {error}") from None

        paragraphs = tuple(
            tuple(piece if piece.target is None else replace(piece, target=resolved(piece.target, piece.line))
                  for piece in paragraph)
            for paragraph in page.paragraphs
        )  # fmt: skip
        panel = resolved(Subject(Kind.PANEL, page.panel), page.panel_line).name if page.panel else ""
        return replace(page, subject=resolved(page.subject, page.subject_line), paragraphs=paragraphs, panel=panel)

    def subject(self, subject: Subject) -> Subject:
        """The subject, or its first alternative that the model has, with the names of this model.

        Raises a `ValueError` about the subject itself when there is none.
        """
        problem: ValueError | None = None
        for candidate in (subject, *subject.others):
            try:
                return self._one(replace(candidate, others=()))
            except ValueError as error:
                problem = problem or error
        raise problem or ValueError(subject.text)

    def _fits(self, page: Page) -> bool:
        """Whether the page is about something that the model has, see `Page.needs`."""
        try:
            return page.needs is None or bool(self.subject(page.needs))
        except ValueError:
            return False

    def _one(self, subject: Subject) -> Subject:
        if subject.kind in (Kind.WHOLE, Kind.STRIP):
            return subject
        if subject.kind is Kind.PANEL:
            return self._panel(subject)
        if subject.kind is Kind.PART:
            return replace(subject, name=block_title(self._block(subject.block or 0, subject)), block=None)
        if subject.kind is Kind.TENSOR and subject.name in self._parts and subject.name not in self._names:
            block = self._parts[subject.name]
            return replace(subject, kind=Kind.PART, name=subject.name if block is None else block_title(block))
        return self._tensor(replace(subject, name=self._name(subject)))

    def _panel(self, subject: Subject) -> Subject:
        name = self._panels.get(subject.name)
        if name is None:
            raise ValueError(f'unknown panel "{subject.name}" (nearest: {nearest(subject.name, [*self._panels])})')
        return replace(subject, name=name)

    def _block(self, block: int, subject: Subject) -> int:
        block = {LAST: self._layers - 1, MIDDLE: self._layers // 2}.get(block, block)
        if block >= self._layers:
            raise ValueError(f'"{subject.text}": the model has blocks 0 to {self._layers - 1}')
        return block

    def _name(self, subject: Subject) -> str:
        """The name of the tensor, with h.last and h.middle replaced."""
        name = subject.name
        parts = name.split(".")
        name = ".".join(str(self._block(_BLOCKS[part], subject)) if part in _BLOCKS else part for part in parts)
        name = self._description.canonical(name)
        if name not in self._description.outputs and name not in self._weights and name not in self._heads:
            raise ValueError(
                f'unknown tensor "{subject.name}" (nearest: {nearest_tensor(name, self._names, self._layers)})'
            )
        return name

    def _tensor(self, subject: Subject) -> Subject:
        """Check head, row and index against the shape, with the longest context for activations."""
        name, heads = subject.name, self._heads.get(subject.name)
        if subject.head is not None:
            if heads is None:
                raise ValueError(f"{name} has no heads; attention patterns have, such as {self._pattern()}")
            head = heads - 1 if subject.head == LAST else subject.head
            if head >= heads:
                raise ValueError(f'"{subject.text}": {name} has heads 0 to {heads - 1}')
            subject = replace(subject, head=head)
        shape = self._shape(name)
        if subject.row is not None:
            if heads is not None and subject.head is None:
                raise ValueError(f'"{subject.text}": a row of a pattern needs its head, as in {name} head 0 row last')
            self._inside(subject, (subject.row,), shape[-2:-1] if len(shape) > 1 else (1,))
        elif subject.kind is Kind.ELEMENT:
            self._inside(subject, subject.index, shape)
        return subject

    def _inside(self, subject: Subject, index: Collection[int], shape: Collection[int]) -> None:
        size = " x ".join(map(str, self._shape(subject.name)))
        if len(index) != len(shape):
            raise ValueError(f'"{subject.text}": {subject.name} is {size}, so its index has {len(shape)} numbers')
        if any(part >= most for part, most in zip(index, shape, strict=True)):
            raise ValueError(f'"{subject.text}" does not exist; {subject.name} is {size}')

    def _shape(self, name: str) -> tuple[int, ...]:
        """Shape with the longest context."""
        config, description = self._description.config, self._description
        if name in self._weights:
            return self._weights[name].shape
        if name in self._heads:
            return self._heads[name], config.positions, config.positions
        if name == description.head.output:
            return (description.outputs[name].columns,)
        return config.positions, description.outputs[name].columns

    def _pattern(self) -> str:
        return next(iter(self._heads), "none in this model")
