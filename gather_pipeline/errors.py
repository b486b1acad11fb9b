"""Every error that the package raises on purpose, in one tree, which says what each is.

GatherError
├── PermanentError            trying again without a change is pointless
│   ├── InvalidInput          a value from outside is wrong (exit 2)
│   │   ├── UnknownEntity     a project, department, task or item that is not there (exit 3)
│   │   ├── StaleCursor       a change cursor of another store, or of one put back from a copy: read from the start
│   │   ├── OutputInvalid     a model's answer does not fit its task's output schema
│   │   └── ContextError      what must be in a prompt does not fit into its budget, not even shortened
│   ├── NotSignedIn           a request to the API names no token, or none that is valid
│   ├── NotAllowed            its token is for another project, or it comes from where nobody may ask
│   ├── TooLarge              its body is larger than the limit
│   ├── ProjectBusy           another live run holds the project's lease (exit 4)
│   ├── EditConflict          somebody else changed the item first, what they wrote stays (exit 4)
│   ├── StoreError            the store refuses: not a store, no disk, no permission (exit 5)
│   │   ├── StoreFull         its disk is full
│   │   ├── DuplicateKey      a unique key is taken
│   │   ├── StoreGone         its file was deleted or replaced while it was in use
│   │   └── VersionConflict   somebody else changed the document first
│   ├── SetupMissing          a file that `gather setup` fetches is not there (exit 6)
│   ├── BrainRefused          the brain refuses what it was given
│   ├── OutputRejected        no check accepted a task's output, and the task names no fallback
│   └── ModelRefused          the provider refuses: key, model id or request (4xx)
├── TransientError            the same call may succeed later; may carry the seconds to wait
│   ├── StoreUnavailable      the store does not answer (exit 5)
│   ├── TooMany               one request to the API too many; carries the seconds to wait
│   ├── BrainUnavailable      the brain does not answer
│   ├── CmsUnavailable        the CMS does not answer
│   ├── ServiceUnavailable    an outside service gives no answer that can be used
│   └── ModelUnavailable      connection lost, 5xx or a malformed answer
│       ├── ModelUnreachable  no server was met
│       ├── ModelTimeout      no answer within the time given
│       └── RateLimited       429
└── Stopped                   the loop ends early and has saved its work
    ├── TaskCancelled         a person or Dagster asked for it (exit 130)
    ├── DeadlineReached       the time given is spent
    └── BudgetExhausted       the tokens, cost or iterations given are spent
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Mapping

OUTLINE = reprlib.Repr()  # what a file holds may be of any size, and by aliases far larger than the file
OUTLINE.maxlevel = 3
OUTLINE.maxstring = OUTLINE.maxother = 200


class GatherError(Exception):
    """Root of every error raised on purpose; `str(error)` is one sentence for a person."""

    exit_code = 1


class PermanentError(GatherError): ...


class TransientError(GatherError):
    """The same call may succeed later.

    Attributes:
        retry_after_s: Seconds that whoever was called asks to wait, None where it does not say.
    """

    def __init__(self, message: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class InvalidInput(PermanentError):
    """A value from outside is wrong; names the field, the value and what was expected."""

    exit_code = 2

    @classmethod
    def field(cls, name: str, value: object, expected: str) -> InvalidInput:
        """Builds the one sentence that every refusal of a value has.

        Args:
            name: Field as the user knows it, e.g. ``--max-iterations`` or ``departments[3].slug``.
            value: The offending value; long values are shortened.
            expected: What would have been right, e.g. ``a whole number from 1 to 10000``.
        """
        return cls(f"{name} is {shorten(value)}, expected {expected}")


class UnknownEntity(InvalidInput):
    exit_code = 3


class StaleCursor(InvalidInput): ...


class OutputInvalid(InvalidInput):
    exit_code = 1


class ContextError(InvalidInput):
    """Lists what each part needs.

    Attributes:
        budget: Tokens there are.
        sizes: By id the tokens of the shortest form and of the whole text.
    """

    def __init__(self, budget: int, sizes: Mapping[str, tuple[int, int]]) -> None:
        self.budget, self.sizes = budget, dict(sizes)
        told = listed(f"{id} {least} of {size}" for id, (least, size) in sizes.items())
        super().__init__(
            f"context budget is {budget} tokens, expected at least {sum(least for least, _ in sizes.values())} for what must be included "
            f"(shortest form and full size: {told}): raise GATHER_CONTEXT_TOKENS or CONTEXT_MAX_TOKENS, or shorten these"
        )


class BrainRefused(PermanentError): ...


class OutputRejected(PermanentError): ...


class NotSignedIn(PermanentError): ...


class NotAllowed(PermanentError): ...


class TooLarge(PermanentError): ...


class ProjectBusy(PermanentError):
    exit_code = 4


class EditConflict(PermanentError):
    exit_code = 4


class StoreError(PermanentError):
    exit_code = 5


class StoreFull(StoreError): ...


class DuplicateKey(StoreError): ...


class StoreGone(StoreError): ...


class VersionConflict(StoreError): ...


class SetupMissing(PermanentError):
    exit_code = 6


class ModelRefused(PermanentError): ...


class StoreUnavailable(TransientError):
    exit_code = 5


class TooMany(TransientError):
    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BrainUnavailable(TransientError): ...


class CmsUnavailable(TransientError): ...


class ServiceUnavailable(TransientError): ...


class ModelUnavailable(TransientError): ...


class ModelUnreachable(ModelUnavailable): ...


class ModelTimeout(ModelUnavailable): ...


class RateLimited(ModelUnavailable): ...


class Stopped(GatherError): ...


class TaskCancelled(Stopped):
    exit_code = 130


class DeadlineReached(Stopped): ...


class BudgetExhausted(Stopped): ...


def shorten(value: object, limit: int = 200) -> str:
    """Shows a value as Python would, cut to `limit` characters with its length named; of a long list or mapping only the beginning."""
    text = repr(value) if isinstance(value, str) else OUTLINE.repr(value)
    if len(text) <= limit:
        return text
    return f"{text[:limit]}..." + (f" ({len(text)} characters)" if isinstance(value, str) else "")


def expected(message: str) -> str:
    """What a message of pydantic asks for: ``at least 8 characters`` of "String should have at least 8 characters"."""
    return re.sub(r"^(?:Value error, |[\w ]+? should (?:be |have |match )?)", "", message)


def listed(names: Iterable[str], limit: int = 20) -> str:
    """Shows names one after the other; of more than `limit` the first, and how many there are besides."""
    given = list(names)
    return ", ".join(given[:limit]) + (f" and {len(given) - limit} more" if len(given) > limit else "")
