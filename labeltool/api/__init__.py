"""The Python interface: what `import labeltool` offers to scripts and notebooks.

Every method does what the command of the same name does, by the same functions. Tables are pandas DataFrames, errors
are `LabeltoolError`s. Training, evaluation and export run in a process of their own, as they do for the command line,
unless `in_process` is given; Ctrl-C ends both.
"""

from labeltool.api.features import log_mel
from labeltool.api.opening import Project, init, open
from labeltool.api.work import Evaluation

__all__ = ["Evaluation", "Project", "init", "log_mel", "open"]
