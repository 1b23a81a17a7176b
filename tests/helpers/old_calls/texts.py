"""Calls on strings and on encoded images."""

import numpy as np

from .call import OldCall

PIXELS = bytes([255, 0, 9, 1, 2, 3])
PICTURE = np.frombuffer(b"P6 2 1 255 " + PIXELS, np.uint8)
WORDS = np.array(["monday", "tuesday", "wednesday"], object)

CALLS = [
    OldCall("StringConcat", [WORDS, np.array(["s"], object)]),
    OldCall(
        "StringNormalizer",
        [WORDS],
        {"case_change_action": "UPPER", "stopwords": ["monday"], "is_case_sensitive": 1},
    ),
    OldCall("StringSplit", [np.array(["a b", "c", "d  e f"], object)], outputs=2),
    OldCall(
        "StringSplit", [np.array(["a-b-c", "d"], object)], {"delimiter": "-", "maxsplit": 1}, 2
    ),
    OldCall("RegexFullMatch", [WORDS], {"pattern": "[a-m]+on.*"}),
    OldCall(
        "TfIdfVectorizer",
        [np.array([1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8])],
        {
            "mode": "TF",
            "min_gram_length": 2,
            "max_gram_length": 2,
            "max_skip_count": 0,
            "ngram_counts": [0, 4],
            "ngram_indexes": [0, 1, 2, 3, 4, 5, 6],
            "pool_int64s": [2, 3, 5, 4, 5, 6, 7, 8, 6, 7],
        },
    ),
    OldCall(
        "ImageDecoder",
        [PICTURE],
        expected=lambda _: np.frombuffer(PIXELS, np.uint8).reshape(1, 2, 3),
    ),
]
