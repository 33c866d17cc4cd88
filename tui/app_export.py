"""The app's exports: some products, written in the background."""

from __future__ import annotations

from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.tasks.export_products import products
from labeltool.tasks.registry import EXPORT
from labeltool.tui.app_base import AppBase
from labeltool.tui.background.task import BackgroundTask
from labeltool.tui.dialogs.export import ExportDialog
from labeltool.tui.messages import Exported

_RESULT_S = 20.0


class ExportApp(AppBase):
    """Exports the project."""

    def make_exporter(self, project: Project) -> BackgroundTask[Any]:
        """Return the task that exports; the app gets its progress and its result as messages."""

        def report(stage: str, done: int, total: int, text: str = "", /) -> None:
            counted = f" {done:,} of {total:,}" if total else ""
            of_export = "" if stage.startswith("exporting") else "exporting: "
            self.post_from_thread(Exported(f"{of_export}{stage}{counted} {text}".rstrip()))

        def finish(result: Any) -> None:
            lost = sum(result.lost.values())
            notes = (
                f"{lost:,} annotations not, or in part: see not_exported.csv" if lost else "",
                f"{len(result.skipped):,} files could not be read" if result.skipped else "",
                *result.notes,
                result.better_model,
            )
            self.post_from_thread(Exported(folders=result.written, notes=notes))

        return BackgroundTask(
            project,
            EXPORT,
            on_progress=report,
            on_result=finish,
            on_failure=lambda failure: self.post_from_thread(Exported(failure=failure)),
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

    def on_exported(self, message: Exported) -> None:
        """Show the progress of an export, and its folders at the end."""
        if message.failure:
            self.warn_view(message.failure)
        elif self.current_view is not None and message.folders:
            root = f"{self.services.project.directory}/"
            written = f"exported to {', '.join(folder.removeprefix(root) for folder in message.folders)}"
            text = "; ".join(part for part in (written, *message.notes) if part)
            self.current_view.notice.show(text, seconds=_RESULT_S, wraps=True)
        else:
            self.notify_view(message.progress)
