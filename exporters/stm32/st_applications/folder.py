"""`st/NAME/` of a package: everything that one application needs beside the model."""

from __future__ import annotations

from labeltool.exporters.stm32.codegen.frontend_tables import require_log_mel
from labeltool.exporters.stm32.codegen.st_mel_tables import mel_tables
from labeltool.exporters.stm32.st_applications.applications import Application
from labeltool.exporters.stm32.st_applications.config_header import config_header
from labeltool.exporters.stm32.st_applications.network_check import network_check
from labeltool.exporters.stm32.st_applications.readme import application_readme
from labeltool.exporters.stm32.st_applications.user_config import user_config
from labeltool.networks.model_folder import ModelFiles

FOLDER = "st"
"""The folder of a package that has a folder for each application."""

CONFIG_HEADER = "ai_model_config.h"


def application_files(application: Application, model_id: int, model: ModelFiles) -> dict[str, str]:
    """Return the texts of an application's folder by their paths in the package."""
    frontend = require_log_mel(model.frontend)
    tables, tables_header = mel_tables(frontend, application.tables)
    check = network_check(application, frontend.n_mels * frontend.patch_frames, len(model.labels))
    texts = {
        CONFIG_HEADER: config_header(application, model_id, model),
        "user_mel_tables.c": check + tables,
        "user_mel_tables.h": tables_header,
        "user_config.yaml": user_config(application, model_id, model),
        "README.md": application_readme(application, model, frontend),
    }
    return {f"{FOLDER}/{application.name}/{name}": text for name, text in texts.items()}
