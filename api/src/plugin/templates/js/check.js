// A mailsonde plugin that flags addresses at domains of a list.

import config from "mailsonde:stage/config@1.0.0";
import log from "mailsonde:stage/log@1.0.0";
@if dns
import dns from "mailsonde:stage/dns@1.0.0";
@end
@if cache
import cache from "mailsonde:stage/cache@1.0.0";
import clock from "mailsonde:stage/clock@1.0.0";

// How long a domain is remembered, in seconds: a week, the longest that the cache keeps anything.
const REMEMBERED_S = 7 * 24 * 60 * 60;
@end

// What `configure` read. A domain is flagged together with its subdomains.
let domains = [];
@if dns
let nameServers = [];
@end

// A list of domains in the configuration.
function domainsOf(key) {
  return config.getList(key).map((text) => {
    if (!/^[A-Za-z0-9._-]+$/.test(text)) throw `${key}: ${text} is no domain`;
    return text.toLowerCase();
  });
}

// A fact of ours; the value is JSON.
function fact(key, value) {
  return { key: `@NAME@.${key}`, value: JSON.stringify(value) };
}

function highRisk(reason, score) {
  return { category: "high-risk", reason, score };
}

function isWithin(domain, listed) {
  return domain === listed || domain.endsWith(`.${listed}`);
}
@if dns

// Asks for the name servers of all domains in one call: they are looked up at the same time.
function askNameServers(others, outcomes) {
  if (nameServers.length === 0 || others.length === 0) return;
  const answers = dns.lookupMany(others.map(({ domain }) => ({ name: domain, kind: "ns" })));
  answers.forEach((answer, i) => {
    // No answer is no reason to flag anybody.
    if (answer.tag !== "found") return;
    const servers = answer.val.map((server) => server.toLowerCase());
    const listed = nameServers.find((server) => servers.includes(server));
    if (listed === undefined) return;
    const outcome = outcomes[others[i].place];
    outcome.facts.push(fact("name-server", listed));
    outcome.opinion = highRisk("listed_name_server", 0.7);
  });
}
@end
@if cache

// Looks up when each domain was first seen: now, where the cache does not know better.
function remember(others, outcomes) {
  if (others.length === 0) return;
  const now = Math.floor(clock.now());
  const known = cache.getMany(others.map(({ domain }) => domain));
  const unseen = [];
  others.forEach(({ place, domain }, i) => {
    const firstSeen = known[i] ?? null;
    if (firstSeen === null) unseen.push({ key: domain, value: String(now), ttl: REMEMBERED_S });
    outcomes[place].facts.push(fact("first-seen", firstSeen === null ? now : Number(firstSeen)));
  });
  cache.setMany(unseen);
}
@end

function check(subjects) {
@if grants
  // The subjects that the list says nothing about.
  const others = [];
  const outcomes = subjects.map(({ address }, place) => {
@else
  return subjects.map(({ address }) => {
@end
    const outcome = { facts: [], opinion: undefined };
    // An input that is no address is for other stages to judge.
    if (!address) return outcome;
    const listed = domains.find((listed) => isWithin(address.domain, listed));
    if (listed !== undefined) {
      outcome.facts.push(fact("domain", listed));
      outcome.opinion = highRisk("listed_domain", 0.9);
@if grants
    } else {
      others.push({ place, domain: address.domain });
@end
    }
    return outcome;
  });
@if dns
  askNameServers(others, outcomes);
@end
@if cache
  remember(others, outcomes);
@end
@if grants
  return outcomes;
@end
}

export const plugin = {
  describe() {
    return {
      id: "@NAME@",
      version: "0.1.0",
      reads: [],
      mayRead: [],
      writes: [
        "@NAME@.domain",
@if dns
        "@NAME@.name-server",
@end
@if cache
        "@NAME@.first-seen",
@end
      ],
      batchHint: 0,
    };
  },

  configure() {
    domains = domainsOf("domains");
    if (domains.length === 0) throw 'domains: a list is missing, such as domains = ["bad.example"]';
@if dns
    nameServers = domainsOf("name_servers");
@end
  },

  checkMany(subjects) {
    try {
      return check(subjects);
    } catch (error) {
      // Nothing else would tell what went wrong: a plugin has no console.
      log.write("error", `${error} ${error.stack}`);
      throw error;
    }
  },
};
