"""What text may hold."""

from __future__ import annotations

import re

LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")  # of a byte that is no UTF-8, or of JSON that was cut
