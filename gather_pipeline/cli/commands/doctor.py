"""`gather doctor`: does everything work that is set?"""

from __future__ import annotations

from dataclasses import asdict

import click

from gather_pipeline import bootstrap
from gather_pipeline.cli.options import as_json, example
from gather_pipeline.cli.output import cell, print_json, print_table, print_text
from gather_pipeline.cli.services import command_settings
from gather_pipeline.operations.checks import CHECKS
from gather_pipeline.operations.doctor import Site, examine
from gather_pipeline.settings import Settings


@click.command(epilog=example("gather doctor", "gather doctor --json"))
@as_json
def doctor(as_json: bool) -> int:
    """Check that every setting and service works, and say what to do where one does not.

    Nothing is changed, nothing is downloaded, and nothing that costs money is asked. It takes about ten seconds at most. The exit code is 0
    where all that is set works; a warning is no fault.
    """
    settings = command_settings()
    probes = bootstrap.probes(settings, dagster=lambda: _dagster(settings))
    findings = examine(Site(settings, probes), CHECKS)
    verdicts = [one.verdict for one in findings]
    faults = verdicts.count("fault")
    if as_json:
        print_json({"ok": not faults, "checks": [asdict(one) for one in findings]})
    else:
        rows = [
            [one.check, one.verdict.replace("fault", "FAULT"), one.seen, cell(one.latency_ms), "embedded" if one.embedded else None]
            for one in findings
        ]
        print_table(["check", "state", "seen", "ms", "part"], rows, right=["ms"])
        for remedy in dict.fromkeys(one.remedy for one in findings if one.remedy):
            print_text(f"{', '.join(one.check for one in findings if one.remedy == remedy)}: {remedy}")
        print_text(f"Checks: {len(findings)}, faults: {faults}, warnings: {verdicts.count('warning')}.")
    return int(faults > 0)


def _dagster(settings: Settings) -> str | None:
    if not settings.dagster_home.exists():
        return None
    from gather_pipeline.defs.launch import look_at_instance

    return look_at_instance(settings)
