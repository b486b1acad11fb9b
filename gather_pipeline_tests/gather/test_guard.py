"""The guard is final, so both its vetoes and what it lets pass are spelt out pair by pair."""

from __future__ import annotations

import pytest

from gather_pipeline.gather.guard import first_conflict
from gather_pipeline.gather.pair_places import exchanges
from gather_pipeline.gather.pair_reading import Reading, looks_like_name, read
from gather_pipeline.gather.pair_tokens import tokens


def kind(a: str, b: str) -> str | None:
    conflict = first_conflict(read(a), read(b))
    return conflict.kind if conflict else None


def numbers(text: str) -> list[str]:
    return [token.text for token in tokens(text) if token.kind == "number"]


CONFLICTS = [
    ("negation", "The diver can no longer hear the signal.", "The diver can hear the signal."),
    ("negation", "Elias never returns to the island.", "Elias returns to the island."),
    ("negation", "They don't open the airlock.", "They open the airlock."),
    ("negation", "She leaves the harbour without the map.", "She leaves the harbour with the map."),
    ("negation", "There is no man slicing bread.", "A man is slicing bread."),
    ("negation", "Dr. Chen refuses to open the airlock.", "Dr. Chen opens the airlock."),
    ("negation", "Сестры не живут в Москве.", "Сестры живут в Москве."),
    ("negation", "彼は灯台に行かない。", "彼は灯台に行く。"),
    ("number", "Three divers go down at dawn.", "Five divers go down at dawn."),
    ("number", "Three divers go down at dawn.", "4 divers go down at dawn."),
    ("number", "Two dogs wait at the door.", "A dog waits at the door."),
    ("number", "The scene takes place in 1921.", "The scene takes place in 1912."),
    ("number", "It costs $2.5 million.", "It costs $2.5 billion."),
    ("number", "The twenty-first take is used.", "The twenty-third take is used."),
    ("number", "彼女は三人の子供を育てた。", "彼女は五人の子供を育てた。"),
    ("date", "Keep the set until Friday.", "Keep the set until Monday."),
    ("date", "The story begins in March.", "The story begins in October."),
    ("name", "Elias finds the diary in the tower.", "Mara finds the diary in the tower."),
    ("name", "In the tower Elias finds the diary.", "In the tower Mara finds the diary."),
    ("name", "Scene two is shot in Lisbon.", "Scene two is shot in Porto."),
    ("name", "The letter is from Anna.", "The letter is from Anne."),
    ("name", "エリアスは灯台で日記を見つけた。", "マーラは灯台で日記を見つけた。"),
    ("opposite", "The door to the cellar is open.", "The door to the cellar is closed."),
    ("opposite", "The crew is aware of the leak.", "The crew is unaware of the leak."),
    ("opposite", "Use warm light in the flashbacks.", "Use cold light in the flashbacks."),
    ("opposite", "The boat turns left at the rock.", "The boat turns right at the rock."),
    ("opposite", "Everyone survives the crash.", "Nobody survives the crash."),
    ("roles", "Mara hunts Elias through the fog.", "Elias hunts Mara through the fog."),
    ("roles", "Anna gives Tom the key.", "Tom gives Anna the key."),
    ("roles", "The train goes from Paris to London.", "The train goes from London to Paris."),
    ("roles", "He was a French writer and a Dutch actor.", "He was a Dutch writer and a French actor."),
]


@pytest.mark.parametrize(("expected", "a", "b"), CONFLICTS, ids=[f"{row[0]}: {row[1][:40]}" for row in CONFLICTS])
def test_a_fact_that_differs_is_a_conflict_in_either_order(expected, a, b):
    assert kind(a, b) is not None
    assert kind(b, a) is not None
    assert expected in {kind(a, b), "opposite" if expected == "negation" else expected}


PARAPHRASES = [
    ("digits and words", "Three divers go down at dawn.", "3 divers go down at dawn."),
    ("thousands", "The budget is 40,000 dollars.", "The budget is 40000 dollars."),
    ("scale words", "It costs 2.5 million.", "It costs 2,500,000."),
    ("rounding", "About 50 people wait outside.", "48 people wait outside."),
    ("number in one text only", "Divers go down at dawn.", "Three divers go down at dawn."),
    ("name in one text only", "The keeper finds the diary.", "Elias, the keeper, finds the diary."),
    ("part of a name", "Robert Bennett opens the gate.", "Bennett opens the gate."),
    ("initials", "The Federal Bureau of Investigation is called in.", "The FBI is called in."),
    ("spelling of a name", "Then Hussein enters the hall.", "Then Hussain enters the hall."),
    ("people and place", "A film from China wins.", "A Chinese film wins."),
    ("refusal for not", "He declined to comment on the fire.", "He would not comment on the fire."),
    ("failure for not", "The crew failed to seal the door.", "The crew did not seal the door."),
    ("unwilling for not willing", "The crew is unwilling to leave.", "The crew is not willing to leave."),
    ("not only", "Not only Mara hears the bell.", "Mara hears the bell."),
    ("nothing but", "Nothing but his breathing is heard.", "Only his breathing is heard."),
    ("not in both", "She does not open the box.", "The box is not opened by her."),
    ("passive", "The storm destroys the lighthouse.", "The lighthouse is destroyed by the storm."),
    ("listed names", "Anna and Tom meet at the pier.", "Tom and Anna meet at the pier."),
    ("moved phrase", "The scene is set in 1921 in Paris.", "The scene is set in Paris in 1921."),
    ("irregular past", "He finds the key and goes home.", "He found the key and went home."),
    ("month in short", "The story begins on Sept. 7.", "The story begins on September 7."),
    ("order of a date", "It opens on July 4, 1921.", "It opens on 4 July 1921."),
    ("up and fell elsewhere", "He picks up the lamp and runs.", "He takes the lamp, runs and trips on the stairs."),
]


@pytest.mark.parametrize(("a", "b"), [row[1:] for row in PARAPHRASES], ids=[row[0] for row in PARAPHRASES])
def test_another_wording_is_no_conflict_in_either_order(a, b):
    assert first_conflict(read(a), read(b)) is None
    assert first_conflict(read(b), read(a)) is None


def test_the_reason_quotes_both_sides():
    conflict = first_conflict(read("Three divers wait."), read("Five divers wait."))
    assert conflict is not None
    assert conflict.reason == "number differs: '3' against '5'"


def test_the_reason_of_exchanged_roles_names_both():
    conflict = first_conflict(read("Mara hunts Elias through the fog."), read("Elias hunts Mara through the fog."))
    assert conflict is not None
    assert "'mara' and 'elia' are exchanged" in conflict.reason


def test_a_text_never_conflicts_with_itself():
    for _, a, b in CONFLICTS:
        assert first_conflict(read(a), read(a)) is None
        assert first_conflict(read(b), read(b)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("twenty-five ships and 1,250 men", ["25", "1250"]),
        ("$2.5 billion", ["2500000000"]),
        ("the 3rd and the twenty-first", ["3", "21"]),
        ("two hundred, a dozen", ["200", "12"]),
        ("the 9/11 report at 12:30", ["9", "11", "12", "30"]),
        ("version 1.2.3", ["1.2.3"]),
        ("one of them came first", []),
        ("３人", ["3"]),
    ],
)
def test_numbers_have_one_form(text, expected):
    assert [word.stem for word in read(text).words if word.kind == "number"] == expected


def test_number_words_are_joined_before_full_width_digits_are_folded():
    assert numbers("twenty five") == ["25"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Elias walks into the storm.", ["elias"]),
        ("Walking home, the keeper meets Robert Bennett.", ["robert", "bennett"]),
        ("Storms rise. Divers wait. Then nothing.", ["divers"]),  # also a French word; a name alone is never a conflict
        ("Hosni Mubarak Back In Prison After Court Ruling", ["hosni", "mubarak"]),
        ("I think that Monday in July is Mara's day.", ["mara"]),
    ],
)
def test_names_are_read_where_capitals_prove_them_or_other_languages_do(text, expected):
    assert [word.text for word in read(text).words if word.kind == "name"] == expected


def test_an_ordinary_word_at_a_sentence_start_is_no_name():
    assert not any(looks_like_name(word) for word in ("physicians", "children", "lighthouse", "will", "drowning"))
    assert all(looks_like_name(word) for word in ("elias", "mara", "john", "anna", "skerra"))


def test_not_reaches_the_verb_and_stops_at_the_clause():
    words = {word.text: word.negated for word in read("He does not open the door but waits.").words}
    assert words["open"] and words["door"]
    assert not words["waits"]


def test_scripts_without_spaces_are_cut_into_pairs():
    assert [word.text for word in read("灯台の嵐").words] == ["灯台", "台の", "の嵐"]


def test_a_reading_of_nothing_is_empty():
    for text in ("", "   ", "...", "\n\n"):
        reading = read(text)
        assert isinstance(reading, Reading)
        assert reading.words == ()
        assert reading.latin == 1.0


def test_conflicts_survive_odd_input():
    odd = ["", "a", "’", "1,2,3,,4", "٣ رجال", "²³", "Ⅻ", "x" * 5000, "not " * 300, "Ａ１", "\x00", "no no no 5", "😀 😀"]
    for a in odd:
        for b in odd:
            first_conflict(read(a), read(b))


def test_listed_phrases_are_not_exchanged():
    assert exchanges(read("salt and pepper on the table"), read("pepper and salt on the table")) == []
