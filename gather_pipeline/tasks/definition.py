"""What a task is: the definition of seed S004 as values, checked as a whole when it is read.

Unknown keys are refused, so that a typo fails at load and not as a strange prompt. The schemas, examples, templates and validations of
a `TaskDefinition` belong together. `task-definition-v1.schema.json` is the same as JSON Schema, for editors (S004-DEF-22). What was
added to the seed's form, and why, is in `docs/decisions/0004-task-engine.md`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks import schemas, templates
from gather_pipeline.tasks.execution import digest
from gather_pipeline.tasks.validations import Validation, build, narrowed

SEMVER = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"
TASK_ID = r"^[a-z][a-z0-9_]{0,63}$"
NAME = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME)]
Text = Annotated[str, Field(min_length=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
MAX_TOKENS = 200_000  # of one answer: more than any model writes
OUTPUT = "output"  # reserved in verification prompts (C40)


class Part(BaseModel):
    """A part of a definition: frozen, and with no key that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Specification(Part):
    """A schema, examples of it, and rules that a schema cannot say."""

    json_schema: dict[str, JsonValue] = Field(
        alias="schema",
        description="JSON Schema (draft 2020-12): of an object for the input, where a property's `default` stands in if the caller "
        "gives none; of a string for an output whose format is text.",
    )
    examples: tuple[JsonValue, ...] = Field(default=(), description="Valid values.")
    validations: tuple[str, ...] = Field(default=(), description="Names of further rules, see `tasks/validations.py`.")

    def complaint(self, value: Any) -> str | None:
        """Why a value does not fit the schema, or else does not pass the validations; None where it does both."""
        wrong = schemas.complaint(self.json_schema, value)
        return wrong or next((text for rule in self._rules.values() if (text := rule(value))), None)

    @property
    def warnings(self) -> list[str]:
        """Examples that do not pass a named validation: worth a look, but the seed's own does not either (C39)."""
        checks = self._rules.items()
        examples = enumerate(self.examples)
        return [f"examples.{at} does not pass {name}: {wrong}" for at, one in examples for name, rule in checks if (wrong := rule(one))]

    @cached_property
    def asked(self) -> dict[str, JsonValue]:
        """The schema to send with a request: what every provider takes, with the rules that a schema can say."""
        made: dict[str, JsonValue] = schemas.portable(narrowed(self.json_schema, self.validations))
        return made

    @cached_property
    def _rules(self) -> dict[str, Validation]:
        return {name: build(name, self.json_schema) for name in self.validations}

    def _check_form(self) -> None:
        """Raises `ValueError` where the schema is not of the kind that it must be."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        schemas.check_schema(self.json_schema)
        self._check_form()
        _ = self._rules  # each is known, and points to something
        for index, example in enumerate(self.examples):
            if wrong := schemas.complaint(self.json_schema, example):
                raise ValueError(f"examples.{index} does not fit the schema: {wrong}")
        return self


class InputSpecification(Specification):
    """What a task takes."""

    def _check_form(self) -> None:
        if self.json_schema.get("type") != "object":
            raise ValueError(f"schema has type {self.json_schema.get('type')!r}, expected 'object'")


class OutputSpecification(Specification):
    """What a task gives."""

    format: Literal["json", "text"] = Field(
        default="json", description="Whether the model's answer is parsed, or is the output as it stands."
    )
    when_cut: Literal["refuse", "trim"] = Field(
        default="refuse",
        description="A text cut at the token limit is asked for again, or trimmed to its last whole sentence. Cut JSON is never used.",
    )

    def _check_form(self) -> None:
        if self.format == "text" and self.json_schema.get("type") != "string":
            raise ValueError(f"schema has type {self.json_schema.get('type')!r}, expected 'string' where the format is text")
        if self.format == "json" and self.when_cut == "trim":
            raise ValueError("when_cut is 'trim', expected 'refuse' where the format is json")


class Shot(Part):
    """One example turn, sent as it stands: nothing is filled in."""

    user: Text
    assistant: Text


class UsageConditions(Part):
    """When a prompt is used: by default, or when the caller names its condition (S004-DEF-14)."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["default"]}, {"required": ["when"]}]})

    default: Literal[True] | None = None
    when: Name | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.default is None) is (self.when is None):
            raise ValueError('expected either {"default": true} or {"when": "name of a condition"}')
        return self


class Prompt(Part):
    """One way of asking."""

    id: Name
    text: Text = Field(description="Jinja template of the user's turn.")
    template_variables: tuple[Name, ...] = Field(description="Every variable of text, system and prefill, and no other.")
    usage_conditions: UsageConditions
    system: Text | None = Field(default=None, description="Jinja template of the system turn.")
    shots: tuple[Shot, ...] = Field(default=(), description="Example turns before the question.")
    prefill: Text | None = Field(
        default=None, description="Jinja template of an opening that the answer continues; for models that allow it."
    )

    @property
    def templates(self) -> Iterator[tuple[str, str]]:
        """Key and template of each that there is."""
        for key, template in (("text", self.text), ("system", self.system), ("prefill", self.prefill)):
            if template is not None:
                yield key, template

    @model_validator(mode="after")
    def _variables_are_declared(self) -> Self:
        used: set[str] = set()
        for key, template in self.templates:
            try:
                used |= templates.variables(template)
            except ValueError as error:
                raise ValueError(f"{key} {error}") from None
        declared = set(self.template_variables)
        wrong = {"used and not declared": used - declared, "declared and not used": declared - used}
        told = "; ".join(f"{what}: {', '.join(sorted(names))}" for what, names in wrong.items() if names)
        if told:
            raise ValueError(f"template_variables differ from the templates ({told})")
        return self


class VerificationParameters(Part):
    """Parameters of a verification method; each method has its own besides these (S004-VER-06)."""

    model_config = ConfigDict(extra="allow")

    similarity_threshold: Fraction | None = None
    consensus_count: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Another name of min_models (C37).")
    min_models: Annotated[int, Field(ge=1)] | None = None
    max_models: Annotated[int, Field(ge=1)] | None = None
    min_confidence: Fraction | None = None
    verification_prompt: Text | None = Field(
        default=None,
        description="Jinja template of what a reviewer is asked. It may use the properties of input.schema and `output`; one further name "
        "stands for the output too, or those of output_aliases (C40).",
    )
    output_aliases: tuple[Name, ...] = Field(default=(), description="Names that stand for the output in verification_prompt.")


class Link(Part):
    """One check of a chain."""

    method: Name
    parameters: VerificationParameters = VerificationParameters()
    on_accept: Literal["end", "next"] = Field(
        default="end", description="An output that the check accepts is accepted, or must pass the next check too."
    )
    on_reject: Literal["end", "next"] = Field(
        default="next", description="An output that the check rejects is refused, or the next check decides. An undecided one goes on."
    )


class Verification(Part):
    """How outputs are verified: by one method, or by a chain of them whose end is a refusal unless one has accepted (S004-VER)."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["method"]}, {"required": ["chain"]}]})

    method: Name | None = None
    parameters: VerificationParameters = VerificationParameters()
    chain: tuple[Link, ...] = ()
    fallback_strategy: Literal["use_highest_ranked_model", "human_review"] | None = Field(
        default=None, description="What the caller gets where no check accepts; an error where nothing is named."
    )

    @property
    def links(self) -> tuple[Link, ...]:
        """The chain; of one link where a single method is named."""
        return (Link(method=self.method, parameters=self.parameters),) if self.method is not None else self.chain

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.method is None) is not bool(self.chain):
            raise ValueError('expected either a method or a chain like [{"method": "consensus"}, {"method": "human"}]')
        if self.chain and "parameters" in self.model_fields_set:
            raise ValueError("parameters stand beside a chain, expected them in its links")
        if self.links[-1].on_accept == "next":
            raise ValueError("on_accept of the last link is 'next', expected 'end', for nothing comes after it")
        return self


class RankingCriteria(Part):
    """What matters in the choice of a model."""

    quality_priority: Fraction
    speed_priority: Fraction
    context_size: Literal["small", "medium", "large"]


class Generation(Part):
    """How the model is called."""

    temperature: Fraction = Field(default=0.7, description="0 to 1 (C57).")
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] = Field(default=1000, description="Most tokens of one answer.")
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = Field(default=120.0, description="Seconds until a call counts as hung.")
    sampling: dict[str, JsonValue] = Field(default={}, description="Further sampling parameters of local servers.")
    max_reasks: Annotated[int, Field(ge=0, le=5)] = Field(
        default=2, description="How often an answer that does not fit is asked for again."
    )
    reask: Literal["complain", "again"] = Field(
        default="complain", description="Asks again with the complaint, or just once more, for small models that a complaint confuses."
    )
    candidates: Annotated[int, Field(ge=1, le=16)] | None = Field(
        default=None, description="How many answers the caller should draw to choose the best from; the runner draws one."
    )


class ExamplesFrom(Part):
    """Example turns drawn from outputs that people accepted, never from the definition's own examples."""

    choose: Literal["newest", "most_similar"] = Field(
        default="most_similar",
        description="The last accepted outputs, or those whose input is most like the present one.",
    )
    count: Annotated[int, Field(ge=1, le=10)] = Field(default=2, description="Most examples of one prompt.")


class Dependency(Part):
    """Another task, run first where the caller does not give what it would bring."""

    task: Annotated[str, Field(pattern=TASK_ID)]
    version: Annotated[str, Field(pattern=SEMVER)] | None = Field(default=None, description="The newest where none is named.")
    inputs: dict[Name, Name] = Field(default={}, description="Property of its input: property of this task's input that it gets.")
    outputs: Annotated[dict[Name, Text], Field(min_length=1)] = Field(
        description="Property of this task's input: place in its output that it gets, such as `output` or `output.job_title`."
    )
    on_error: Literal["stop", "skip", "fallback"] = Field(
        default="stop", description="What its error does: ends this task too, leaves the properties out, or gives them the values below."
    )
    fallback: dict[Name, JsonValue] = Field(default={}, description="Values of the properties where it fails and on_error is fallback.")


class TaskDefinition(Part):
    """One kind of work that a language model is asked to do."""

    model_config = ConfigDict(title="Task definition")

    schema_uri: Literal["https://sunset-project.org/schemas/task-definition-v1.json"] | None = Field(default=None, alias="$schema")
    id: Annotated[str, Field(pattern=TASK_ID)]
    name: Text
    description: Text
    version: Annotated[str, Field(pattern=SEMVER)] = Field(description="Semantic version; every execution names it.")
    input: InputSpecification
    output: OutputSpecification
    prompts: Annotated[tuple[Prompt, ...], Field(min_length=1)]
    verification: Verification | None = None
    model_ranking_criteria: RankingCriteria | None = None
    generation: Generation = Generation()
    examples_from: ExamplesFrom | None = None
    dependencies: tuple[Dependency, ...] = ()

    @model_validator(mode="after")
    def _prompts_belong_together(self) -> Self:
        ids = [prompt.id for prompt in self.prompts]
        if twice := next((id for id in ids if ids.count(id) > 1), None):
            raise ValueError(f"prompts have the id {twice!r} twice, expected ids of their own")
        default = [prompt.id for prompt in self.prompts if prompt.usage_conditions.default]
        if len(default) != 1:
            raise ValueError(f"default prompts are {', '.join(default) or 'none'}, expected exactly one")
        properties = self.input.json_schema.get("properties")
        if isinstance(properties, Mapping):
            for prompt in self.prompts:
                for variable in prompt.template_variables:
                    if variable not in properties:
                        raise ValueError(f"prompt {prompt.id} uses {variable!r}, expected a property of input.schema")
        return self

    @model_validator(mode="after")
    def _verification_prompts_know_their_variables(self) -> Self:
        for link in self.verification.links if self.verification else ():
            self.output_names(link.parameters)
        return self

    def output_names(self, parameters: VerificationParameters) -> frozenset[str]:
        """Names in a verification prompt that stand for the output: `output`, declared aliases, or else the one name that is no input's.

        Raises:
            ValueError: It is no template, names something else besides, or never names the output.
        """
        if parameters.verification_prompt is None:
            return frozenset()
        try:
            used = templates.variables(parameters.verification_prompt)
        except ValueError as error:
            raise ValueError(f"verification_prompt {error}") from None
        reserved = {OUTPUT, *parameters.output_aliases}
        unknown = used - reserved - set(self.input.json_schema.get("properties", {}))  # type: ignore[arg-type]
        found = used & reserved
        if len(unknown) == 1 and not found:
            return frozenset(unknown)
        if unknown or not found:
            told = f"the unknown {', '.join(sorted(unknown))}" if unknown else "no output"
            raise ValueError(f"verification_prompt names {told}, expected properties of input.schema and '{OUTPUT}' or an alias of it")
        return frozenset(found)

    def prompt_for(self, conditions: Collection[str]) -> Prompt:
        """The first prompt whose condition is among those given, else the default one.

        A condition that no prompt names changes nothing: it states a fact, and a task need not care.
        """
        default = next(prompt for prompt in self.prompts if prompt.usage_conditions.default)
        return next((prompt for prompt in self.prompts if prompt.usage_conditions.when in conditions), default)

    def check_conditions(self, conditions: Collection[str]) -> None:
        """Raises `InvalidInput` where a person names a condition that no prompt has."""
        known = [prompt.usage_conditions.when for prompt in self.prompts if prompt.usage_conditions.when]
        for name in conditions:
            if name not in known:
                raise InvalidInput.field(f"condition of task {self.id}", name, f"one of {', '.join(known) or 'none: it has none'}")

    def prompt(self, id: str) -> Prompt:
        """The prompt of that id; raises `InvalidInput` where there is none."""
        for prompt in self.prompts:
            if prompt.id == id:
                return prompt
        raise InvalidInput.field(f"prompt of task {self.id}", id, f"one of {', '.join(prompt.id for prompt in self.prompts)}")

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the definition, so that an edit without a new version shows."""
        return digest(self.to_document())

    @property
    def warnings(self) -> list[str]:
        """What is no fault but worth a look, each a sentence with its key."""
        return [f"{key}.{told}" for key, part in (("input", self.input), ("output", self.output)) for told in part.warnings]

    def to_document(self) -> dict[str, Any]:
        """The definition as its file has it."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def version_key(version: str) -> tuple[object, ...]:
    """Sort key of semantic versions: a pre-release comes before its release, build metadata does not count."""
    numbers, _, pre = version.partition("+")[0].partition("-")
    parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".") if part)
    return (*(int(number) for number in numbers.split(".")), not pre, parts)
