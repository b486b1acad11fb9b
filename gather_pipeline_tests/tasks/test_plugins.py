"""Parts of other packages: the plugin of the documentation is built, installed and run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from gather_pipeline import entry_points
from gather_pipeline.bootstrap import build_services
from gather_pipeline.errors import InvalidInput, OutputRejected
from gather_pipeline.tasks import plugins
from gather_pipeline.tasks.catalogue import Catalogue, parse_definition
from gather_pipeline.tasks.executor import TaskExecutor
from gather_pipeline.tasks.plugins import plugin, plugin_names
from gather_pipeline_tests.harness import Studio, department_row, make_settings
from gather_pipeline_tests.tasks.builders import Bench, define

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    [text] = re.findall(rf"^```{kind}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    return str(text)


@pytest.fixture(autouse=True)
def looked_up_anew() -> Iterator[None]:
    entry_points._all.cache_clear()
    yield
    entry_points._all.cache_clear()
    for name in [name for name in sys.modules if name.startswith("part_of_")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages into which pip has installed the documentation's plugin."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(block("toml"), encoding="utf-8")
    (source / "studio_rules.py").write_text(block("python"), encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*command, str(site), str(source)], check=True, capture_output=True)
    return site


def test_an_installed_plugins_rule_and_check_are_used_by_a_task(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(installed))
    definition = parse_definition(json.loads(block("json")), "slogan.json")
    bench = Bench("Salt! Sea!", "The lamp goes out.", definition=definition)
    assert bench.run({"film": "Salt"}) == "The lamp goes out."
    assert bench.record.calls[0].complaint == "the answer does not fit: holds 2 exclamation marks, expected at most one"
    assert bench.record.verified and bench.record.verdicts[0].method == "short_enough"
    with pytest.raises(OutputRejected, match="it has 201 words, expected at most 200"):
        Bench("word " * 201, definition=definition).run({"film": "Salt"})


def register(folder: Path, group: str, line: str) -> None:
    """What an installed package has beside its modules."""
    metadata = folder / f"{group}_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {group}-plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[gather_pipeline.{group}]\n{line}\n")


def test_a_plugin_that_cannot_be_imported_is_one_sentence_where_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(tmp_path, "validations", "is_true = no_such_module:rule")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert plugin_names("validations") == ["is_true"] and define().id == "greeting"
    told = r"plugin is_true \(validations\) of package validations-plugin cannot be loaded from no_such_module:rule: .*No module named"
    with pytest.raises(InvalidInput, match=told):
        define(output__validations=["is_true"])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"is_true no_such_module:rule", "line in its entry_points.txt is 'is_true no_such_module:rule', expected one such as is_true = "),
        (b"is_true = ", "line in its entry_points.txt is '', expected one such as is_true = module:object"),
        (b"is_true = m\xfcller:rule", r"line in its entry_points.txt is 'm\ufffdller:rule', expected one such as"),
        (b"is_true = json:no_such_rule", "cannot be loaded from json:no_such_rule: .*, expected an object that can be imported"),
    ],
)
def test_a_broken_line_of_a_package_is_one_sentence_where_its_plugin_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes, told: str
) -> None:
    register(tmp_path, "validations", "")
    lines = b"[console_scripts]\nno line at all\n[gather_pipeline.validations\n" + line + b"\nstands_beside_it = builtins:abs\n"
    (tmp_path / "validations_plugin-1.0.dist-info" / "entry_points.txt").write_bytes(lines)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert define().id == "greeting" and plugin("validations", "stands_beside_it") is abs
    with pytest.raises(InvalidInput, match=rf"plugin is_true \(validations\) of package validations-plugin.*{told}"):
        define(output__validations=["is_true"])


def test_a_package_whose_own_name_cannot_be_read_is_told_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(tmp_path, "tasks", "pack = nowhere:TASKS")
    (tmp_path / "tasks_plugin-1.0.dist-info" / "METADATA").unlink()
    monkeypatch.syspath_prepend(str(tmp_path))
    told: list[str] = []
    assert plugins.plugins("tasks", told.append) == {} and f"of package at {tmp_path} cannot be loaded" in told[0]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("5", "failed: .*TypeError"),
        ("lambda parameters, tools: 1 / 0", "failed: 'ZeroDivisionError"),
        ("lambda parameters, tools: lambda case: None", "failed: .*TypeError"),
        ("lambda parameters, tools: none", "verdict of plugin odd .verifiers. is None, expected a Verdict"),
        ("lambda parameters, tools: fails", "failed: \"KeyError: 'gone'\""),
    ],
)
def test_a_plugins_check_that_is_none_ends_the_execution_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, told: str
) -> None:
    source = f"async def none(case):\n    return None\n\n\nasync def fails(case):\n    return {{}}['gone']\n\n\nodd = {body}\n"
    module(tmp_path, monkeypatch, "verifiers", "odd = part_of_verifiers:odd", source)
    with pytest.raises(InvalidInput, match=told):
        Bench('{"greeting": "Hail!"}', definition=define(verification={"method": "odd"})).run()


@pytest.mark.parametrize(("body", "told"), [("5", "failed: .*TypeError"), ("lambda: None", "is None, expected a LanguageModel")])
def test_a_plugins_provider_that_is_none_is_told_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, told: str) -> None:
    module(tmp_path, monkeypatch, "providers", "studio = part_of_providers:make", f"make = {body}\n")
    services = build_services(make_settings(tmp_path / "home"))
    with TaskExecutor("prompt", services=services) as executor, pytest.raises(InvalidInput, match=rf"plugin studio \(providers\) {told}"):
        executor.run({"prompt": "Hello."}, {"model": "studio:large"})
    services.close()


def test_a_plugin_that_ends_the_process_is_left_out_as_one_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_script.py").write_text("import sys\nsys.exit(3)\n")
    register(tmp_path, "tasks", "pack = a_script:TASKS")
    monkeypatch.syspath_prepend(str(tmp_path))
    told: list[str] = []
    assert plugins.plugins("tasks", told.append) == {} and "SystemExit: 3" in told[0]


def test_what_a_plugin_prints_as_it_is_imported_goes_where_words_for_people_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a_chatterer.py").write_text("print('hello')\nTASKS = '.'\n")
    register(tmp_path, "tasks", "pack = a_chatterer:TASKS")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert (plugin("tasks", "pack"), tuple(capsys.readouterr())) == (".", ("", "hello\n"))


def test_a_plugins_folder_of_tasks_is_found_and_a_users_own_stands_over_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, own = tmp_path / "theirs", tmp_path / "own"
    for folder, text in ((theirs, "Theirs."), (own, "Own.")):
        folder.mkdir()
        (folder / "greeting.json").write_text(json.dumps(define(description=text).to_document()))
    (theirs / "two.json").write_text(json.dumps(define(id="two").to_document()))
    (tmp_path / "pack_of_tasks.py").write_text("from pathlib import Path\nTASKS = Path(__file__).parent / 'theirs'\nWRONG = 5\n")
    register(tmp_path, "tasks", "pack = pack_of_tasks:TASKS")
    monkeypatch.syspath_prepend(str(tmp_path))
    known = Catalogue.load([own])
    assert (known.get("greeting").description, known.get("two").version) == ("Own.", "1.0.0")
    assert Catalogue.load([]).get("greeting").description == "Theirs."


def test_a_plugin_of_tasks_that_is_wrong_is_named_and_stops_nothing_but_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "greeting.json").write_text(json.dumps(define().to_document()))
    (tmp_path / "some_packs.py").write_text(f"GOOD, GONE, WRONG = {str(tmp_path / 'good')!r}, {str(tmp_path / 'gone')!r}, 5\n")
    lines = "away = no_such_module:TASKS\nwrong = some_packs:WRONG\ngone = some_packs:GONE\ngood = some_packs:GOOD"
    register(tmp_path, "tasks", lines)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert Catalogue.load([]).get("greeting").id == "greeting"
    away, wrong, gone = caplog.messages
    assert "plugin away (tasks) of package tasks-plugin cannot be loaded from no_such_module:TASKS: " in away
    assert wrong == "[AutoGather] plugin wrong (tasks) is '5', expected the path of a folder of definitions, so it is left out"
    assert f"plugin gone (tasks) is '{tmp_path / 'gone'}', expected" in gone


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, group: str, line: str, source: str) -> None:
    """An installed package of one module, called `part_of_` and the group."""
    (folder / f"part_of_{group}.py").write_text(source)
    register(folder, group, line)
    monkeypatch.syspath_prepend(str(folder))


def test_the_documentation_lists_every_group() -> None:
    assert re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE) == sorted(get_args(plugins.Group), key=DOCUMENT.index)
    assert len(get_args(plugins.Group)) == 8


def test_what_is_not_registered_is_none() -> None:
    assert plugin("verifiers", "oracle") is None


def test_a_plugins_similarity_is_what_a_consensus_compares_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lengths.py").write_text("def same_length(first, second):\n    return float(len(str(first)) == len(str(second)))\n")
    register(tmp_path, "similarities", "same_length = lengths:same_length")
    monkeypatch.syspath_prepend(str(tmp_path))
    verification = {"method": "consensus", "parameters": {"similarity": "same_length"}}
    bench = Bench('{"greeting": "Hail!"}', '{"greeting": "Hello"}', definition=define(verification=verification))
    bench.run(model="a", fallback_models=["b"])
    assert bench.record.verified


@pytest.mark.parametrize(
    ("body", "told"), [("raise OSError('away')", "failed: 'OSError: away'"), ("return 'much'", r"is 'much', expected a number from 0 to 1")]
)
def test_a_plugins_similarity_that_fails_is_told_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, told: str) -> None:
    module(tmp_path, monkeypatch, "similarities", "odd = part_of_similarities:odd", f"def odd(first, second):\n    {body}\n")
    verification = {"method": "consensus", "parameters": {"similarity": "odd"}}
    bench = Bench('{"greeting": "Hail!"}', '{"greeting": "Hello"}', definition=define(verification=verification))
    with pytest.raises(InvalidInput, match=rf"plugin odd \(similarities\) {told}"):
        bench.run(model="a", fallback_models=["b"])


def test_a_plugins_metric_decides_on_an_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (
        "def named(given, output):\n    found = float(given['who'] in output['greeting']) / (output['warmth'] - 7)\n"
        "    return float('nan') if output['warmth'] == 9 else found\n"
    )
    module(tmp_path, monkeypatch, "quality_metrics", "named = part_of_quality_metrics:named", source)
    verification = {"method": "quality", "parameters": {"metrics": {"named": 0.5}}}
    said = (("Mara", 8), ("you", 8), ("Mara", 7), ("Mara", 9))
    answers = (json.dumps({"greeting": f"Hail, {who}!", "warmth": warmth}) for who, warmth in said)
    bench = Bench(*answers, definition=define(verification=verification))
    bench.run()
    for told in ("named is 0.00, expected at least 0.5", "a metric failed: ZeroDivisionError", "named gives no finite number"):
        with pytest.raises(OutputRejected, match=told):
            bench.run()
    assert [one.verdicts[0].ruling for one in bench.records] == ["accept", "reject", "undecided", "undecided"]
    with pytest.raises(InvalidInput, match="verification quality: metric is 'naimed', expected one of named"):
        Bench(definition=define(verification={"method": "quality", "parameters": {"metrics": {"naimed": 0.5}}})).run()


def test_a_plugins_provider_answers_for_its_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (
        "from gather_pipeline_tests.tasks.builders import ListModel\n\n\ndef make():\n"
        "    return ListModel('{\"text\": \"Short.\"}', 'Short.')\n"
    )
    module(tmp_path, monkeypatch, "providers", "studio = part_of_providers:make", source)
    services = build_services(make_settings(tmp_path / "home"))
    with TaskExecutor("prompt", services=services) as executor:
        result = executor.run({"prompt": "Hello."}, {"model": "studio:large"})
    assert (result.execution.model, result.execution.calls[0].answered_by) == ("studio:large", "provider/small-2")
    services.close()


def test_a_plugins_prompts_are_further_ones_of_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = (
        "def prompt(condition):\n    return {'id': 'terse', 'text': '{{ prompt }} In five words.', 'template_variables': ['prompt'],"
        " 'usage_conditions': condition}\n\n\n"
        "PROMPTS = {'prompt': [prompt({'when': 'terse'})]}\nWRONG = {'prompt': [prompt({'default': True})]}\n"
    )
    source += "class Lost(dict):\n    def items(self):\n        return self['gone'].items()\n\n\nLOST = Lost()\n"
    names = {"good": "PROMPTS", "wrong": "WRONG", "none": "prompt", "lost": "LOST"}
    lines = "\n".join(f"{name} = part_of_prompt_packs:{place}" for name, place in names.items())
    module(tmp_path, monkeypatch, "prompt_packs", lines, source)
    definition = Catalogue.load([]).get("prompt")
    assert definition.prompt_for(["terse"]).id == "terse" and definition.hash != Catalogue.packaged().get("prompt").hash
    told = "plugin wrong (prompt_packs), task prompt: the definition: prompts have the id 'terse' twice, expected ids of their own"
    assert f"[AutoGather] The prompts of plugin wrong are left out: {told}" in caplog.messages and len(caplog.messages) == 3


def test_a_plugins_texts_reach_the_loops_prompts_and_one_that_fails_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (
        "def archive(project_id, department, about):\n    return [f'The {department} of the archive, for {about[:16]}.']\n\n\n"
        "def away(*given):\n    raise OSError('no line')\n"
    )
    lines = "archive = part_of_context_sources:archive\naway = part_of_context_sources:away\nlost = no_such_module:source"
    module(tmp_path, monkeypatch, "context_sources", lines, source)
    studio = Studio.open(tmp_path / "home", [department_row("story", 1, most=1)])
    studio.run()
    assert all("- [archive] The story of the archive, for Story Department." in one.messages[-1].content for one in studio.model.requests)
    [iteration] = studio.view.history("story")
    lost, away = iteration.faults
    assert lost.startswith("plugin lost (context_sources) of package") and away.startswith(
        "the context source away failed (OSError: no line)"
    )
    entries = [one for one in studio.records.ledgers("story", 1)[0].entries if one.kind == "source"]
    assert [one.state for one in entries] == ["included"] and iteration.inputs.context == {}
    assert studio.run("task-2").summary[0].ended_by == "unchanged"
    studio.close()


def test_a_plugins_rule_that_fails_ends_the_execution_by_name_and_what_was_paid_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(tmp_path, monkeypatch, "validations", "odd = part_of_validations:odd", "def odd(value):\n    return value['gone']\n")
    bench = Bench('{"greeting": "Hail!"}', definition=define(output__validations=["odd"]))
    with pytest.raises(InvalidInput, match=r"plugin odd \(validations\) failed: \"KeyError: 'gone'\""):
        bench.run()
    assert bench.record.usage.cost == 0.25 and bench.record.calls[0].answer == '{"greeting": "Hail!"}'
