from __future__ import annotations

import pytest

from gather_pipeline.domain.verdicts import Verdict
from gather_pipeline.errors import InvalidInput


@pytest.mark.parametrize("confidence", [-0.1, 1.01, float("nan")])
def test_a_confidence_is_a_share(confidence: float):
    with pytest.raises(InvalidInput, match="confidence of the verdict of consensus is .*, expected a number from 0 to 1"):
        Verdict(ruling="accept", method="consensus", confidence=confidence)
