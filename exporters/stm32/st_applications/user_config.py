r"""`user_config.yaml`: the configuration by which ST's model zoo services deploy a model to an application.

Strings are YAML's double-quoted ones in plain ASCII, everything else escaped: a label may be any text.
"""

from __future__ import annotations

from labeltool.exporters.stm32.codegen.frontend_tables import require_log_mel
from labeltool.exporters.stm32.st_applications.applications import Application
from labeltool.exporters.stm32.st_model.frontend import logarithm_of
from labeltool.networks.model_folder import ModelFiles

_YAML = """\
# labeltool model {model_id} for ST's model zoo services, audio_event_detection:
# {title}.
# Fill in the paths marked FILL IN, save it as user_config.yaml there and run: python stm32ai_main.py
# The services write an ai_model_config.h of their own, whose silence threshold of 0 keeps some versions from reporting
# anything{sorting}.
# So copy the three C files beside this one over theirs afterwards, and build again.

{model}operation_mode: deployment

dataset:
  {dataset_name}: custom
  class_names: [{labels}]
  file_extension: '.wav'
  multi_label: False
  use_garbage_class: False
  n_samples_per_garbage_class: 2
  expand_last_dim: True
  seed: 120
  to_cache: True
  shuffle: True

preprocessing:   # all but target_rate: not used for deployment, but required
  min_length: 1
  max_length: 10
  target_rate: {rate}
  top_db: 60
  frame_length: 3200
  hop_length: 3200
  trim_last_second: False
  lengthen: 'after'

feature_extraction:
  patch_length: {columns}
  n_mels: {mels}
  overlap: {overlap:g}   # not used for deployment
  n_fft: {n_fft}
  hop_length: {hop}
  window_length: {window}
  window: hann
  center: False
  pad_mode: constant
  power: {power}
  fmin: {fmin:g}
  fmax: {fmax:g}
  norm: {norm}
  htk: {htk}
  to_db: {to_db}
  include_last_patch: False   # not used for deployment

tools:
  stedgeai:
    version: {tool_version}
    optimization: balanced
    on_cloud: False
    path_to_stedgeai: "FILL IN/stedgeai"
  path_to_cubeIDE: "FILL IN/stm32cubeide"

deployment:
  c_project_path: {project}
  IDE: GCC
  verbosity: 1
  hardware_setup:
    serie: {serie}
    board: {board}
  unknown_class_threshold: {threshold:g}

mlflow:
  uri: ./experiments_outputs/mlruns

hydra:
  run:
    dir: ./experiments_outputs/${{now:%Y_%m_%d_%H_%M_%S}}
"""

_MODEL_2025 = """\
general:
  project_name: {name}
  model_path: "FILL IN/model/{model}"
  logs_dir: logs
  saved_models_dir: saved_models

"""

_MODEL_2026 = """\
general:
  project_name: {name}

model:
  model_path: "FILL IN/model/{model}"

"""

_PLAIN = frozenset(map(chr, range(0x20, 0x7F))) - set('"\\')
_SORTING = ",\n# and sort the class names: the outputs of this model have another order, so its reports would be wrong"


def user_config(application: Application, model_id: int, model: ModelFiles) -> str:
    """Return the text of `user_config.yaml` for an application."""
    frontend = require_log_mel(model.frontend)
    old = application.yaml_layout == 2025
    slaney = frontend.mel_scale == "slaney"
    return _YAML.format(
        model_id=model_id,
        title=application.title,
        sorting="" if list(model.labels) == sorted(model.labels) else _SORTING,
        model=(_MODEL_2025 if old else _MODEL_2026).format(name=f"labeltool_model_{model_id}", model=application.model),
        dataset_name="name" if old else "dataset_name",
        labels=", ".join(yaml_string(label) for label in model.labels),
        rate=frontend.sample_rate_hz,
        columns=frontend.patch_frames,
        mels=frontend.n_mels,
        overlap=round(1 - frontend.patch_hop / frontend.patch_frames, 2),
        n_fft=frontend.n_fft,
        window=frontend.frame_samples,
        power={"power": 2.0, "magnitude": 1.0}[frontend.spectrum],
        norm="slaney" if slaney else None,
        htk=not slaney,
        to_db=logarithm_of(frontend) == "db",
        hop=frontend.hop,
        fmin=frontend.low_hz,
        fmax=frontend.high_hz,
        tool_version=application.zoo_tool_version,
        project=application.project,
        serie=application.series.upper(),
        board=application.board,
        threshold=model.rule.threshold,
    )


def yaml_string(text: str) -> str:
    r"""Return a text as a double-quoted YAML string in ASCII; `${` is kept from OmegaConf, which would look it up."""
    kept = text.replace("${", "\\${")
    return '"' + "".join(letter if letter in _PLAIN else _escaped(ord(letter)) for letter in kept) + '"'


def _escaped(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
