"""The classes of a pretrained model that may become labels of the project."""

from __future__ import annotations

from collections.abc import Sequence

from labeltool.pretrained import class_mapping, registry
from labeltool.pretrained.card import read_card
from labeltool.project import Project


def mapped_model(project: Project) -> str | None:
    """Return the pretrained model to map: that of the settings, else the first in the registry that has classes."""
    names = [name for name in registry.names(project) if read_card(registry.folder(project, name)).classes]
    chosen = project.settings.learning.pretrained
    return chosen if chosen in names else next(iter(names), None)


class LiveSuggestions:
    """Knows the classes of the project's pretrained model, and maps one to a label."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def class_names(self) -> Sequence[str]:
        """Return the names of the model's classes; none where there is no model."""
        model = mapped_model(self._project)
        return () if model is None else read_card(registry.folder(self._project, model)).classes

    def map_class(self, label: str, class_name: str) -> None:
        """Let a class suggest a label, unless a person mapped the label already.

        Raises
        ------
        LabeltoolError
            When the mapping cannot be read or written.
        """
        model, classes = mapped_model(self._project), self.class_names()
        if model is None:
            return
        mapping = [class_mapping.LabelMapping(label, (list(classes).index(class_name),), "by hand")]
        class_mapping.add_to_mapping(registry.folder(self._project, model), classes, mapping)
