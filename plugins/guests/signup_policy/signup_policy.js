// A policy for sign-ups, as a mailsonde plugin: what earlier stages found is weighed and summed up to a score, and the
// score is held against two thresholds. It observes nothing by itself.

import config from "mailsonde:stage/config@1.0.0";
import log from "mailsonde:stage/log@1.0.0";

// How much each fact counts. A table says it by the fact's word; a word that it does not hold counts nothing. These
// numbers are a beginning, not measured: hold them against your own sign-ups.
const WEIGHTS = {
  "free_provider": 0.1,
  "role.type": { noreply: 0.6, abuse: 0.4, postmaster: 0.4, other: 0.1, info: 0.2, sales: 0.2, support: 0.2 },
  "alias.type": { plus_tag: 0.1, dot_variant: 0.2, subdomain: 0.2, provider_alias: 0.3 },
  "random.pattern": 0.5,
  "disposable.tier": { curated: 1, broad: 0.6 },
  "domain.trust": 0.3,
};

const KEYS = ["weights", "risky", "high_risk"];

// What `configure` prepared.
let policy;

// How much of its weight a fact takes, 0 to 1.
const SHARES = {
  // As sure as the pattern is; patterns that stay below their threshold do not count.
  "random.pattern": (pattern) => (pattern.is_random ? pattern.confidence : 0),
  // As much as the domain lacks to full trust.
  "domain.trust": (trust) => 1 - trust.score,
};

// What one fact adds to the score.
function points(key, value) {
  const weight = policy.weights[key];
  if (typeof weight === "object") {
    return Object.hasOwn(weight, value) ? weight[value] : 0;
  }
  const share = SHARES[key];
  return share ? weight * share(value) : weight;
}

// The score of a subject, 0 to 1 with 2 decimals.
function scoreOf(subject) {
  let sum = 0;
  for (const fact of subject.facts) {
    sum += points(fact.key, JSON.parse(fact.value));
  }
  return Math.round(Math.min(Math.max(sum, 0), 1) * 100) / 100;
}

function categoryOf(score) {
  if (score >= policy.highRisk) return "high-risk";
  if (score >= policy.risky) return "risky";
  return undefined;
}

function check(subject) {
  // What is no address has no score; that is for the syntax stage to say.
  if (!subject.address) return { facts: [], opinion: undefined };
  const score = scoreOf(subject);
  const category = categoryOf(score);
  return {
    facts: [{ key: "signup-policy.score", value: JSON.stringify(score) }],
    opinion: category && { category, reason: "signup_score", score },
  };
}

// ---- Configuration. What is thrown here is shown to the operator.

function number(value, key, least) {
  if (typeof value !== "number" || value < least || value > 1) {
    throw `${key}: ${JSON.stringify(value)} is no number from ${least} to 1`;
  }
  return value;
}

function isTable(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

// A negative weight speaks for the address.
function checkWeight(weight, key) {
  if (!Object.hasOwn(WEIGHTS, key)) {
    throw `weights."${key}": this fact is not weighed, only ${Object.keys(WEIGHTS).join(", ")}`;
  }
  if (!isTable(weight)) {
    number(weight, `weights."${key}"`, -1);
    return;
  }
  if (!isTable(WEIGHTS[key])) {
    throw `weights."${key}": this fact has no words to weigh, a number is expected`;
  }
  for (const [word, points] of Object.entries(weight)) {
    number(points, `weights."${key}".${word}`, -1);
  }
}

function weightsFrom(given) {
  if (!isTable(given)) throw "weights: a table is expected, such as weights = { free_provider = 0.2 }";
  for (const [key, weight] of Object.entries(given)) checkWeight(weight, key);
  return { ...WEIGHTS, ...given };
}

function policyFrom(given) {
  for (const key of Object.keys(given)) {
    if (!KEYS.includes(key)) throw `${key}: there is no such key, only ${KEYS.join(", ")}`;
  }
  const risky = number(given.risky ?? 0.4, "risky", 0);
  const highRisk = number(given.high_risk ?? 0.8, "high_risk", 0);
  if (risky > highRisk) throw `risky: ${risky} is above high_risk, ${highRisk}`;
  return { weights: weightsFrom(given.weights ?? {}), risky, highRisk };
}

export const plugin = {
  describe() {
    return {
      id: "signup-policy",
      version: "1.0.0",
      reads: [],
      // A pipeline need not have all of these stages: a fact that nobody looked for counts nothing.
      mayRead: Object.keys(WEIGHTS),
      writes: ["signup-policy.score"],
      batchHint: 0,
    };
  },

  configure() {
    policy = policyFrom(JSON.parse(config.json()));
  },

  checkMany(subjects) {
    try {
      return subjects.map(check);
    } catch (error) {
      // Nothing else would tell: a plugin has no console.
      log.write("error", `${error} ${error.stack}`);
      throw error;
    }
  },
};
