"""`benches/run finder`: 1,000 people at 100 companies of the simulated mail internet, a fifth of which makes addresses in ways
that nobody guesses; and 100 who do not work there.

- Who is found, and whether the address is the right one.
- Sessions and recipients that it takes, for each person.
- With three known colleagues, how often the likeliest address is the right one.
"""

import contextlib
import json
import subprocess

import postgres

COMPANIES = 100
AT_EACH = 10
COLLEAGUES = 3


def bench(release, tell):
    with internet(release) as (found, people, counted):
        told = find(release, found, people)
        usual = [(person, said) for person, said in zip(people, told) if person["address"] and person["is_usual"]]
        others = [(person, said) for person, said in zip(people, told) if person["address"] and not person["is_usual"]]
        strangers = [said for person, said in zip(people, told) if not person["address"]]
        tell("found at companies with usual formats, percent", share(usual, is_right), 99.0)
        tell("found at the other companies, percent", share(others, is_right))
        wrong = sum(said["outcome"] == "found" and not is_right(person, said) for person, said in usual + others)
        tell("found under the address of somebody else", wrong)
        tell("found although nobody has the name", sum(said["outcome"] == "found" for said in strangers), 0, at_least=False)
        by_colleagues(release, people, tell)
    sessions, recipients = counted[0]["sessions"], counted[0]["recipients"]
    tell("sessions for a person, mean", sessions / len(people), 1.1, at_least=False)
    tell("recipients for a person, mean", recipients / len(people))
    tell("recipients for a person who is found, median", median_recipients(told), 4, at_least=False)


def by_colleagues(release, people, tell):
    """Of companies with one usual format: three are known, and the others are guessed."""
    of_company = {}
    for person in people:
        if person["address"] and person["is_usual"]:
            of_company.setdefault(person["email_domain"], []).append(person)
    asked, right = [], 0
    for persons in of_company.values():
        known = [person["address"] for person in persons[:COLLEAGUES]]
        asked += [{**person, "colleagues": known} for person in persons[COLLEAGUES:]]
    lines = run(release, {}, ["find", "--candidates", "--format", "jsonl", "-"], asked)
    for person, said in zip(asked, lines):
        right += said["candidates"][0]["address"] == person["address"]
    tell("likeliest address right with three colleagues, percent", 100 * right / len(asked), 90.0)


def share(rows, holds):
    return 100 * sum(holds(person, said) for person, said in rows) / len(rows)


def is_right(person, said):
    return said["address"] == person["address"]


def median_recipients(told):
    """Candidates that were asked about, of those who were found."""
    asked = [sum(c["mailbox"] != "unchecked" for c in said["candidates"]) for said in told if said["outcome"] == "found"]
    return sorted(asked)[len(asked) // 2]


def find(release, found, people):
    return run(release, found, ["find", "--explain", "--format", "jsonl", "-"], people)


def run(release, environment, arguments, people):
    lines = "".join(json.dumps({key: person[key] for key in ("full_name", "email_domain", "colleagues") if key in person}) + "\n" for person in people)
    done = subprocess.run(
        [f"{release}/mailsonde", *arguments], input=lines, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "XDG_DATA_HOME": "/nonexistent", **environment}
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextlib.contextmanager
def internet(release):
    """The environment in which it is found, the people, and what it counted in the end."""
    command = [*postgres.TIED[:2], "KILL", "--", f"{release}/lab", "people", str(COMPANIES), str(AT_EACH)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    counted = []
    try:
        there = json.loads(process.stdout.readline())
        yield there["environment"], there["people"], counted
    finally:
        process.stdin.close()
        counted += [json.loads(line) for line in process.stdout]
        process.wait()
