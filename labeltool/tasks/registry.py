"""The tasks that run in a process of their own, by name: the function that does each and the type of its result.

A task is a function `f(project, *, report, **options)`; `project` is None for one that needs none. Options are JSON
values. Its result is a frozen dataclass of the same module; it is turned into JSON in the worker and back by msgspec.
To add a task: write the function and add a line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_type_hints

if TYPE_CHECKING:
    from labeltool.active_learning.result import SuggestResult
    from labeltool.checks.run import CheckResult
    from labeltool.exporters.registry import ExportResult
    from labeltool.exporters.stm32.verification.verify import VerifyResult
    from labeltool.inference.classify import ClassifyResult
    from labeltool.inference.detection_records import DetectResult
    from labeltool.inference.transcribe import TranscribeResult
    from labeltool.pretrained.describe import DescribeResult
    from labeltool.pretrained.project_classes import AgreementResult, MapResult
    from labeltool.pretrained.registry import AddResult
    from labeltool.report.run import ReportResult
    from labeltool.similarity.compare import SimilarResult
    from labeltool.similarity.find import FindResult
    from labeltool.tasks.evaluate import EvaluateResult
    from labeltool.tasks.retrain_result import RenewResult, RetrainResult
    from labeltool.tasks.simulation_results import SimulateResult
    from labeltool.web.receive import Received
    from labeltool.web.try_sound import TriedSound

R = TypeVar("R", covariant=True)


@dataclass(frozen=True, slots=True)
class Task(Generic[R]):
    """A task.

    Attributes
    ----------
    name
        Of the task and of its log file.
    module, function
        Imported in the worker alone: it may load TensorFlow.
    result
        Name of the result's dataclass in that module.
    writes
        Whether it writes to the project's database: then hashes of remote sounds may be stored after it, too.
    """

    name: str
    module: str
    function: str
    result: str
    writes: bool = False

    def run(self, *arguments: Any, **options: Any) -> R:
        """Do the task in this process; where it takes one dataclass `options`, that may be given as a JSON object."""
        import msgspec

        function = getattr(import_module(self.module), self.function)
        if "options" in options:
            options["options"] = msgspec.convert(options["options"], get_type_hints(function)["options"])
        done: R = function(*arguments, **options)
        return done

    def result_from(self, json_value: object) -> R:
        """Build the result from the worker's JSON value."""
        import msgspec

        result: R = msgspec.convert(json_value, getattr(import_module(self.module), self.result))
        return result


RETRAIN: Task[RetrainResult] = Task("retrain", "labeltool.tasks.retrain", "retrain", "RetrainResult", writes=True)
RENEW: Task[RenewResult] = Task("renew", "labeltool.tasks.retrain", "renew", "RenewResult", writes=True)
EVALUATE: Task[EvaluateResult] = Task("evaluate", "labeltool.tasks.evaluate", "evaluate", "EvaluateResult")
REPORT: Task[ReportResult] = Task("report", "labeltool.report.run", "report", "ReportResult")
SIMULATE: Task[SimulateResult] = Task("simulate", "labeltool.tasks.simulate", "simulate", "SimulateResult")
SUGGEST: Task[SuggestResult] = Task(
    "suggest", "labeltool.active_learning.suggest", "suggest", "SuggestResult", writes=True
)
CHECK: Task[CheckResult] = Task("check", "labeltool.checks.run", "check", "CheckResult")
CLASSIFY: Task[ClassifyResult] = Task("classify", "labeltool.inference.classify", "classify", "ClassifyResult")
DETECT: Task[DetectResult] = Task("detect", "labeltool.inference.detect", "detect", "DetectResult", writes=True)
TRANSCRIBE: Task[TranscribeResult] = Task(
    "transcribe", "labeltool.inference.transcribe", "transcribe", "TranscribeResult", writes=True
)
SIMILAR: Task[SimilarResult] = Task("similar", "labeltool.similarity.compare", "compare", "SimilarResult")
FIND: Task[FindResult] = Task("find", "labeltool.similarity.find", "find", "FindResult")
MODEL_ADD: Task[AddResult] = Task("model-add", "labeltool.pretrained.registry", "add", "AddResult")
MODEL_FETCH: Task[AddResult] = Task("model-fetch", "labeltool.pretrained.fetch", "fetch", "AddResult")
MODEL_MAP: Task[MapResult] = Task("model-map", "labeltool.pretrained.project_classes", "map_classes", "MapResult")
AGREEMENT: Task[AgreementResult] = Task(
    "agreement", "labeltool.pretrained.project_classes", "agreement", "AgreementResult"
)
DESCRIBE: Task[DescribeResult] = Task("describe", "labeltool.pretrained.describe", "describe_clips", "DescribeResult")
EXPORT: Task[ExportResult] = Task("export", "labeltool.exporters.registry", "export", "ExportResult")
VERIFY: Task[VerifyResult] = Task("verify", "labeltool.exporters.stm32.verification.verify", "verify", "VerifyResult")
TRY: Task[TriedSound] = Task("try", "labeltool.web.try_sound", "try_sound", "TriedSound")
RECEIVE: Task[Received] = Task("receive", "labeltool.web.receive", "receive", "Received", writes=True)

TASKS: dict[str, Task[object]] = {
    task.name: task
    for task in (
        *(RETRAIN, RENEW, EVALUATE, REPORT, SIMULATE, SUGGEST, CHECK, CLASSIFY, DETECT, TRANSCRIBE, SIMILAR, FIND),
        *(MODEL_ADD, MODEL_FETCH, MODEL_MAP, AGREEMENT, DESCRIBE, EXPORT, VERIFY, TRY, RECEIVE),
    )
}
