"""Facts in which two texts differ, and other wordings in which they do not."""

from __future__ import annotations

import pytest

from gather_pipeline.similarity.conflicts import Aligned, Conflict, first_conflict
from gather_pipeline.similarity.reading import read


def conflict(a: str, b: str) -> Conflict | None:
    return first_conflict(Aligned.of(read(a).words, read(b).words))


CONFLICTS = [
    ("negation", "The diver can no longer hear the signal.", "The diver can hear the signal."),
    ("negation", "Elias never returns to the island.", "Elias returns to the island."),
    ("negation", "They don't open the airlock.", "They open the airlock."),
    ("negation", "She leaves the harbour without the map.", "She leaves the harbour with the map."),
    ("negation", "There is no man slicing bread.", "A man is slicing bread."),
    ("negation", "Dr. Chen refuses to open the airlock.", "Dr. Chen opens the airlock."),
    ("number", "Three divers go down at dawn.", "Five divers go down at dawn."),
    ("number", "Three divers go down at dawn.", "4 divers go down at dawn."),
    ("number", "The scene takes place in 1921.", "The scene takes place in 1912."),
    ("number", "It costs $2.5 million.", "It costs $2.5 billion."),
    ("number", "The twenty-first take is used.", "The twenty-third take is used."),
    ("opposite", "Keep the set until Friday.", "Keep the set until Monday."),
    ("opposite", "The story begins in March.", "The story begins in October."),
    ("name", "Elias finds the diary in the tower.", "Mara finds the diary in the tower."),
    ("name", "In the tower Elias finds the diary.", "In the tower Mara finds the diary."),
    ("name", "Scene two is shot in Lisbon.", "Scene two is shot in Porto."),
    ("name", "The letter is from Anna.", "The letter is from Anne."),
    ("opposite", "The door to the cellar is open.", "The door to the cellar is closed."),
    ("opposite", "The crew is aware of the leak.", "The crew is unaware of the leak."),
    ("opposite", "Use warm light in the flashbacks.", "Use cold light in the flashbacks."),
    ("opposite", "The boat turns left at the rock.", "The boat turns right at the rock."),
    ("opposite", "Everyone survives the crash.", "Nobody survives the crash."),
    ("roles", "Mara hunts Elias through the fog.", "Elias hunts Mara through the fog."),
    ("roles", "Anna gives Tom the key.", "Tom gives Anna the key."),
    ("mode", "The crown may come down in the night scene.", "The crown has come down in the night scene."),
    ("mode", "The chandelier will be hung in the hall for one night.", "The chandelier was hung in the hall for one night."),
    ("mode", "Petr must hand in his report on Friday.", "Petr could hand in his report on Friday."),
    ("opposite", "The oboe enters after the shot of the cradle.", "The oboe enters ahead of the shot of the cradle."),
    ("number", "Leave a gap of 40 centimetres between wall and bench.", "Leave a gap of 40 inches between wall and bench."),
    ("roles", "Judit blames Marek, and Marek takes it without a word.", "Marek blames Judit, and Judit takes it without a word."),
]


@pytest.mark.parametrize(("expected", "a", "b"), CONFLICTS, ids=[f"{row[0]}: {row[1]}" for row in CONFLICTS])
def test_a_fact_that_differs_is_a_conflict_in_either_order(expected: str, a: str, b: str) -> None:
    found, turned = conflict(a, b), conflict(b, a)
    assert found is not None and turned is not None
    assert (found.kind, turned.kind) == (expected, expected)


PARAPHRASES = [
    ("digits and words", "Three divers go down at dawn.", "3 divers go down at dawn."),
    ("thousands", "The budget is 40,000 dollars.", "The budget is 40000 dollars."),
    ("scale words", "It costs 2.5 million.", "It costs 2,500,000."),
    ("number in one text only", "Divers go down at dawn.", "Three divers go down at dawn."),
    ("name in one text only", "The keeper finds the diary.", "Elias, the keeper, finds the diary."),
    ("part of a name", "Robert Bennett opens the gate.", "Bennett opens the gate."),
    ("initials", "The Federal Bureau of Investigation is called in.", "The FBI is called in."),
    ("spelling of a name", "Then Hussein enters the hall.", "Then Hussain enters the hall."),
    ("people and place", "A film from China wins.", "A Chinese film wins."),
    ("refusal for not", "He declined to comment on the fire.", "He would not comment on the fire."),
    ("failure for not", "The crew failed to seal the door.", "The crew did not seal the door."),
    ("unwilling for not willing", "The crew is unwilling to leave.", "The crew is not willing to leave."),
    ("not in both", "She does not open the box.", "The box is not opened by her."),
    ("passive", "The storm destroys the lighthouse.", "The lighthouse is destroyed by the storm."),
    ("listed names", "Anna and Tom meet at the pier.", "Tom and Anna meet at the pier."),
    ("moved phrase", "The scene is set in 1921 in Paris.", "The scene is set in Paris in 1921."),
    ("irregular past", "He finds the key and goes home.", "He found the key and went home."),
    ("month in short", "The story begins on Sept. 7.", "The story begins on September 7."),
    ("order of a date", "It opens on July 4, 1921.", "It opens on 4 July 1921."),
    ("up and fell elsewhere", "He picks up the lamp and runs.", "He takes the lamp, runs and trips on the stairs."),
    ("half past", "The shuttle leaves at half past six.", "The shuttle leaves at 6:30."),
    ("evening", "The doors open at a quarter to eight in the evening.", "The doors open at 19:45."),
    ("a dozen", "A dozen goblets stand on the bench.", "Twelve goblets stand on the bench."),
    ("metres", "The stone is ninety centimetres high.", "The stone is 0.9 m high."),
    ("empty for no one", "No one is in the chapel.", "The chapel stands empty."),
    ("a label", "Note 7. Augustin taps the pipe three times.", "Augustin taps the pipe three times."),
    ("permission", "The boy may go.", "The boy is allowed to go."),
]


@pytest.mark.parametrize(("a", "b"), [row[1:] for row in PARAPHRASES], ids=[row[0] for row in PARAPHRASES])
def test_another_wording_is_no_conflict_in_either_order(a: str, b: str) -> None:
    assert conflict(a, b) is None
    assert conflict(b, a) is None


def test_a_negation_somewhere_in_a_text_about_something_else_is_none() -> None:
    """A rule that looked for one word of each kind anywhere in both texts took these for contrary."""
    assert (
        conflict("Nobody sits in the front row, and the band plays on.", "The band plays in the front yard where everybody sits.") is None
    )


def test_chance_initials_are_no_mention_of_a_name() -> None:
    """ "big old" has the initials of "Bo", which once hid that another person does it."""
    found = conflict("Only Bo hides the key under the big old stove.", "Only Al hides the key under the big old stove.")
    assert found is not None and found.kind == "name"


def test_the_reason_quotes_both_sides() -> None:
    found = conflict("Three divers go down at dawn.", "Five divers go down at dawn.")
    assert found is not None
    assert found.reason == "a number differs: '3 diver' against '5 diver'"


def test_the_reason_of_exchanged_roles_names_both() -> None:
    found = conflict("Mara hunts Elias through the fog.", "Elias hunts Mara through the fog.")
    assert found is not None
    assert found.reason == "the roles of 'mara' and 'elias' are exchanged"


@pytest.mark.parametrize("text", [row[1] for row in CONFLICTS])
def test_a_text_never_conflicts_with_itself(text: str) -> None:
    assert conflict(text, text) is None


@pytest.mark.parametrize("odd", ["", " ", "\x00", "\ud800", "1.2.3", "'s", "No. 7", "Don't.", "not not not", "3" * 400, "—" * 50, "(1) "])
def test_conflicts_survive_odd_input(odd: str) -> None:
    conflict(odd, "The keeper trims the lamp at 6.")
    conflict("The keeper trims the lamp at 6.", odd)
    assert conflict(odd, odd) is None
