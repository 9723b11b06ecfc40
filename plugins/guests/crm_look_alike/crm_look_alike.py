"""Domains that pass themselves off as a customer's, as a mailsonde plugin.

Whoever registers `acrne.example` or `acme.net` may want a mail to be read as one of acme.example's, or merely bear a
similar name. This stage compares each domain with those of the customers. It asks neither DNS nor a registry: a
look-alike that belongs to the customer too should simply be among the customers.

Whatever is imported here is imported when the plugin is built. A plugin has no files when it runs, so no import may
wait until then; that goes for codecs as well.
"""

import encodings.punycode  # noqa: F401 – for decode("punycode")
import json
import zlib

from componentize_py_types import Err
from look_alike import LookAlikes
from wit_world import exports
from wit_world.exports.plugin import Category, Description, Fact, Opinion, Outcome, Subject
from wit_world.imports import cache, config, log

VERSION = "1.0.0"

# How long an answer is kept. It changes only with the customers and with this code, which are part of the key.
TTL_SECONDS = 24 * 60 * 60

SCORE_DEFAULT = 0.85

KEYS = ("customers", "score")


class Plugin(exports.Plugin):
    """What mailsonde calls. What `configure` prepares is kept on the class, since each call gets an object of its own."""

    score: float
    look_alikes: LookAlikes
    list_id: str

    def describe(self) -> Description:
        return Description(
            id="crm-look-alike",
            version=VERSION,
            reads=[],
            may_read=[],
            writes=["crm-look-alike.of"],
            batch_hint=0,
        )

    def configure(self) -> None:
        given = json.loads(config.json())
        for key in given:
            if key not in KEYS:
                raise Err(f"{key}: there is no such key, only {', '.join(KEYS)}")
        customers = customers_from(given.get("customers"))
        Plugin.score = score_from(given.get("score", SCORE_DEFAULT))
        Plugin.look_alikes = LookAlikes(customers)
        # Answers that were kept for other customers, or by another version, must not be found again.
        Plugin.list_id = f"{zlib.crc32(' '.join([VERSION, *customers]).encode()):08x}"

    def check_many(self, subjects: list[Subject]) -> list[Outcome]:
        try:
            return self.outcomes(subjects)
        except Exception as error:
            # Nothing else would tell: a plugin has no standard error. The traceback would need the source files.
            log.write(log.Level.ERROR, f"{type(error).__name__}: {error}")
            raise

    def outcomes(self, subjects: list[Subject]) -> list[Outcome]:
        domains = {subject.address.domain for subject in subjects if subject.address}
        known = self.customers_meant(sorted(domains))
        return [self.outcome(known.get(subject.address.domain) if subject.address else None) for subject in subjects]

    def outcome(self, customer: str | None) -> Outcome:
        """What is said of an address whose domain looks like the customer's."""
        if not customer:
            return Outcome(facts=[], opinion=None)
        return Outcome(
            facts=[Fact("crm-look-alike.of", json.dumps(customer))],
            opinion=Opinion(Category.HIGH_RISK, "looks_like_customer", self.score),
        )

    def customers_meant(self, domains: list[str]) -> dict[str, str]:
        """The customer that each domain looks like, "" for none. Asks the cache once, and tells it once."""
        keys = [f"{self.list_id}:{domain}" for domain in domains]
        meant = {}
        news = []
        for domain, key, kept in zip(domains, keys, cache.get_many(keys)):
            if kept is None:
                kept = self.look_alikes.find(domain) or ""
                news.append(cache.Entry(key, kept, TTL_SECONDS))
            meant[domain] = kept
        if news:
            cache.set_many(news)
        return meant


def customers_from(given: object) -> list[str]:
    """The domains of the customers, in lower case. Says what is wrong with them otherwise."""
    if not isinstance(given, list) or not given:
        raise Err('customers: a list of domains is missing, such as customers = ["acme.example"]')
    customers = []
    for domain in given:
        if not isinstance(domain, str) or not is_domain(domain):
            raise Err(f"customers: {json.dumps(domain)} is no domain (in ASCII, an A-label if need be: xn--…)")
        customers.append(domain.lower())
    return customers


def is_domain(text: str) -> bool:
    """Whether the text is the name of a domain, of two labels at least."""
    labels = text.split(".")
    well_formed = all(label.isascii() and label.replace("-", "a").isalnum() for label in labels)
    return well_formed and len(labels) >= 2


def score_from(given: object) -> float:
    """The probability that the opinion is right."""
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given <= 1:
        raise Err(f"score: {json.dumps(given)} is no number from 0 to 1")
    return float(given)
