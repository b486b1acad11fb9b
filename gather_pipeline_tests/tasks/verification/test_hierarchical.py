"""Review by a second model."""

from __future__ import annotations

import pytest

from gather_pipeline.errors import BudgetExhausted, InvalidInput, ModelRefused, ModelUnreachable, TaskCancelled
from gather_pipeline_tests.tasks.verification.cases import Voices, case, ruled

GOOD, COLD = {"greeting": "Good evening, Mara."}, {"greeting": "Hi."}
PRAISE = {"confidence": 0.9, "reasons": ["Kind and short."], "suggestions": []}
BLAME = {"confidence": 0.3, "reasons": ["Too cold."], "suggestions": ["Say her name."]}


def test_a_second_model_reviews_and_its_confidence_decides():
    voices = Voices(a=PRAISE, b=PRAISE)
    verdict = ruled("hierarchical", case(GOOD, voices))
    assert (verdict.ruling, verdict.confidence, verdict.reasons) == ("accept", 0.9, ("Kind and short.",))
    [(how, model, prompt)] = voices.asked
    assert (how, model, verdict.evidence) == ("review", "b", {"reviewer": "b"})
    assert "Greet Mara in a kind way." in prompt and "Good evening, Mara." in prompt and '"confidence" (0 to 1' in prompt


def test_less_confidence_than_asked_for_rejects_with_suggestions():
    verdict = ruled("hierarchical", case(COLD, Voices(b=BLAME)))
    assert (verdict.ruling, verdict.suggestions) == ("reject", ("Say her name.",))
    assert verdict.reasons == ("the confidence of b is 0.30, expected at least 0.8", "Too cold.")
    assert ruled("hierarchical", case(COLD, Voices(b=BLAME)), {"min_confidence": 0.3}).ruling == "accept"


def test_its_own_prompt_names_the_input_and_the_output_by_an_alias():
    voices = Voices(b=PRAISE)
    prompt = "Is {{ reply }} a {{ mood }} greeting?"
    ruled("hierarchical", case(GOOD, voices), {"verification_prompt": prompt, "output_aliases": ["reply"]})
    assert voices.asked[0][2].startswith('Is {\n "greeting": "Good evening, Mara."\n} a kind greeting?')


def test_where_no_second_model_is_the_writer_reviews_and_the_verdict_says_so():
    verdict = ruled("hierarchical", case(GOOD, Voices(a=PRAISE)))
    assert (verdict.ruling, verdict.reasons[0]) == ("accept", "a reviewed its own output")


def test_a_reviewer_that_cannot_be_had_is_followed_by_the_next_and_never_by_the_writer():
    verdict = ruled("hierarchical", case(GOOD, Voices(b=ModelUnreachable("b is down"), c=PRAISE)))
    assert (verdict.ruling, verdict.reasons[-1], verdict.evidence["reviewer"]) == ("accept", "b gave no review: b is down", "c")
    lost = ruled("hierarchical", case(GOOD, Voices(a=PRAISE, b=ModelRefused("b will not"))))
    assert (lost.ruling, lost.reasons) == ("undecided", ("b gave no review: b will not",))


def test_a_reviewer_may_be_named():
    voices = Voices(b=PRAISE, judge=PRAISE)
    assert ruled("hierarchical", case(GOOD, voices), {"reviewer": "judge"}).evidence == {"reviewer": "judge"}


def test_confidence_in_per_cent_is_read():
    assert ruled("hierarchical", case(GOOD, Voices(b={"confidence": 85}))).confidence == 0.85


def test_a_revision_is_reviewed_again_and_returned_where_it_is_better():
    voices = Voices(a=GOOD, b=(BLAME, PRAISE))
    verdict = ruled("hierarchical", case(COLD, voices), {"revisions": 1})
    assert (verdict.ruling, verdict.replacement, verdict.reasons[0]) == ("accept", GOOD, "revision 1 of a is better")
    assert verdict.replaced_by == "a"
    assert [(how, model) for how, model, _ in voices.asked] == [("review", "b"), ("revise", "a"), ("review", "b")]
    assert voices.asked[1][2].startswith("Say her name.; the confidence of b is 0.30")


def test_a_revision_that_is_no_better_leaves_the_first_output_and_its_rejection():
    verdict = ruled("hierarchical", case(COLD, Voices(a=(GOOD, GOOD), b=(BLAME, BLAME, BLAME))), {"revisions": 2})
    assert (verdict.ruling, verdict.replacement) == ("reject", None)


def test_a_budget_that_is_spent_before_the_revision_leaves_the_rejection():
    verdict = ruled("hierarchical", case(COLD, Voices(a=BudgetExhausted("no more"), b=BLAME)), {"revisions": 1})
    assert (verdict.ruling, verdict.reasons[-1]) == ("reject", "there is no revision: no more")
    assert ruled("hierarchical", case(COLD, Voices(b=BudgetExhausted("no more")))).ruling == "undecided"


def test_a_cancel_is_no_verdict():
    for voices in (Voices(b=TaskCancelled("stop")), Voices(a=TaskCancelled("stop"), b=BLAME)):
        with pytest.raises(TaskCancelled):
            ruled("hierarchical", case(COLD, voices), {"revisions": 1})


def test_a_prompt_that_nobody_has_looked_at_before_is_refused_with_its_task():
    with pytest.raises(InvalidInput, match="task greeting: verification_prompt names the unknown one, two"):
        ruled("hierarchical", case(GOOD, Voices(b=PRAISE)), {"verification_prompt": "{{ one }} {{ two }}"})
