"""The style sheet of the app, of which each part is parsed once."""

from __future__ import annotations

from typing import Any

from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

# By the colours of a theme and by what is parsed.
_rules: dict[tuple[object, ...], list[RuleSet]] = {}


class ParsedOnce(Stylesheet):
    """Parses each part once in a process for each theme.

    Textual parses all of it at the start, again once the theme is set, and again when a widget of a new class appears.
    """

    def reparse(self) -> None:
        """Take the rules of the variables that were set."""
        self.parse()

    def _parse_rules(self, *what: Any, **more: Any) -> list[RuleSet]:
        key = (frozenset(self._variables.items()), *what, *more.items())
        if key not in _rules:
            _rules[key] = super()._parse_rules(*what, **more)
        return _rules[key]
