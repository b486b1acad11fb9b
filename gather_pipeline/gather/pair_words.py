"""Closed word classes of English that the duplicate rules need, as plain data.

Open classes (nouns, verbs) come from stems and word frequencies of kept libraries. Only what no library tells is listed here: function
words, number words, words that negate, opposites, and verbs whose past a stemmer cannot undo.
"""

from __future__ import annotations

FUNCTION = frozenset(
    """a an the this that these those some any each every both either all such
    i me my mine myself you your yours yourself he him his himself she her hers herself it its itself
    we us our ours ourselves they them their theirs themselves one who whom whose which what where when why how
    am is are was were be been being do does did doing done have has had having
    will would shall should can could may might must ought
    of in on at to from by for with about as into onto upon over under through during between among against toward towards
    across along around near off up down out and or but if then than so because while although though since until unless
    there here also too very just only even still already yet again own same other another more most much many few less least
    s t re ve ll d m n't""".split()
)

# Words that turn a statement round. Phrases of `NOT_NEGATING` are taken out first.
NEGATION = frozenset(
    """no not never none nobody nothing nowhere neither nor without
    nicht kein keine keinen keiner nie niemals ohne jamais sans nunca não sem senza
    не нет ни без никогда нельзя δεν μην χωρίς ποτέ""".split()
)
CLAUSE_WORDS = frozenset("but and or because although while".split())  # where the reach of a "not" ends
# Verbs that say "not" of the verb after them.
REFUSAL = frozenset(
    """fail fails failed failing refuse refuses refused refusing decline declines declined declining
    unable unwilling cease ceases ceased""".split()
)
# They and these stand in for "not" in a paraphrase ("declined to" for "would not"), so they excuse its absence.
HALF_NEGATION = REFUSAL | frozenset(
    """hardly barely scarcely rarely seldom only lack lacks lacked lacking absence absent failure
    deny denies denied denying prevent prevents prevented preventing avoid avoids avoided avoiding impossible
    rather instead ban bans banned banning different differ differs except stop stops stopped""".split()
)
NOT_NEGATING = (
    ("not", "only"),
    ("not", "just"),
    ("not", "merely"),
    ("not", "least"),
    ("no", "doubt"),
    ("no", "matter"),
    ("no", "wonder"),
    ("no", "less"),
    ("no", "later"),
    ("no", "sooner"),
    ("whether", "or", "not"),
    ("or", "not"),
    ("nothing", "but"),
    ("why", "not"),
)

UNITS = {
    "zero": 0, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19, "twice": 2, "thrice": 3,
}  # fmt: skip
TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
SCALES = {
    "dozen": 12, "hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000,
    "trillion": 1_000_000_000_000, "k": 1_000, "m": 1_000_000, "mn": 1_000_000, "bn": 1_000_000_000,
}  # fmt: skip
ORDINALS = {
    "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11,
    "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "twentieth": 20,
}  # fmt: skip
# What may follow a word for tens: twenty-one, twenty-first.
AFTER_TENS = {word: value for word, value in (UNITS | ORDINALS | {"one": 1, "first": 1, "second": 2}).items() if 0 < value < 10}
# Words for one that are articles and pronouns more often than numbers: they count only against another number in their place.
ONE = frozenset("one a an single".split())
APPROXIMATE = frozenset("about almost around approximately nearly roughly some over than least most near circa".split())

MONTHS = {
    "january": "january", "february": "february", "march": "march", "april": "april", "may": "may", "june": "june",
    "july": "july", "august": "august", "september": "september", "october": "october", "november": "november",
    "december": "december", "jan": "january", "feb": "february", "mar": "march", "apr": "april", "jun": "june",
    "jul": "july", "aug": "august", "sep": "september", "sept": "september", "oct": "october", "nov": "november",
    "dec": "december",
}  # fmt: skip
WEEKDAYS = {
    "monday": "monday", "tuesday": "tuesday", "wednesday": "wednesday", "thursday": "thursday", "friday": "friday",
    "saturday": "saturday", "sunday": "sunday", "mon": "monday", "tue": "tuesday", "tues": "tuesday", "wed": "wednesday",
    "thu": "thursday", "thurs": "thursday", "fri": "friday", "sat": "saturday", "sun": "sunday",
}  # fmt: skip

# Capitalised for another reason than being somebody's or something's own name.
NOT_NAMES = frozenset(
    """i mr mrs ms miss dr sir lord lady st prof president king queen prince princess captain general judge senator
    english act scene chapter page episode part int ext tv ok dvd cd pc ceo""".split()
)

# Each line is a scale; words of one part mean much the same, words of two parts exclude one another.
_SCALES = """
    open|close shut
    start begin launch|stop end finish quit
    on|off
    into|out
    onto|off
    near|far
    hit|miss
    put|remove
    reveal|conceal hide
    bright|dark
    blond blonde|dark
    stand|sit|lie|kneel
    inside indoors indoor|outside outdoors outdoor
    before|after
    above|below beneath
    left|right
    north|south|east|west
    northern|southern|eastern|western
    alive|dead
    increase rise gain climb jump grow up higher|decrease fall drop decline lose slip down lower shrink
    win|lose
    buy|sell
    push|pull
    male|female
    man|woman
    boy|girl
    husband|wife
    father|mother
    brother|sister
    son|daughter
    king|queen
    hot warm|cold cool
    wet|dry
    full fill|empty
    fast quick quickly|slow slowly
    early|late
    old|young
    old|new
    love like|hate dislike
    remember|forget
    accept approve|reject refuse
    agree|disagree
    allow permit|forbid ban prohibit
    arrive|leave depart
    enter|leave exit
    day daytime daylight|night
    morning|noon|afternoon|evening|night midnight
    sunrise dawn|sunset dusk
    light|dark darkened
    light|heavy
    black|white|red|green|blue|yellow|brown|purple|orange amber|pink|grey gray|golden
    big large huge|small little tiny
    tall|short
    long|short
    high|low
    strong|weak
    loud|quiet silent
    true|false
    friend|enemy
    guilty|innocent
    asleep|awake
    rich|poor
    safe|dangerous
    success|failure
    succeed|fail
    always|never
    everyone everybody|nobody
    everything|nothing
    upstairs|downstairs
    uphill|downhill
    add|remove
    lock|unlock
    appear|disappear
    confirm|deny
    live survive|die
    save rescue|destroy
    first|last
    majority|minority
    more|less fewer
    maximum|minimum
    best|worst
    better|worse
    positive|negative
    import|export
    attack|defend
    lead|follow
    teach|learn
    lend|borrow
    laugh|cry weep
    smile|frown
    break|repair fix mend
"""
OPPOSITES = tuple(tuple(frozenset(part.split()) for part in line.split("|")) for line in _SCALES.splitlines() if line.strip())

PREFIXES = ("un", "in", "im", "ir", "il", "dis", "non")
PREFIX_PARTNERS_NOT_OPPOSED = frozenset("valuable flammable habit habited passive famous different".split())

# Past and plural forms that a stemmer leaves apart from their base.
IRREGULAR = {
    form: base
    for base, forms in {
        line.split()[0]: line.split()[1:]
        for line in """
    be is are am was were been being
    have has had
    do does did done
    go goes went gone
    say said
    make made
    take took taken
    come came
    see saw seen
    get got gotten
    know knew known
    think thought
    find found
    give gave given
    tell told
    become became
    leave left
    feel felt
    bring brought
    begin began begun
    keep kept
    hold held
    write wrote written
    stand stood
    hear heard
    mean meant
    meet met
    run ran
    pay paid
    sit sat
    speak spoke spoken
    lead led
    grow grew grown
    lose lost
    fall fell fallen
    send sent
    build built
    understand understood
    draw drew drawn
    break broke broken
    spend spent
    rise rose risen
    drive drove driven
    buy bought
    wear wore worn
    choose chose chosen
    throw threw thrown
    catch caught
    teach taught
    fight fought
    sell sold
    seek sought
    forget forgot forgotten
    hide hid hidden
    fly flew flown
    sing sang sung
    swim swam swum
    drink drank drunk
    eat ate eaten
    sleep slept
    steal stole stolen
    shoot shot
    ride rode ridden
    shake shook shaken
    wake woke woken
    win won
    bind bound
    bleed bled
    dig dug
    hang hung
    strike struck
    swear swore sworn
    tear tore torn
    blow blew blown
    freeze froze frozen
    sink sank sunk
    lie lay lain lying
    die died dying
    man men
    woman women
    child children kids kid
    foot feet
    tooth teeth
    mouse mice
    person people persons
    wife wives
    life lives
    knife knives
    """.splitlines()
        if line.strip()
    }.items()
    for form in forms
}
