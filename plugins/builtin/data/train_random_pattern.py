#!/usr/bin/env python3
"""Trains the random-pattern model: `train_random_pattern.py CACHE_FOLDER`.

Needs numpy, scipy, pip, npm, node and rustfmt; fetches its texts from PyPI and npm into the cache folder.

Writes random_pattern/ngrams.bin and ../src/random_pattern/weights.rs and prints how well they do on names, words and
random strings that no part of the training has seen. Versions and seeds are fixed, so a second run writes the same.

1. Letter 4-grams are counted in names, words, identifiers and made-up addresses, smoothed, and their surprise in bits
   is cut to 16 levels: half a byte each.
2. A logistic regression weighs the signals. Each counts by what passes its threshold, and no weight is negative, so
   that every signal speaks for randomness and never against it.
3. The threshold of the sum is where one real name in 125 lies above it (1 % was the aim, the rest is margin).
"""

import collections
import math
import os
import random
import re
import subprocess
import sys

import numpy as np
from scipy.optimize import minimize

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "random_pattern"))
sys.dont_write_bytecode = True
from corpora import Corpora  # noqa: E402
from locals import DIGITS, LETTERS, ROWS, People, junk, share  # noqa: E402

SYMBOLS = 28  # 0: separator or end, 1..26: letters, 27: any digit
SYMBOL = {c: 27 if c in DIGITS else LETTERS.index(c) + 1 for c in LETTERS + DIGITS}
LEVELS = 16
DIGIT_BITS = math.log2(10)
ORDINARY_BITS = 3.8  # a letter of ordinary text
PSEUDO_LETTERS = 4  # how many ordinary letters are mixed into the mean, so that short strings stay near it
GROUP_SHARES = {
    "locals": 0.4, "names": 0.25, "census": 0.04, "words": 0.12, "things": 0.08, "text": 0.08, "identifiers": 0.15,
    "network identifiers": 0.1,
}  # fmt: skip
COUNTED = 2e7  # what all groups together are scaled to
SMOOTHING = 6.0  # Witten-Bell, times the number of different successors
FLAGGED_NAMES = 0.008
PRIOR = 0.05  # share of random local parts in the wild, for the calibrated probability

# What each set weighs in the fit.
MASS = {"names": 1, "identifiers": 0.12, "abbreviations": 0.04, "random": 1}

# Threshold and least weight. Where the n-grams know all that a signal says, the fit leaves it the least weight.
SIGNALS = {
    "improbable_ngrams": (0.0, 0.0),  # its threshold follows from the fit
    "high_entropy": (4.0, 0.05),
    "no_vowels": (3.0, 0.05),
    "consonant_run": (4.0, 0.05),
    "digit_ratio": (0.6, 0.05),
    "keyboard_walk": (0.3, 0.05),
    "hex_like": (7.0, 1.0),
    "uuid_like": (0.0, 16.0),  # no person types one
    "repeated_ngram": (0.2, 0.05),
}
UUID = re.compile(r"[0-9a-f]{8}\.[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{12}$")
PATHS = [*ROWS, LETTERS, "1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm"]
STEPS = {pair for path in PATHS for pair in zip(path, path[1:])}


def normalised(local):
    return re.sub("[^a-z0-9]+", ".", local).strip(".")


def grams(text):
    """(index of the 4-gram, whether it counts) for each symbol and the end; a digit after a digit says nothing."""
    index, before = 0, 0
    for symbol in [*(SYMBOL.get(c, 0) for c in text), 0]:
        index = index * SYMBOLS % SYMBOLS**4 + symbol
        yield index, symbol, not symbol == before == 27
        before = symbol


def count(weighted):
    total, indices, weights = np.zeros(SYMBOLS**4), [], []
    for text, weight in weighted:
        for index, _, _ in grams(text):
            indices.append(index)
            weights.append(weight)
        if len(indices) > 4_000_000:
            total += np.bincount(indices, weights, SYMBOLS**4)
            indices, weights = [], []
    return total + np.bincount(np.array(indices, dtype=int), weights, SYMBOLS**4)


def surprise(counts):
    """Bits of each 4-gram's last symbol, given the three before it; Witten-Bell smoothing down to single letters."""
    counts = counts.reshape((SYMBOLS,) * 4)
    single = counts.sum((0, 1, 2))
    p = (single + 1) / (single.sum() + SYMBOLS)
    for longer in (counts.sum((0, 1)), counts.sum(0), counts):
        seen, kinds = longer.sum(-1, keepdims=True), (longer > 0).sum(-1, keepdims=True)
        weight = SMOOTHING * np.maximum(kinds, 1)
        p = (longer + weight * p) / (seen + weight)
    return -np.log2(p).reshape(-1)


def quantise(bits):
    """The 16 levels that lose least (Lloyd), frequent 4-grams before rare ones, and the level of each 4-gram."""
    bits = np.minimum(bits, 16)
    weights = np.maximum(2.0**-bits, 1e-4) ** 0.7
    levels = np.linspace(0.2, 15, LEVELS)
    for _ in range(40):
        nearest = np.digitize(bits, (levels[1:] + levels[:-1]) / 2)
        mass = np.bincount(nearest, weights, LEVELS)
        means = np.bincount(nearest, weights * bits, LEVELS) / np.maximum(mass, 1e-12)
        levels = np.sort(np.where(mass > 0, means, levels))
    levels = levels.round(3)
    return levels, np.digitize(bits, (levels[1:] + levels[:-1]) / 2)


def signals(local, levels, level_of):
    """The value of each signal, in the order of SIGNALS; the Rust code computes the same."""
    text = normalised(local)
    bits = counted = letters = vowels = run = hexes = 0
    for index, symbol, counts in grams(text):
        if counts:
            bits += levels[level_of[index]] + (DIGIT_BITS if symbol == 27 else 0)
            counted += 1
    for c in text:
        letters += c in LETTERS
        vowels += c in "aeiouy"
    for part in re.findall("[b-df-hj-np-tv-xz]+", text):
        run = max(run, len(part))
    for part in re.findall("[0-9a-f]+", text):
        if sum((a in DIGITS) != (b in DIGITS) for a, b in zip(part, part[1:])) >= 2:
            hexes = max(hexes, len(part))
    repeated = max(repeats(text, period) - period for period in (1, 2, 3, 4))
    length = max(1, len(text))
    return [
        (bits + PSEUDO_LETTERS * ORDINARY_BITS) / (counted + PSEUDO_LETTERS), entropy(local),
        0 if vowels else letters, run, sum(c in DIGITS for c in text) / length,
        walked(text) / length, hexes, 1 if UUID.match(text) else 0,
        max(0, repeated) / length,
    ]  # fmt: skip


def walked(text):
    """How many characters belong to walks of three keys or more, each in one direction; a key at a turn twice."""
    total, length, direction = 0, 1, 0
    for a, b in zip(text, text[1:] + "."):
        step = ((a, b) in STEPS) - ((b, a) in STEPS)
        if step and step == direction:
            length += 1
            continue
        total += length if length >= 3 else 0
        length, direction = 2 if step else 1, step
    return total


def repeats(text, period):
    """Most letters in a row that are each the same as the one `period` before; a chunk said twice gives `period`."""
    best = run = 0
    for c, before in zip(text[period:], text):
        run = run + 1 if c == before and c in LETTERS else 0
        best = max(best, run)
    return best


def entropy(text):
    counts = collections.Counter(text).values()
    return -sum(c / len(text) * math.log2(c / len(text)) for c in counts) if text else 0


def past_thresholds(values, thresholds):
    excess = values - thresholds
    excess[:, 1:] = np.maximum(excess[:, 1:], 0)  # the n-grams alone may speak for a name
    return excess


def fit(x, y, weight):
    """Logistic regression with least weights: (weights, bias)."""
    scale = x.std(0) + 1e-9
    design, share_of = np.c_[x / scale, np.ones(len(x))], weight / weight.sum()

    def loss(b):
        z = design @ b
        slope = design.T @ (share_of * (1 / (1 + np.exp(-z)) - y))
        decay = 1e-4 * np.append(b[:-1], 0)
        return (share_of * (np.logaddexp(0, z) - y * z)).sum() + (decay * b).sum(), slope + 2 * decay

    least = [(low * s, None) for (_, low), s in zip(SIGNALS.values(), scale)]
    start = np.append([low or 0.1 for low, _ in least], 0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[*least, (None, None)], options={"maxiter": 5000})
    return found.x[:-1] / scale, found.x[-1]


def auc(positive, negative):
    both = np.r_[positive, negative]
    _, place, same = np.unique(both, return_inverse=True, return_counts=True)
    rank = (np.cumsum(same) - (same - 1) / 2)[place]
    n, m = len(positive), len(negative)
    return (rank[:n].sum() - n * (n + 1) / 2) / (n * m)


class Texts:
    """All that is counted, and the n-gram model of a part of it."""

    def __init__(self, corpora):
        self.names, self.words, self.running = corpora.names(), corpora.words(), corpora.running_text()
        self.things, self.identifiers = corpora.things(), corpora.identifiers()
        self.network = corpora.network_identifiers()
        self.plain = sorted({*self.things, *self.running})

    def model(self, which):
        """(levels, level of each 4-gram) from the items of one share, or from all."""
        people = People(self.names, self.plain, which, random.Random(7))
        own = lambda items: [item for item in items if which in (None, share(item))]  # noqa: E731
        groups = {
            "locals": ((normalised(people.local()), 1) for _ in range(1_000_000)),
            "names": ((normalised(n), 1) for sides in self.names.values() for n in own(sides[0] + sides[1])),
            "census": ((n, 1) for n in own(self.names["census US"][1])),
            "words": ((w, 1 + math.log2(self.words[w]) / 2) for w in own(self.words)),
            "things": ((w, 1) for w in own(self.things)),
            "text": ((w, 1 + math.log2(self.running[w])) for w in own(self.running)),
            "identifiers": ((i, 1) for i in own(self.identifiers)),
            "network identifiers": ((i, 1) for i in own(self.network)),
        }
        counts = {name: count(items) for name, items in groups.items()}
        return quantise(surprise(sum(c / c.sum() * GROUP_SHARES[name] * COUNTED for name, c in counts.items())))

    def examples(self, which, seed, number):
        """{set: local parts} and the kinds of the random ones."""
        rng = random.Random(seed)
        people = People(self.names, self.plain, which, rng)
        made = [junk(rng, people.words) for _ in range(number)]
        identifiers = sorted({*self.identifiers, *self.network})
        return {
            "names": [people.local() for _ in range(number)],
            "identifiers": [i for i in identifiers if share(i) == which and len(i) >= 8],
            "abbreviations": [people.abbreviated() for _ in range(number // 8)],
            "random": [local for local, _ in made],
        }, np.array([kind for _, kind in made])


def train(data):
    """(thresholds, weights): the evidence of a local part is the sum of weight x what passes the threshold."""
    thresholds = np.array([t for t, _ in SIGNALS.values()])
    x = past_thresholds(np.concatenate(list(data.values())), thresholds)
    y = np.concatenate([np.full(len(v), float(k == "random")) for k, v in data.items()])
    weights, bias = fit(x, y, np.concatenate([np.full(len(v), MASS[k] / len(v)) for k, v in data.items()]))
    weights = weights.round(4)
    line = np.quantile(past_thresholds(data["names"], thresholds) @ weights, 1 - FLAGGED_NAMES)
    thresholds[0] = round(line / weights[0], 4)  # where the n-grams decide alone
    return thresholds, weights


def calibrate(names, rand):
    """(log odds at the threshold, slopes below and above it): from evidence to the log odds of being random.

    The weights were found on an even mix in which hard cases abound, so their sum is not yet log odds."""
    z, y = np.r_[names, rand], np.r_[np.zeros(len(names)), np.ones(len(rand))]
    w = np.r_[np.full(len(names), (1 - PRIOR) / len(names)), np.full(len(rand), PRIOR / len(rand))]
    odds = lambda b: b[0] + b[1] * np.minimum(z, 0) + b[2] * np.maximum(z, 0)  # noqa: E731
    found = minimize(lambda b: (w * (np.logaddexp(0, odds(b)) - y * odds(b))).sum(), [-2.5, 1, 1], method="Nelder-Mead")
    return found.x.round(3)


def main(cache):
    texts = Texts(Corpora(cache))
    model = texts.model("ngrams")
    measured = {}
    for which, seed, number in (("weights", 11, 60_000), ("test", 12, 40_000)):
        sets, kinds = texts.examples(which, seed, number)
        measured[which] = {k: np.array([signals(s, *model) for s in v]) for k, v in sets.items()}
    thresholds, weights = train(measured["weights"])
    evidence = {w: {k: past_thresholds(v, thresholds) @ weights for k, v in s.items()} for w, s in measured.items()}
    odds = calibrate(evidence["weights"]["names"], evidence["weights"]["random"])
    report(evidence["test"], kinds, odds)
    # The weights stand; the n-grams that are written have seen all names, the held-out ones too.
    write(*texts.model(None), thresholds, weights, odds)


def report(test, kinds, odds):
    print("flagged of the held-out:", {k: f"{(v >= 0).mean():.4f}" for k, v in test.items()})
    for real in ("names", "identifiers", "abbreviations"):
        print(f"AUC random against {real}: {auc(test['random'], test[real]):.4f}")
    for kind in sorted(set(kinds)):
        some = test["random"][kinds == kind]
        print(f"   {kind:20} AUC {auc(some, test['names']):.4f} flagged {(some >= 0).mean():.3f}")
    log_odds = lambda z: odds[0] + odds[1] * np.minimum(z, 0) + odds[2] * np.maximum(z, 0)  # noqa: E731
    said = lambda z: 1 / (1 + np.exp(-log_odds(z)))  # noqa: E731
    print(f"calibration, one random in {1 / PRIOR:.0f}; confidence at the threshold {said(0):.4f}")
    real, rand = said(test["names"]), said(test["random"])
    edges = [0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1.01]
    mass = lambda values, total: np.histogram(values, edges)[0] * total / len(values)  # noqa: E731
    for low, high, r, j in zip(edges, edges[1:], mass(real, 1 - PRIOR), mass(rand, PRIOR)):
        print(f"   said {low:.2f} to {min(high, 1):.2f}: was {j / (r + j):.3f}")


def write(levels, level_of, thresholds, weights, odds):
    with open(os.path.join(HERE, "random_pattern", "ngrams.bin"), "wb") as out:
        out.write((level_of[0::2] | level_of[1::2] << 4).astype(np.uint8).tobytes())
    lines = [
        "//! Numbers of the trained model. Written by `data/train_random_pattern.py`: do not edit.",
        "",
        "use super::Mark;",
        "",
        "/// Surprise of each level of the n-gram table, in bits.",
        f"pub(super) const LEVEL_BITS: [f32; {LEVELS}] =",
        f"    [{', '.join(str(l) for l in levels)}];",
        "/// Surprise of a letter of ordinary text, in bits.",
        f"pub(super) const ORDINARY_BITS: f32 = {ORDINARY_BITS};",
        "/// How many ordinary letters are mixed into the mean.",
        f"pub(super) const PSEUDO_LETTERS: f32 = {PSEUDO_LETTERS}.0;",
        "/// Log odds of being random when the evidence is just enough.",
        f"pub(super) const LOG_ODDS_AT_THRESHOLD: f64 = {odds[0]};",
        "/// Log odds for each unit of evidence that lacks.",
        f"pub(super) const LOG_ODDS_BELOW: f64 = {odds[1]};",
        "/// Log odds for each unit of evidence beyond.",
        f"pub(super) const LOG_ODDS_ABOVE: f64 = {odds[2]};",
    ]
    for (name, _), threshold, weight in zip(SIGNALS.items(), thresholds, weights):
        lines.append(f"pub(super) const {name.upper()}: Mark = Mark {{ threshold: {threshold}, weight: {weight} }};")
    path = os.path.join(HERE, "..", "src", "random_pattern", "weights.rs")
    with open(path, "w") as out:
        out.write("\n".join(lines) + "\n")
    subprocess.run(["rustfmt", "--edition", "2024", path], check=True)


if __name__ == "__main__":
    main(sys.argv[1])
