from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.context.tokens import estimate_tokens

# Counted once by SmolLM2's own tokenizer (49,152 tokens, made for English, so others mostly need fewer), in sentences written for this.
COUNTED = [
    (
        "Elias Thorn keeps the last lighthouse on Skerra, an island that loses a metre of coast each winter. When he finds the diary of "
        "Mara, his predecessor who vanished in 1962, he learns that the light must go out on 3 November or the village will drown.",
        63,
    ),
    ("Elias Thorn hütet den letzten Leuchtturm auf Skerra, einer Insel, die jeden Winter einen Meter Küste verliert.", 45),
    ("Eliasz pilnuje ostatniej latarni morskiej na wyspie, która każdej zimy traci metr wybrzeża.", 48),
    (
        "Elias custodisce il faro dell'isola di Skerra, che perde un metro di costa ogni inverno, e legge il diario della donna scomparsa.",
        48,
    ),
    ("Elias giữ ngọn hải đăng cuối cùng trên hòn đảo mất một mét bờ biển mỗi mùa đông.", 65),
    ("Элиас Торн хранит последний маяк на острове Скерра, который каждую зиму теряет метр побережья.", 68),
    ("Ο Ηλίας φυλάει τον τελευταίο φάρο στο νησί, που χάνει ένα μέτρο ακτής κάθε χειμώνα.", 75),
    ("يحرس إلياس آخر منارة في الجزيرة التي تفقد مترا من ساحلها كل شتاء.", 62),
    ("אליאס שומר על המגדלור האחרון באי, שמאבד מטר של חוף בכל חורף.", 66),
    ("एलियास द्वीप के आखिरी प्रकाशस्तंभ की रखवाली करता है, जो हर सर्दी में एक मीटर तट खो देता है।", 100),
    ("เอเลียสเฝ้าประภาคารแห่งสุดท้ายบนเกาะที่สูญเสียชายฝั่งไปหนึ่งเมตรทุกฤดูหนาว", 138),
    ("伊莱亚斯看守着岛上最后一座灯塔，这座岛每年冬天都会失去一米海岸。", 64),
    ("エリアスは毎年冬に一メートルの海岸を失う島の最後の灯台を守っている。", 59),
    ("엘리아스는 매년 겨울 해안이 일 미터씩 사라지는 섬의 마지막 등대를 지킨다.", 89),
    ("1931-11-03 14:05, 22 sacks, 1,234,567.89 EUR, +44 20 7946 0958", 54),
    ('{"content": "The lamp fails.", "tags": ["a", "b"], "score": 87.5}', 26),
]


@pytest.mark.parametrize(("text", "counted"), COUNTED, ids=[text[:12] for text, _ in COUNTED])
def test_the_estimate_is_not_below_a_real_count_and_not_far_above(text: str, counted: int):
    assert 0.95 * counted <= estimate_tokens(text) <= 1.65 * counted


def test_nothing_takes_no_tokens():
    assert estimate_tokens("") == 0


@given(st.text(max_size=300))
def test_any_text_has_an_estimate_within_its_bytes(text: str):
    """A byte-level vocabulary never needs more than a token a byte; a little more room is left for the price list's fractions."""
    size = len(text.encode("utf-8", "surrogatepass"))
    assert (1 if text.strip() else 0) <= estimate_tokens(text) <= 1.4 * size + 1


@given(st.text(max_size=100), st.integers(2, 20))
def test_a_text_said_many_times_takes_many_times_as_much(text: str, times: int):
    once, many = estimate_tokens(text + "\n"), estimate_tokens((text + "\n") * times)
    assert abs(many - once * times) <= 2 * times


def test_a_brief_of_the_largest_size_is_estimated_at_once():
    assert 40_000 < estimate_tokens("The keeper of the lamp walks to the sea and back. " * 4_000) < 60_000


def test_a_long_string_without_words_is_not_taken_for_one_word():
    assert estimate_tokens("aGVsbG8gd29ybGQ" * 100) > 1_000
