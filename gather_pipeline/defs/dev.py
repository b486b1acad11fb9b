"""`python -m gather_pipeline.defs.dev`: `dagster dev` on the instance of the settings. Takes its options."""

import logging
import os
import runpy
import sys
import warnings

from gather_pipeline.defs.launch import prepare_home
from gather_pipeline.errors import GatherError
from gather_pipeline.settings import load_settings

if __name__ == "__main__":
    # Dagster warns that it does not read the `dagster.yaml` of this folder: the instance has a copy of it.
    logging.getLogger("dagster").addFilter(lambda record: "in the current folder" not in record.getMessage())
    warnings.filterwarnings("ignore", "Function `dev_command` is superseded")  # by a command of a package that this one does without
    try:
        os.environ["DAGSTER_HOME"] = str(prepare_home(load_settings()))
    except GatherError as error:
        sys.exit(f"Error: {error}")
    sys.argv[1:1] = ["dev", "-w", "workspace.yaml"]
    runpy.run_module("dagster", run_name="__main__")
