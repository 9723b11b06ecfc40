"""Which of some domains another domain looks like. Knows nothing of mailsonde.

A domain is taken as its first label, the name, and the rest, the suffix. Four ways of looking alike are known, and
the first that holds counts:

- look-alike letters: `acrne`, `аcme` with a Cyrillic а, `acm3` – with the same suffix;
- hyphens: `ac-me`, or `acmecorp` for `acme-corp` – with the same suffix;
- one edit: a letter more, fewer, another, or two swapped – with the same suffix and names of five letters or more;
- another top-level domain: `acme.net` for `acme.example`. Companies that share a name are found as well.

Each is a look-up in a table, so the cost of a domain does not grow with the number of customers.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator

# Shorter names have too many honest neighbours: one edit from "post" are "posts", "port", "pest".
EDIT_NAME_MIN = 5

# Letters that look like others. Latin letters with marks lose them by decomposition and are not listed.
LETTERS = str.maketrans(
    {
        "0": "o", "1": "l", "3": "e", "5": "s", "i": "l", "ı": "l", "ł": "l", "ø": "o", "đ": "d", "ɑ": "a", "ɡ": "g",
        "а": "a", "е": "e", "о": "o", "р": "p", "с": "c", "у": "y", "х": "x", "і": "l", "ѕ": "s", "ј": "j",
        "ӏ": "l", "һ": "h", "ԁ": "d", "ԛ": "q", "ԝ": "w", "к": "k", "м": "m", "т": "t", "в": "b", "н": "h",
        "α": "a", "ο": "o", "ν": "v", "ρ": "p", "ι": "l", "κ": "k", "τ": "t", "υ": "u", "χ": "x",
    }
)  # fmt: skip

# Pairs of letters that look like one.
PAIRS = (("rn", "m"), ("vv", "w"))


class LookAlikes:
    """The customers, by everything that can be looked up."""

    def __init__(self, customers: list[str]) -> None:
        self.customers = set(customers)
        self.by_skeleton: dict[tuple[str, str], str] = {}
        self.by_letters: dict[tuple[str, str], str] = {}
        self.by_shortened: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.by_name: dict[str, str] = {}
        for customer in customers:
            name, suffix = customer.split(".", 1)
            # Of several customers that look the same, the first counts.
            self.by_skeleton.setdefault((skeleton(name), suffix), customer)
            self.by_letters.setdefault((name.replace("-", ""), suffix), customer)
            # A customer at a subdomain has a name that anybody's hosts may have: `mail`, `shop`.
            if is_top_level(suffix):
                self.by_name.setdefault(name, customer)
            for short in shortened(name) if len(name) >= EDIT_NAME_MIN else ():
                self.by_shortened[short, suffix].append(customer)

    def find(self, domain: str) -> str | None:
        """The customer that the domain, or one above it, looks like; none if it is the customer's own."""
        if domain.startswith("["):
            return None  # an address literal
        labels = domain.split(".")
        above = [(labels[i], ".".join(labels[i + 1 :])) for i in range(len(labels) - 1)]
        if any(f"{name}.{suffix}" in self.customers for name, suffix in above):
            return None
        for name, suffix in above:
            if customer := self.find_name(name, suffix):
                return customer
        return None

    def find_name(self, name: str, suffix: str) -> str | None:
        """The customer that `name.suffix` looks like."""
        return (
            self.by_skeleton.get((skeleton(name), suffix))
            or self.by_letters.get((name.replace("-", ""), suffix))
            or self.one_edit_away(name, suffix)
            or (self.by_name.get(name) if is_top_level(suffix) else None)
        )

    def one_edit_away(self, name: str, suffix: str) -> str | None:
        """The customer one edit away. Names one edit apart have a shortened form in common, though not only they."""
        if len(name) < EDIT_NAME_MIN:
            return None
        for short in shortened(name):
            for customer in self.by_shortened.get((short, suffix), ()):
                if is_one_edit(name, customer.split(".", 1)[0]):
                    return customer
        return None


def shortened(name: str) -> Iterator[str]:
    """The name, and the name without each of its letters."""
    yield name
    for i in range(len(name)):
        yield name[:i] + name[i + 1 :]


def is_one_edit(a: str, b: str) -> bool:
    """Whether a letter was added, left out or replaced, or two neighbours were swapped. Not for equal names."""
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    rest_a, rest_b = a[start:], b[start:]
    swapped = rest_a[:2] == rest_b[:2][::-1] and rest_a[2:] == rest_b[2:]
    return swapped or rest_a[1:] == rest_b[1:] or rest_a[1:] == rest_b or rest_a == rest_b[1:]


def skeleton(name: str) -> str:
    """What is left of a name when letters that look alike are the same letter."""
    if name.startswith("xn--"):
        try:
            name = name[4:].encode().decode("punycode")
        except UnicodeError:
            return name
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    plain = plain.lower().translate(LETTERS)
    for pair, letter in PAIRS:
        plain = plain.replace(pair, letter)
    return plain


def is_top_level(suffix: str) -> bool:
    """Whether names are registered right below the suffix: `net`, or `co.uk` and its like. Others, such as
    `blog.example`, have customers of their own, who bear any name."""
    match suffix.split("."):
        case [_]:
            return True
        case [second, country]:
            return len(country) == 2 and len(second) <= 3
    return False
