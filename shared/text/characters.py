"""What BERT's cleaning makes of each character, looked up in tables instead of worked out text by text.

The tables ask the `tokenizers` library about a character when it is first met, so its rules are written down nowhere
else: which characters are blanks, which are deleted, which are tokens of their own.
"""

import unicodedata

import numpy as np
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

CODE_POINTS = 0x110000
BLANK, PART, UNSEEN = -1, -2, -3  # kinds of a character that is no token of its own; PART: of a word, or deleted


def normalizer(lowercase: bool, spaced: bool = True) -> BertNormalizer:
    """Returns BERT's cleaning: control characters go, blanks become spaces; lowercase: accents go too.

    Args: spaced: set blanks around each Chinese character, which makes it a word.
    """
    return BertNormalizer(clean_text=True, handle_chinese_chars=spaced, strip_accents=lowercase, lowercase=lowercase)


class CharacterKinds:
    """Tells for characters whether they are tokens of their own.

    Args: ids: token -> id, an id for unknown ones. unknown: that id. lowercase: as in TextSettings.
    """

    def __init__(self, ids: dict[str, int], unknown: int, lowercase: bool):
        self._ids, self._unknown = ids, unknown
        self._normalizer, self._splitter = normalizer(lowercase), BertPreTokenizer()
        self._kinds = np.full(CODE_POINTS, UNSEEN, np.int32)

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """Returns the token id of each character that is always a token alone, else BLANK or PART.

        Args: codes: (n,) uint32 code points. Returns: (n,) int32.
        """
        kinds = self._kinds[codes]
        new = codes[kinds == UNSEEN]
        if len(new):
            for code in np.unique(new).tolist():
                self._kinds[code] = self._kind(chr(code))
            kinds = self._kinds[codes]
        return kinds

    def _kind(self, character: str) -> int:
        """Between two letters a blank leaves two words, a token of its own makes three, all else one."""
        words = [word for word, _ in self._splitter.pre_tokenize_str(self._normalizer.normalize_str(f"a{character}a"))]
        if words == ["a", "a"]:
            return BLANK
        if len(words) == 3 and len(words[1]) == 1 and not unicodedata.combining(character):
            return self._ids.get(words[1], self._unknown)
        return PART


class CharacterForms:
    """Normalizes characters: BERT's cleaning without any splitting into words.

    Differs from the cleaning of a whole text in the order of several combining marks behind one letter, and only of
    those that the cleaning of lower-cased text keeps: U+302E, musical ones, and marks that are new in Unicode.
    """

    def __init__(self, lowercase: bool):
        self._normalizer = normalizer(lowercase, spaced=False)
        self._seen = np.zeros(CODE_POINTS, bool)
        self._lengths = np.ones(CODE_POINTS, np.uint8)
        self._forms = np.arange(CODE_POINTS, dtype=np.uint32)  # of characters with one: itself; with more: a place
        self._longer = np.zeros(0, np.uint32)  # the forms of more than one character, one after the other

    def __call__(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the normalized characters, and for each the place in `codes` that it comes from.

        Args: codes: (n,) uint32 code points. Returns: (m,) uint32 and (m,) int64, rising.
        """
        new = codes[~self._seen[codes]]
        if len(new):
            for code in np.unique(new).tolist():
                self._learn(code)
        lengths = self._lengths[codes]
        places = np.repeat(np.arange(len(codes)), lengths)
        forms = self._forms[codes[places]]
        if (lengths > 1).any():
            within = np.arange(len(places)) - np.repeat(np.cumsum(lengths, dtype=np.int64) - lengths, lengths)
            several = lengths[places] > 1
            forms[several] = self._longer[forms[several] + within[several]]
        return forms, places

    def _learn(self, code: int) -> None:
        form = [ord(character) for character in self._normalizer.normalize_str(chr(code))]
        self._seen[code] = True
        self._lengths[code] = len(form)
        if len(form) == 1:
            self._forms[code] = form[0]
        elif form:
            self._forms[code] = len(self._longer)
            self._longer = np.append(self._longer, np.array(form, np.uint32))
