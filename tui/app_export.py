"""The app's exports: some products, written in the background."""

from __future__ import annotations

from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.tasks.export_products import products
from labeltool.tasks.registry import EXPORT
from labeltool.tui.app_base import AppBase
from labeltool.tui.background.task import BackgroundTask
from labeltool.tui.background.turns import in_turn
from labeltool.tui.dialogs.export import ExportDialog

_RESULT_S = 20.0


class ExportApp(AppBase):
    """Exports the project."""

    def make_exporter(self, project: Project) -> BackgroundTask[Any]:
        """Return the task that exports."""
        return BackgroundTask(
            project,
            EXPORT,
            on_progress=in_turn(self, self._show_exporting),
            on_result=in_turn(self, self.show_exported),
            on_failure=in_turn(self, self.warn_view),
            model_id=None,
            output=str(project.exports),
            force=False,
        )

    def action_export(self) -> None:
        """Choose what to export, and export it in the background."""
        if self.services.exporter.busy:
            self.notify_view("an export is running already")
            return
        try:
            found = products()
        except LabeltoolError as error:
            self.warn_view(str(error))
            return

        def start(chosen: list[str] | None) -> None:
            if chosen and self.services.exporter.start(products=chosen):
                self.notify_view(f"exporting {', '.join(chosen)}; go on labelling")

        folder = f"{self.services.project.exports.name}/ of {self.services.project.directory.name}"
        self.push_screen(ExportDialog(found, folder), start)

    def _show_exporting(self, stage: str, done: int, total: int, text: str = "") -> None:
        counted = f" {done:,} of {total:,}" if total else ""
        of_export = "" if stage.startswith("exporting") else "exporting: "
        self.notify_view(f"{of_export}{stage}{counted} {text}".rstrip())

    def show_exported(self, result: Any) -> None:
        """Show the folders of an export, and what else a person should know of it."""
        if self.current_view is not None:
            root, lost = f"{self.services.project.directory}/", sum(result.lost.values())
            parts = (
                f"exported to {', '.join(folder.removeprefix(root) for folder in result.written)}",
                f"{lost:,} annotations not, or in part: see not_exported.csv" if lost else "",
                f"{len(result.skipped):,} files could not be read" if result.skipped else "",
                *result.notes,
                result.better_model,
            )
            self.current_view.notice.show("; ".join(filter(None, parts)), seconds=_RESULT_S, wraps=True)
