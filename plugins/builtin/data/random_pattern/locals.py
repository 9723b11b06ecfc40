"""Makes local parts for training and testing: the ones people and firms choose, and random ones of many kinds.

The shares of the formats follow what is known of company and free-mail addresses; they are a guess at the world, and
the calibrated probability is as good as that guess.
"""

import base64
import re
import zlib

LETTERS = "abcdefghijklmnopqrstuvwxyz"
CONSONANTS = "bcdfghjklmnpqrstvwxyz"
DIGITS = "0123456789"
HEX = "0123456789abcdef"
ROWS = ["qwertyuiop", "asdfghjkl", "zxcvbnm"]
LEFT_HAND = "qwertasdfgzxcvb"
PREFIXES = "the mr dr real its i my x el la le team info office shop hr it dj mc".split()
LEET = dict(zip("aeiost", "431057"))


def share(word):
    """Which tenth of the data a word belongs to: 8 for the n-grams, 1 for the weights, 1 to test, never mixed."""
    return {0: "test", 1: "weights"}.get(zlib.crc32(word.encode()) % 10, "ngrams")


class People:
    """Real local parts, from the names and words of one share, or of all if `which` is None."""

    def __init__(self, names, words, which, random):
        self.random, self.countries, self.sizes = random, [], []
        for given, family in names.values():
            given, family = ([n for n in side if which in (None, share(n))] for side in (given, family))
            if min(len(given), len(family)) >= 2:
                self.countries.append((given, family))
                self.sizes.append((len(given) + len(family)) ** 0.35)  # near-equal say for every country
        self.words = [w for w in words if which in (None, share(w)) and 3 <= len(w) <= 12]

    def local(self):
        return self.named() if self.random.random() < 0.89 else self.worded()

    def named(self):
        r = self.random
        given, family = (r.choice(side).split() for side in r.choices(self.countries, self.sizes)[0])
        f = r.choice(["", ".", "-", "_"]).join(given) if r.random() < 0.3 else given[0]
        k = r.random()
        l = r.choice("-.").join(family) if k < 0.3 else "".join(family) if k < 0.5 else family[-1]
        s = r.choices("._-", [10, 2, 1.5])[0]
        formats = [
            (24, lambda: f + s + l), (13, lambda: f + l), (10, lambda: f[0] + l), (3, lambda: f[0] + s + l),
            (3, lambda: f + l[0]), (2, lambda: f + s + l[0]), (3, lambda: l + f[0]), (3, lambda: l + s + f),
            (2, lambda: l + f), (2, lambda: l + s + f[0]), (5, lambda: f), (4, lambda: l),
            (8, lambda: f + self.number()), (7, lambda: f + l + self.number()),
            (3, lambda: f[0] + l + self.number()), (2, lambda: f + s + l + self.number()),
            (1.5, lambda: f + s + r.choice(LETTERS) + s + l), (1.5, lambda: f[0] + r.choice(LETTERS) + l),
            (1, lambda: f[0] + l[0] + self.number()), (0.5, lambda: f[0] + r.choice(LETTERS) + l[0]),
            (0.5, lambda: f[:3] + l[:3]), (0.5, lambda: l[: r.randint(4, 6)] + f[:2]),
            (1, lambda: f + self.number() + l), (0.7, lambda: nickname(given[0])),
            (0.3, lambda: nickname(given[0]) + self.number()),
        ]  # fmt: skip
        return pick(r, formats)()

    def worded(self):
        r = self.random
        one, two = r.choice(self.words), r.choice(self.words)
        name = r.choice(r.choices(self.countries, self.sizes)[0][0]).split()[0]
        formats = [
            (25, lambda: one + self.number()), (20, lambda: one + r.choice(["", "", ".", "_", "-"]) + two),
            (15, lambda: one + two + self.number()),
            (10, lambda: r.choice(PREFIXES) + r.choice(["", ".", "_", "-"]) + one),
            (10, lambda: one + r.choice(["", ".", "_"]) + name), (5, lambda: name + r.choice(["", ".", "_"]) + one),
            (5, lambda: one), (3, lambda: f"x_{one}_x"), (4, lambda: several(r, DIGITS, r.randint(6, 11))),
            (3, lambda: "".join(LEET.get(c, c) if r.random() < 0.35 else c for c in r.choice([one, name]))),
        ]  # fmt: skip
        return pick(r, formats)()

    def number(self):
        """What people put behind a name: years, years of two digits, birthdays."""
        r = self.random
        formats = [
            (35, lambda: r.randint(1950, 2012)), (25, lambda: f"{r.randint(0, 99):02}"), (15, lambda: r.randint(1, 9)),
            (12, lambda: r.randint(100, 999)), (6, lambda: f"{r.randint(1, 31):02}{r.randint(1, 12):02}"),
            (4, lambda: f"{r.randint(1, 31):02}{r.randint(1, 12):02}{r.randint(1960, 2010)}"),
            (3, lambda: several(r, DIGITS, r.randint(4, 8))),
        ]  # fmt: skip
        return str(pick(r, formats)())

    def abbreviated(self):
        """Compounds as programmers and departments make them: words cut short, acronyms, initials."""
        r = self.random
        out, length = several(r, LETTERS, r.randint(2, 5)) if r.random() < 0.5 else "", r.randint(11, 45)
        while len(out) < length:
            w = r.choice(self.words)
            out += pick(r, [
                (50, w), (22, w[: r.randint(2, 4)]), (8, several(r, LETTERS, r.randint(2, 4))), (7, w[0]),
                (13, w[0] + re.sub("[aeiou]", "", w[1:])[: r.randint(2, 4)]),
            ])  # fmt: skip
        return out[:64]


def nickname(given):
    """The first syllable twice (coco, fangfang)."""
    syllable = re.match("[^aeiouy]*[aeiouy]+(?:ng?)?", given)
    return 2 * syllable.group() if syllable else given


def pick(random, weighted):
    return random.choices([x for _, x in weighted], [w for w, _ in weighted])[0]


def several(random, alphabet, count):
    return "".join(random.choices(alphabet, k=count))


def junk(r, words):
    """(a random local part, its kind)"""
    n = r.choice([6, 7, 8, 8, 9, 10, 10, 12, 12, 14, 16, 16, 18, 20, 22, 24, 26, 28, 32])
    kinds = [
        (10, "letters", lambda: several(r, LETTERS, n)), (12, "base36", lambda: several(r, LETTERS + DIGITS, n)),
        (6, "base32", lambda: several(r, LETTERS + "234567", n)), (4, "base64", lambda: base64_like(r, n)),
        (3, "base64 of words", lambda: base64_of(r.choice(words) + r.choice(words))),
        (7, "hex", lambda: several(r, HEX, r.choice([8, 10, 12, 16, 20, 24, 32, n]))), (3, "uuid", lambda: uuid(r)),
        (6, "consonants", lambda: several(r, CONSONANTS, min(n, 20))),
        (6, "biased letters", lambda: biased(r, max(8, n))), (16, "mash", lambda: mash(r, min(n, 18))),
        (4, "mash and digits", lambda: mash(r, r.randint(5, 12)) + str(r.randint(1, 9999))),
        (5, "walk", lambda: walk(r, r.randint(5, 12))), (4, "repeated chunk", lambda: repeated(r)),
        (3, "stutter", lambda: "".join(c * r.randint(1, 3) for c in several(r, LETTERS, r.randint(4, 9)))),
        (2, "one letter", lambda: r.choice(LETTERS) * r.randint(6, 16)),
        (4, "word and base36", lambda: r.choice(words)[:8] + r.choice(["", ".", "_", "-"])
            + several(r, LETTERS + DIGITS, r.randint(8, 16))),
        (3, "letters and digits", lambda: several(r, LETTERS, r.randint(5, 9)) + several(r, DIGITS, r.randint(2, 5))),
        (3, "said twice", lambda: twice(r)),
    ]  # fmt: skip
    _, kind, make = r.choices(kinds, [w for w, _, _ in kinds])[0]
    return make(), kind


def base64_like(r, n):
    text = several(r, LETTERS + LETTERS + DIGITS + r.choice(["", "-_"]), n)
    return re.sub("[-_]+", lambda m: m.group()[0], text).strip("-_") or "zqx"


def base64_of(text):
    return re.sub("[^a-z0-9]", "", base64.b64encode(text.encode()).decode().lower())[:40]


def uuid(r):
    h = several(r, HEX, 12) + "4" + several(r, HEX, 19)
    return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))


def biased(r, n):
    """Letters of an uneven but meaningless distribution, as in protein sequences and some encodings."""
    a = r.choice([0.3, 0.6, 1, 2])
    return "".join(r.choices(LETTERS, [r.gammavariate(a, 1) for _ in LETTERS], k=n))


def repeated(r):
    chunk = several(r, LETTERS, r.randint(2, 6))
    return (chunk * 12)[: r.randint(2 * len(chunk), max(2 * len(chunk), 18))]


def twice(r):
    chunk = several(r, LETTERS, r.randint(8, 16))
    return chunk + several(r, LETTERS, 4) + chunk


def walk(r, n):
    """Keys that stand beside each other, or the alphabet."""
    columns = ["qazwsxedcrfvtgbyhnujmikolp", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "1q2w3e4r5t6y7u8i9o0p"]
    path = r.choice([*ROWS, *ROWS, *ROWS, LETTERS, LETTERS, *columns])
    path = path[::-1] if r.random() < 0.25 else path
    start = r.randrange(max(1, len(path) - n)) if r.random() < 0.5 else 0
    out = path[start : start + n]
    while len(out) < n:
        out += r.choice([out, *ROWS, *ROWS])
    return out[:n]


KEY = {c: (x + y * 0.3, y) for y, row in enumerate(ROWS) for x, c in enumerate(row)}


def neighbour(r, key):
    """A key the same hand could hit next: near, on the same row or the home row."""
    x, y = KEY[key]
    hand = [k for k in KEY if (k in LEFT_HAND) == (key in LEFT_HAND) and k != key and abs(KEY[k][0] - x) <= 2.3]
    return r.choices(hand, [(3 if KEY[k][1] == 1 else 1) * (2 if KEY[k][1] == y else 1) for k in hand])[0]


def mash(r, n):
    """Hands on the keyboard without a thought: bursts of one hand, both in turn, or home row; chunks come again."""
    out, style = "", r.random()
    while len(out) < n:
        if out and r.random() < 0.25:
            out += out[-r.randint(2, 4) :]
        elif style < 0.4:
            key = r.choice(ROWS[1] if r.random() < 0.75 else LETTERS)
            for _ in range(r.randint(2, 5)):
                out += key
                key = neighbour(r, key)
        elif style < 0.8:
            out += r.choices("asdfgqwertzxcvb", [6] * 5 + [2] * 5 + [1] * 5)[0]
            out += r.choices("jklhuiopynm", [6] * 4 + [2] * 5 + [1] * 2)[0]
        else:
            out += r.choices(LETTERS, [6 if c in ROWS[1] else 2 if c in ROWS[0] else 1 for c in LETTERS])[0]
    return out[:n]
