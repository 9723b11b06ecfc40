"""A mailsonde plugin that flags addresses at domains of a list."""

import json
import re

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.plugin import Category, Description, Fact, Opinion, Outcome, Subject
@if cache
from wit_world.imports import cache, clock
@end
@if dns
from wit_world.imports import dns
@end
from wit_world.imports import config, log
@if cache

# How long a domain is remembered, in seconds: a week, the longest that the cache keeps anything.
REMEMBERED_S = 7 * 24 * 60 * 60
@end


class Plugin(exports.Plugin):
    """What mailsonde calls. The attributes are what `configure` reads; mailsonde may make several instances of it."""

    # Flagged together with their subdomains.
    domains: list[str] = []
@if dns
    # A domain that one of them serves is flagged.
    name_servers: list[str] = []
@end

    def describe(self) -> Description:
        return Description(
            id="@NAME@",
            version="0.1.0",
            reads=[],
            may_read=[],
            writes=[
                "@NAME@.domain",
@if dns
                "@NAME@.name-server",
@end
@if cache
                "@NAME@.first-seen",
@end
            ],
            batch_hint=0,
        )

    def configure(self) -> None:
        # On the class, since each call may be made of another object.
        Plugin.domains = domains_of("domains")
        if not Plugin.domains:
            raise Err('domains: a list is missing, such as domains = ["bad.example"]')
@if dns
        Plugin.name_servers = domains_of("name_servers")
@end

    def check_many(self, subjects: list[Subject]) -> list[Outcome]:
        try:
            return check(subjects)
        except Exception as error:
            # Nothing else would tell what went wrong: a plugin has no standard error.
            log.write(log.Level.ERROR, f"{type(error).__name__}: {error}")
            raise


def check(subjects: list[Subject]) -> list[Outcome]:
    outcomes = [Outcome(facts=[], opinion=None) for _ in subjects]
@if grants
    # The outcomes that the list says nothing about, and their domains.
    others = []
@end
    for subject, outcome in zip(subjects, outcomes):
        # An input that is no address is for other stages to judge.
        if subject.address is None:
            continue
        domain = subject.address.domain
        listed = next((listed for listed in Plugin.domains if is_within(domain, listed)), None)
        if listed is not None:
            outcome.facts.append(fact("domain", listed))
            outcome.opinion = high_risk("listed_domain", 0.9)
@if grants
        else:
            others.append((outcome, domain))
@end
@if dns
    if Plugin.name_servers and others:
        ask_name_servers(others)
@end
@if cache
    if others:
        remember(others)
@end
    return outcomes


def domains_of(key: str) -> list[str]:
    """A list of domains in the configuration."""
    domains = config.get_list(key)
    for domain in domains:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", domain):
            raise Err(f"{key}: {domain} is no domain")
    return [domain.lower() for domain in domains]


def is_within(domain: str, listed: str) -> bool:
    return domain == listed or domain.endswith("." + listed)


def fact(key: str, value: object) -> Fact:
    return Fact(key=f"@NAME@.{key}", value=json.dumps(value))


def high_risk(reason: str, score: float) -> Opinion:
    return Opinion(category=Category.HIGH_RISK, reason=reason, score=score)
@if dns


def ask_name_servers(others: list[tuple[Outcome, str]]) -> None:
    """Asks for the name servers of all domains in one call: they are looked up at the same time."""
    answers = dns.lookup_many([dns.Query(name=domain, kind=dns.Kind.NS) for _, domain in others])
    for (outcome, _), answer in zip(others, answers):
        # No answer is no reason to flag anybody.
        if not isinstance(answer, dns.Answer_Found):
            continue
        servers = {server.lower() for server in answer.value}
        listed = next((server for server in Plugin.name_servers if server in servers), None)
        if listed is not None:
            outcome.facts.append(fact("name-server", listed))
            outcome.opinion = high_risk("listed_name_server", 0.7)
@end
@if cache


def remember(others: list[tuple[Outcome, str]]) -> None:
    """Looks up when each domain was first seen: now, where the cache does not know better."""
    now = int(clock.now())
    known = cache.get_many([domain for _, domain in others])
    unseen = []
    for (outcome, domain), first_seen in zip(others, known):
        if first_seen is None:
            unseen.append(cache.Entry(key=domain, value=str(now), ttl=REMEMBERED_S))
        outcome.facts.append(fact("first-seen", now if first_seen is None else int(first_seen)))
    cache.set_many(unseen)
@end
