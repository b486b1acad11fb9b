"""What each contender of `peers.py` does, in a process of its own: asks for the notes, embeds them, drops duplicates, stores the rest.

    python benchmarks/peer_jobs.py NAME --notes 200 --at-once 8 --folder FOLDER

The server's address and key stand in OPENAI_BASE_URL and OPENAI_API_KEY. The last line of standard output is the number of notes stored.
A framework's interpreter needs the framework, sentence-transformers and the package with the weights, and nothing else of gather_pipeline:
everything beyond the standard library is imported where it is used.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PROJECT, BRIEF, MODEL = "peers", "A film of a lighthouse keeper, an engineer and the last winter of the light.", "local/model"
DEPARTMENTS = ("Story", "Character", "Visual", "Sound", "Logistics")
ASPECTS = ("opening", "turning point", "secret", "climax", "ending", "night", "weather", "red door", "harbour", "silence")
SAME = 0.9  # cosine from which the others, who have no duplicate rules of their own, call two notes the same


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be done.

    Attributes:
        notes: How many to ask for, a multiple of the aspects of a department.
        at_once: Most requests in flight.
        folder: An empty folder for everything that is written.
    """

    notes: int
    at_once: int
    folder: Path

    def prompts(self) -> list[str]:
        """One prompt a note."""
        pairs = [(DEPARTMENTS[place // len(ASPECTS) % len(DEPARTMENTS)], ASPECTS[place % len(ASPECTS)]) for place in range(self.notes)]
        return [
            f"{BRIEF}\n\nWrite note {place + 1} for the department {department}, about the {aspect}. Answer with one JSON object with the "
            'keys "content", "summary" and "context".'
            for place, (department, aspect) in enumerate(pairs)
        ]


def store(folder: Path, texts: Sequence[str], vectors: Any) -> int:
    """Keeps every note that is like none kept before, in SQLite, and returns how many that are."""
    import numpy as np

    rows = np.asarray(vectors, dtype=np.float32)
    kept: list[int] = []
    for place in range(len(texts)):
        if not kept or float((rows[kept] @ rows[place]).max()) < SAME:
            kept.append(place)
    connection = sqlite3.connect(folder / "notes.db")
    with connection:
        connection.execute("CREATE TABLE notes (content TEXT NOT NULL, embedding BLOB NOT NULL)")
        connection.executemany("INSERT INTO notes VALUES (?, ?)", [(texts[place], rows[place].tobytes()) for place in kept])
    connection.close()
    return len(kept)


def content(answer: str) -> str:
    """The note in a model's answer."""
    return str(json.loads(answer)["content"])


def departments_file(folder: Path) -> Path:
    """Departments that no score can finish, in the file that `GATHER_DEPARTMENTS` names; JSON is YAML too."""
    rows = [
        {
            "slug": name.lower(),
            "name": f"{name} Department",
            "description": f"All that is {name.lower()}.",
            "codeDepNumber": number,
            "defaultModel": MODEL,
            "coordinationSettings": {"minQualityThreshold": 100, "maxIterations": None, "aspects": ASPECTS},
        }
        for number, name in enumerate(DEPARTMENTS, 1)
    ]
    file = folder / "departments.yaml"
    file.write_text(json.dumps(rows), encoding="utf-8")
    return file


def run_gather_pipeline(job: Job) -> int:
    """The automation as a library, which asks for ten notes an iteration."""
    from gather_pipeline import bootstrap
    from gather_pipeline.domain.automation import AutomationRequest
    from gather_pipeline.gather.automate import run_automation
    from gather_pipeline.settings import load_settings

    file = departments_file(job.folder)
    settings = load_settings(_env_file=None, home=job.folder, departments=file, judge_model="none", concurrency=job.at_once)
    services = bootstrap.build_services(settings)
    services.projects.create("Peers", BRIEF, PROJECT)
    request = AutomationRequest(project_id=PROJECT, max_iterations=job.notes // len(ASPECTS))
    result = run_automation(services, request, task_id="peers")
    services.close()
    return result.items_created


def run_command(job: Job) -> int:
    """`gather project create` and `gather run`, each a process of its own, as a user types them."""
    import subprocess
    import sys

    settings = {"GATHER_HOME": str(job.folder), "GATHER_DEPARTMENTS": str(departments_file(job.folder)), "GATHER_JUDGE_MODEL": "none"}
    environment = os.environ | settings | {"GATHER_CONCURRENCY": str(job.at_once)}
    brief = job.folder / "brief.md"
    brief.write_text(BRIEF, encoding="utf-8")

    def gather(*args: str) -> str:
        command = [sys.executable, "-c", "from gather_pipeline.cli import main; main()", *args]
        return subprocess.run(command, cwd=job.folder, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout

    gather("project", "create", "--name", "Peers", "--brief", str(brief), "--id", PROJECT)
    result = gather("run", "--project", PROJECT, "--max-iterations", str(job.notes // len(ASPECTS)), "--json")
    return int(json.loads(result)["items_created"])


def run_bare_loop(job: Job) -> int:
    """All calls through one semaphore, then all embeddings, then the store."""
    from openai import AsyncOpenAI

    from gather_pipeline.adapters.embedders.minilm import MiniLM

    async def everything() -> list[str]:
        gate = asyncio.Semaphore(job.at_once)
        async with AsyncOpenAI() as client:

            async def ask(prompt: str) -> str:
                async with gate:
                    answer = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": prompt}])
                    return content(answer.choices[0].message.content or "")

            return await asyncio.gather(*map(ask, job.prompts()))

    texts = asyncio.run(everything())
    return store(job.folder, texts, MiniLM().embed(texts))


def run_distilabel(job: Job) -> int:
    """Two steps of a pipeline. A batch is asked for at once and awaited whole, so its size is the number of requests at once."""
    from distilabel.models import OpenAILLM, SentenceTransformerEmbeddings
    from distilabel.pipeline import Pipeline
    from distilabel.steps import EmbeddingGeneration, LoadDataFromDicts
    from distilabel.steps.tasks import TextGeneration

    from gather_pipeline.adapters.embedders.minilm import PACKAGE

    package = find_spec(PACKAGE)
    assert package is not None
    folder = Path(package.submodule_search_locations[0]) / "model"  # type: ignore[index]
    embeddings = SentenceTransformerEmbeddings(model=str(folder), device="cpu")
    with Pipeline(name="peers", cache_dir=job.folder) as pipeline:
        load = LoadDataFromDicts(data=[{"instruction": prompt} for prompt in job.prompts()])
        write = TextGeneration(llm=OpenAILLM(model=MODEL), input_batch_size=job.at_once, output_mappings={"generation": "text"})
        embed = EmbeddingGeneration(embeddings=embeddings)
        load >> write >> embed
    rows = pipeline.run(use_cache=False)["default"]["train"]
    return store(job.folder, [content(text) for text in rows["text"]], rows["embedding"])


def run_curator(job: Job) -> int:
    """One `LLM` over all prompts; curator has no embeddings, so they are made afterwards, as in the bare loop."""
    os.environ |= {"CURATOR_CACHE_DIR": str(job.folder), "TELEMETRY_ENABLED": "false", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    litellm = find_spec("litellm")  # it comes with curator and carries the tokenizer that curator would fetch
    for place in (litellm and litellm.submodule_search_locations) or ():
        os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(place) / "litellm_core_utils" / "tokenizers")
    from bespokelabs import curator

    from gather_pipeline.adapters.embedders.minilm import MiniLM

    limits = {"max_concurrent_requests": job.at_once, "max_requests_per_minute": 1_000_000, "max_tokens_per_minute": 1_000_000_000}
    address = {"base_url": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"]}
    model = curator.LLM(model_name=MODEL, backend="openai", backend_params=limits | address)
    answers = model(job.prompts()).dataset
    texts = [content(row["response"]) for row in answers]
    return store(job.folder, texts, MiniLM().embed(texts))


def run_data_designer(job: Job) -> int:
    """A column of seeds, a column of answers and a column of embeddings."""
    os.environ |= {"NEMO_TELEMETRY_ENABLED": "false"}
    import data_designer.config as dd
    import pandas as pd
    from data_designer.interface import DataDesigner

    from gather_pipeline.adapters.embedders.minilm import MiniLM

    embedder = MiniLM()

    def embedding(row: dict[str, Any]) -> dict[str, Any]:
        return row | {"embedding": embedder.embed([content(row["note"])])[0].tolist()}

    generator = dd.custom_column_generator(required_columns=["note"])(embedding)
    local = dd.ModelProvider(name="local", endpoint=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"])
    parameters = dd.ChatCompletionInferenceParams(max_parallel_requests=job.at_once)
    model = dd.ModelConfig(alias="writer", model=MODEL, provider="local", inference_parameters=parameters, skip_health_check=True)
    columns = dd.DataDesignerConfigBuilder(model_configs=[model])
    columns.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"task": job.prompts()})))
    columns.add_column(dd.LLMTextColumnConfig(name="note", prompt="{{ task }}", model_alias="writer"))
    columns.add_column(dd.CustomColumnConfig(name="embedding", generator_function=generator))
    designer = DataDesigner(artifact_path=job.folder, model_providers=[local])
    rows = designer.create(columns, num_records=job.notes, dataset_name="peers").load_dataset()
    return store(job.folder, [content(text) for text in rows["note"]], rows["embedding"].tolist())


JOBS: dict[str, Callable[[Job], int]] = {
    "gather_pipeline": run_gather_pipeline,
    "gather run": run_command,
    "bare loop": run_bare_loop,
    "distilabel": run_distilabel,
    "curator": run_curator,
    "data-designer": run_data_designer,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=JOBS)
    parser.add_argument("--notes", type=int, required=True)
    parser.add_argument("--at-once", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    print(JOBS[options.name](Job(notes=options.notes, at_once=options.at_once, folder=options.folder)))


if __name__ == "__main__":
    main()
