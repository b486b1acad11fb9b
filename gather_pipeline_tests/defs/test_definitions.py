import os
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import yaml
from dagster._core.instance.ref import InstanceRef

from gather_pipeline.cli.app import invoke
from gather_pipeline.definitions import defs
from gather_pipeline.defs.queue import ProjectQueue
from gather_pipeline.defs.running import GatherConfig

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "sentence_transformers", "xllamacpp", "duckdb", "openai", "pymongo", "pandas")


def test_everything_that_the_issue_names_is_there(repository: dg.RepositoryDefinition) -> None:
    dg.Definitions.validate_loadable(defs)
    graph = defs.resolve_asset_graph()
    assert {name.to_user_string() for name in graph.get_all_asset_keys()} == {
        "briefs",
        "context_notes",
        "departments",
        "drafts",
        "embeddings",
        "gather_items",
        "metrics",
        "model_rankings",
        "prompt_suggestions",
        "quality_scores",
        "reports",
        "task_executions",
    }
    assert {check.name for check in graph.asset_check_keys} == {
        "embedding_count_equals_item_count",
        "every_item_has_provenance",
        "no_duplicate_stored",
        "score_in_range_and_parts_add_up",
        "score_reaches_threshold",
    }
    assert repository.has_job("automated_gather_creation")
    assert repository.get_sensor_def("changes").default_status == dg.DefaultSensorStatus.RUNNING


def test_what_acts_on_change_is_off_until_somebody_switches_it_on(repository: dg.RepositoryDefinition) -> None:
    """A run costs money, so only sensors that start none, and tell what there is, run by themselves."""
    running = {sensor.name for sensor in repository.sensor_defs if sensor.default_status == dg.DefaultSensorStatus.RUNNING}
    stopped = {sensor.name for sensor in repository.sensor_defs if sensor.default_status == dg.DefaultSensorStatus.STOPPED}
    assert (running, stopped) == ({"changes", "deliveries"}, {"item_changes", "stale_departments", "failed_runs", "below_threshold"})
    crons = {schedule.name: schedule.cron_schedule for schedule in repository.schedule_defs}
    assert crons == {
        "nightly_refresh": "0 3 * * *",
        "weekly_report": "0 6 * * 1",
        "weekly_rankings": "0 5 * * 1",
        "weekly_suggestions": "30 5 * * 1",
    }
    assert all(schedule.default_status == dg.DefaultScheduleStatus.STOPPED for schedule in repository.schedule_defs)
    everything = (*repository.sensor_defs, *repository.schedule_defs)
    assert all(one.description for one in everything)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [one.name for one in everything if f"| `{one.name}` |" not in readme] == []


def test_what_prompts_are_made_of_stands_upstream_of_the_items() -> None:
    graph = defs.resolve_asset_graph()
    upstream = {parent.to_user_string() for parent in graph.get(dg.AssetKey("gather_items")).parent_keys}
    assert upstream == {"briefs", "departments", "context_notes"}


def test_private_names_of_dagster_are_imported_in_one_module() -> None:
    importing = [path.name for path in (ROOT / "gather_pipeline").rglob("*.py") if "from dagster._" in path.read_text(encoding="utf-8")]
    assert importing == ["private.py"]


def test_what_is_wrong_blocks_and_what_is_lacking_does_not() -> None:
    graph = defs.resolve_asset_graph()
    blocking = {check.name for check in graph.asset_check_keys if graph.get_check_spec(check).blocking}
    assert blocking == {"no_duplicate_stored", "score_in_range_and_parts_add_up"}


def test_every_asset_says_what_it_is_and_whose_it_is() -> None:
    graph = defs.resolve_asset_graph()
    for asset in graph.asset_nodes:
        assert len(str(asset.description)) > 100, asset.key
        assert (asset.owners, asset.group_name) == (["team:gather"], "gather"), "one group: the lineage shows assets at once"
        assert asset.kinds, asset.key
        assert asset.tags["layer"] in ("sources", "notes", "figures")
        assert asset.code_version or asset.is_external, asset.key
        assert "dagster/code_references" in asset.metadata or asset.is_external, asset.key


def test_what_is_a_table_names_it_and_its_columns() -> None:
    graph = defs.resolve_asset_graph()
    items = graph.get(dg.AssetKey("gather_items")).metadata
    assert items["dagster/table_name"] == "aladdin-gather-{project}.gather"
    columns = {column.name: column for column in items["dagster/column_schema"].columns}
    assert (columns["content"].type, columns["summary"].description) == ("str", "One short line.")
    tables = {node.key.to_user_string() for node in graph.asset_nodes if "dagster/table_name" in node.metadata}
    assert tables == {
        *("briefs", "gather_items", "embeddings", "quality_scores", "drafts"),
        *("metrics", "task_executions", "model_rankings"),
    }


def test_every_description_is_for_people_who_never_saw_the_specification(repository: dg.RepositoryDefinition) -> None:
    graph = defs.resolve_asset_graph()
    told = [node.description for node in graph.asset_nodes] + [graph.get_check_spec(check).description for check in graph.asset_check_keys]
    told += [one.description for one in (*repository.sensor_defs, *repository.schedule_defs)]
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    told += [job.description for job in jobs] + [field.description for field in GatherConfig.model_fields.values()]
    assert [one for one in told if not one or re.search(r"\b[SDC]\d{1,3}\b", one)] == []
    for command in (found for one in told for found in re.findall("`gather ([a-z ]+)`", str(one))):
        assert invoke([*command.split(), "--help"]) == 0, command


def test_every_automation_shows_on_the_assets_that_it_serves(repository: dg.RepositoryDefinition) -> None:
    graph = defs.resolve_asset_graph()
    served = {sensor.name: sensor.asset_selection.resolve(graph) for sensor in repository.sensor_defs if sensor.asset_selection}
    assert {name: {key.to_user_string() for key in keys} for name, keys in served.items()} == {
        "changes": {"briefs", "departments", "context_notes", "gather_items"},
        "below_threshold": {"quality_scores"},
    }
    jobs = {one.name: one.job_name for one in (*repository.sensor_defs, *repository.schedule_defs) if getattr(one, "has_jobs", True)}
    assert {"item_changes", "stale_departments", "nightly_refresh", "weekly_report"} <= jobs.keys()


def test_a_freshness_policy_comes_with_its_setting() -> None:
    graph = defs.resolve_asset_graph()
    assert [node.key for node in graph.asset_nodes if node.freshness_policy] == []
    code = (
        "import dagster as dg; from gather_pipeline.definitions import defs; graph = defs.resolve_asset_graph()\n"
        "print(graph.get(dg.AssetKey('quality_scores')).freshness_policy.fail_window.to_timedelta())"
    )
    environment = os.environ | {"GATHER_FRESHNESS_HOURS": "12"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120)
    assert done.stdout.strip() == "12:00:00", done.stderr


def test_partitioned_assets_run_in_one_run_and_the_automation_is_never_retried(repository: dg.RepositoryDefinition) -> None:
    graph = defs.resolve_asset_graph()
    for name in ("gather_items", "embeddings", "quality_scores", "drafts"):
        assert graph.get(dg.AssetKey(name)).backfill_policy == dg.BackfillPolicy.single_run()
        assert graph.get(dg.AssetKey(name)).partitions_def is not None
        assert repository.assets_defs_by_key[dg.AssetKey(name)].op.retry_policy is None
    job = repository.get_job("automated_gather_creation")
    assert all(node.retry_policy is None and node.definition.retry_policy is None for node in job.nodes)
    assert job.executor_def.name == "in_process"
    assert job.tags["gather/kind"] == "automation"


def test_metrics_has_one_writer_at_a_time(repository: dg.RepositoryDefinition) -> None:
    assert repository.assets_defs_by_key[dg.AssetKey("metrics")].op.pool == "duckdb_writer"
    assert yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))["concurrency"]["pools"]["default_limit"] == 1


def test_the_workspace_loads_without_any_setting_and_without_any_engine() -> None:
    """A code server and the command line load the definitions before anything is set; torch alone takes seconds."""
    (place,) = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]
    module = place["python_module"]["module_name"]
    code = f"import sys, dagster, gather_pipeline.defs.launch, {module} as loaded; dagster.Definitions.validate_loadable(loaded.defs); "
    code += f"print([m for m in {HEAVY!r} if m in sys.modules])"
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT, env=env, timeout=120)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_instance_file_loads_and_keeps_everything_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_bytes((ROOT / "dagster.yaml").read_bytes())
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path))) as instance:
        assert not instance.telemetry_enabled
        assert isinstance(instance.run_coordinator, ProjectQueue)
        assert Path(instance.root_directory) == tmp_path
        limits = instance.get_concurrency_config().run_queue_config
        assert limits is not None
        found = [(limit["key"], limit["value"], limit["limit"]) for limit in limits.tag_concurrency_limits]
        assert ("gather/project", {"applyLimitPerUniqueValue": True}, 1) in found
        assert ("gather/kind", "automation", 4) in found
        assert ("gather/kind", "refresh", 3) in found
        assert instance.run_monitoring_enabled
        assert not instance.run_retries_enabled
