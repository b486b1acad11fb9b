"""Finds what in a note, a brief or an answer speaks to a language model instead of about the project (S000-SEC-01).

A table of phrases: it is there so that a person looks, and blocks nothing. Who wants to get past it can. A note that merely
tells of orders that somebody ignores is to pass, so each pattern asks for the words that only a model is addressed with.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

from gather_pipeline.domain.items import TEXTS, Item

SHOWN = 120  # characters of a phrase
# Words in small letters of which one must be there, on each side of `&`, before the phrase is looked for at all, and the phrase, in which a
# blank stands for anything between two words, and `~` for up to 40 characters of one sentence.
PHRASES = (
    # to forget what was asked
    (
        "instruct|prompt|guideline|directive|programming|system message",
        "(?:ignore|disregard|forget|override|overrule|bypass|do not follow) (?:[a-z]+ ){0,4}"
        "(?:previous|prior|above|earlier|preceding|foregoing|existing|original|initial|system|your|given|these|those|any|all) "
        "(?:[a-z]+ ){0,3}(?:instructions?|prompts?|guidelines|directives?|programming|system messages?)",
    ),
    (
        "ignore|disregard|forget&above|before this|you ",
        "(?:ignore|disregard|forget) (?:everything|all|anything|what) (?:that )?(?:was |is |has been )?(?:said |written |stands )?"
        "(?:above|before this|you (?:were|have been) told|you know about your)",
    ),
    (
        "anweisung|instruktion|vorgabe|prompt|systemnachricht",
        "(?:ignorier|vergiss|vergesst|vergessen sie|missacht|überspring)~(?:vorherig|bisherig|obig|früher|vorig|vorangegangen"
        r"|vorstehend|vorangehend|ursprünglich|all)\w*~(?:anweisung|instruktion|vorgabe|prompt|systemnachricht)",
    ),
    (
        "instruction|consigne|directive",
        "(?:ignor|oubli|néglig|tiens pas compte|tenez pas compte|abstraction)~(?:instruction|consigne|directive)~"
        "(?:précédent|antérieur|ci-dessus|préalable|initial)",
    ),
    (
        "instruc|indicac|direct",
        "(?:ignor|olvid|desestim|descart|caso omiso)~(?:instruccion|indicacion|directri|directiv)~"
        "(?:anterior|previ|arriba|precedent|inicial)",
    ),
    (
        "istruzion|indicazion|direttiv",
        "(?:ignor|dimentic|trascur|tralasci)~(?:istruzion|indicazion|direttiv)~(?:precedent|sopra|anterior|inizial)",
    ),
    ("instruç|orientaç|diretriz", "(?:ignor|esque[cç]|desconsider)~(?:instruç|orientaç|diretriz)~(?:anterior|prévi|acima|inicia)"),
    ("instructie|opdracht|aanwijzing", "(?:negeer|vergeet)~(?:vorig|eerder|bovenstaand|voorgaand|all)~(?:instructie|opdracht|aanwijzing)"),
    ("instrukcj|poleceni", "(?:ignoruj|zapomnij|pomiń|pomin)~(?:poprzedni|wcześniejsz|powyższ|wszystki)~(?:instrukcj|poleceni)"),
    ("инструкци|указани|команд", "(?:игнорир|забудь|не обращай)~(?:предыдущ|прежн|вышеизложенн|выше|все)~(?:инструкци|указани|команд)"),
    ("talimat|yönerge|komut", "önceki~(?:talimat|yönerge|komut)~(?:yok say|görmezden gel|dikkate alma|unut)"),
    (
        "指令|指示|说明|說明|提示|命令",
        "(?:忽略|无视|無視|忘记|忘記|不要理会)~(?:之前|以上|上述|先前|前面|此前|所有|一切)~(?:指令|指示|说明|說明|提示|命令)",
    ),
    ("指示|命令|プロンプト|指令", "(?:以前|これまで|上記|前|先|すべて|全て)~(?:指示|命令|プロンプト|指令)~(?:無視|忘れ)"),
    ("지시|명령|지침|프롬프트", "(?:이전|위의|앞의|기존|모든)~(?:지시|명령|지침|프롬프트)~(?:무시|잊)"),
    ("التعليمات|الأوامر|التوجيهات", "(?:تجاهل|انس)~(?:التعليمات|الأوامر|التوجيهات)~(?:السابقة|أعلاه)"),
    ("निर्देश|आदेश", "(?:पिछल|पूर्व|उपरोक्त|सभी)~(?:निर्देश|आदेश)~(?:अनदेखा|अनदेखी|नज़रअंदाज़|भूल)"),
    # to give away what it was told
    (
        "prompt|instructions|system message|api|training&your|the|system",
        "(?:reveal|print|repeat|show|output|disclose|leak|tell me|give me|display|expose|recite|what is|what are|summari[sz]e) "
        "(?:[a-z]+ ){0,4}(?:system (?:prompts?|messages?|instructions)|(?:your|the) "
        "(?:initial|original|hidden|secret|full|exact|internal|own) (?:[a-z]+ )?(?:prompt|instructions)"
        "|your (?:prompt|api keys?|training data))",
    ),
    (
        "zeig|verrat|nenn|gib|wiederhol|offenbar|druck&system",
        r"(?:zeig|verrat|nenn|gib|wiederhol|offenbar|druck)\w*~(?:system\W?prompt|systemnachricht|systemanweisung)",
    ),
    ("syst|sist", "prompt (?:du |de |del |di |do )?(?:système|sistema)|(?:instruc[a-z]+|istruzioni) (?:del |du |di )(?:sistema|système)"),
    (
        "системн|系|システム|시스템",
        r"системн[а-я]+ (?:промпт|подсказк|сообщени|инструкци)|系统提示|系統提示|システム\W?プロンプト|시스템\W?프롬프트",
    ),
    # to be somebody else
    (
        "you are now",
        "you are now (?:dan|free (?:of|from)|unrestricted|jailbroken|an? (?:[a-z]+ ){0,2}(?:ai|assistant|chatbot|language model)"
        "|in (?:[a-z]+ )?(?:developer|debug|admin|god|jailbreak) mode)",
    ),
    ("from now on", "from now on you (?:will |must |shall |should |are to )?(?:only )?(?:respond|answer|reply|output|obey|ignore|act as)"),
    ("mode|anything now", "(?:developer|dan|jailbreak|god|sudo) mode (?:is )?(?:enabled|activated|on|now)|do anything now"),
    (
        "instruction|prompt",
        r"(?:new|updated|real|actual) (?:system )?instructions?\s?:|(?:end|begin|start) of (?:the )?(?:system )?(?:prompt|instructions)",
    ),
    ("the user", "(?:do not|don.?t|never) (?:tell|inform|alert|notify|mention (?:this|it) to) the user"),
    (
        "note|message|attention|instruction|important&ai|llm|model|assistant&:",
        r"(?:note|message|attention|instructions?|important)~(?:\bais?\b|\bllms?\b|language models?|assistants?)\s?:",
    ),
    (
        "du bist|vous|tu|eres|sei|você&ki|ia|assist|asist|chatbot|sprachmodell&jetzt|sofort|ant|ora|désormais",
        "(?:du bist|vous êtes|tu es|eres|sei|você é) (?:ab jetzt|ab sofort|jetzt|maintenant|désormais|ahora|ora|adesso|agora) "
        r"(?:ein[a-z]* |une? |una? |um |uno )?(?:[a-zà-ü]+ ){0,2}(?:\bki\b|\bia\b|assist|asist|sprachmodell|chatbot)",
    ),
    # to judge as it is told
    (
        "give|assign|award|rate|score|grade&score|rat|grade|mark&100|10|full|high|maximum|top|perfect",
        "(?:(?:rate|score|grade) (?:this|these|it|every|all) (?:[a-z]+ ){0,2}(?:at |as |with )?(?:an? )?(?:100|10 10)"
        "|(?:give|assign|award) (?:[a-z]+ ){1,4}(?:score|rating|mark|grade)s? (?:of )?100"
        "|(?:give|assign|award|rate|score|grade) (?:[a-z]+ ){1,4}"
        "(?:full marks|(?:highest|maximum|top|perfect) (?:possible )?(?:scores?|ratings?|marks?)))",
    ),
    # to send what it knows elsewhere
    ("](", r"!\[[^\]\n]{0,200}\]\(\s{0,5}https?://[^)\s?]{1,300}\?[^)\s]{0,300}="),
    ("http", r"https?://[^\s?]{1,300}\?[^\s]{0,300}=(?:\{|\[|<|%7B|%5B|\$)"),
    (
        "http",
        "(?:send|post|upload|exfiltrate|forward|transmit|leak|append|submit) (?:[a-z]+ ){0,4}"
        "(?:conversation|chat|prompt|instructions|api keys?|passwords?|secrets|credentials|brief|context|everything above)~https?://",
    ),
    # the marks of turns
    ("<|[", r"<\s?\|\s?[\w\x20▁]{1,40}\s?\|\s?>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|</?(?:system|assistant)(?:_prompt)?>"),
    (
        "system|developer",
        r"^[#>*\s\[]{0,6}(?:system|developer)(?: (?:prompt|message|instructions?|note|override))?[\]*]{0,3}\s?:|^\s*\[system\]",
    ),
    ("assistant", r"^[#*\s]{0,6}(?:user|human)[*]{0,2}\s?:[\s\S]{0,2000}?^[#*\s]{0,6}assistant[*]{0,2}\s?:"),
    ("###", r"^###\s?(?:system|instructions?|response)\b"),
)


@cache
def _expression(phrase: str) -> re.Pattern[str]:
    return re.compile(phrase.replace(" ", r"[\W_]{1,4}").replace("~", r"[^.\n]{0,40}"), re.IGNORECASE | re.MULTILINE)


LOOKED_FOR = [([side.split("|") for side in words.split("&")], phrase) for words, phrase in PHRASES]
APART = "\n" * 5  # more than stands between two words of a phrase


@lru_cache(maxsize=2048)  # every prompt of an iteration is offered the same notes
def injection(text: str) -> str | None:
    """The phrase in a text that seems to be meant for a model, None where there is none; letters that disguise it are seen through."""
    plain = text
    if not text.isascii():
        plain = "".join(
            letter for letter in unicodedata.normalize("NFKC", text) if letter.isascii() or unicodedata.category(letter) != "Cf"
        )
    small = plain.lower()
    for sides, phrase in LOOKED_FOR:
        for words in sides:  # plain loops: with any and all a list of 20,000 notes takes a second longer
            for word in words:
                if word in small:
                    break
            else:
                break
        else:
            if found := _expression(phrase).search(plain):
                return " ".join(found[0].split())[:SHOWN]
    return None


def item_injection(item: Item) -> str | None:
    """The first such phrase in an item's texts."""
    texts = [getattr(item, name) for name in TEXTS]
    if injection(APART.join(texts)) is None:  # once over all of them is three times as fast
        return None
    return next((found for text in texts if (found := injection(text))), None)
