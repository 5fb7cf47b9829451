"""The one declared tree of settings, and the only reader of the environment.

Order, weakest first: the defaults in `tree` < `citebot.toml` < the environment (`CITEBOT_ANSWERING__THRESHOLD=0.4`, or
`CITEBOT_…_FILE`, the path of a file that holds the value) < the command line. Sections of swappable parts
(`[embedder]`, `[index]`, …) name the part with `use` and hold one sub-section per part, validated against that part's
own `Settings` once its plugin is loaded.
"""

from __future__ import annotations

from citebot.settings.checking import validated
from citebot.settings.display import schema, show
from citebot.settings.loading import load_settings
from citebot.settings.tree import (
    AccessSettings,
    AnsweringSettings,
    BudgetSettings,
    Choice,
    DatabaseSettings,
    DeliverySettings,
    EgressSettings,
    GeneratorChoice,
    IngestSettings,
    LogSettings,
    MetricsSettings,
    PluginSettings,
    RetentionSettings,
    SecretsSettings,
    Section,
    Settings,
)

__all__ = [
    "AccessSettings",
    "AnsweringSettings",
    "BudgetSettings",
    "Choice",
    "DatabaseSettings",
    "DeliverySettings",
    "EgressSettings",
    "GeneratorChoice",
    "IngestSettings",
    "LogSettings",
    "MetricsSettings",
    "PluginSettings",
    "RetentionSettings",
    "SecretsSettings",
    "Section",
    "Settings",
    "load_settings",
    "schema",
    "show",
    "validated",
]
