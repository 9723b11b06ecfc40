"""`benches/run real`: mailsonde and its peer ask a real Postfix with its stock limits, 50 ms away.

100 addresses at one domain, first all of them known, then 30 of them unknown, for each of

- mailsonde, its command line with stock settings;
- one connection per address, one after the other: EHLO, MAIL, RCPT, RCPT of a random recipient, QUIT;
- check-if-email-exists (`benches/peers/check-if-email-exists`), 1 and 50 addresses at a time.

Seconds are those of the whole process, start included. Connections and commands are counted by Postfix, in its log.
`far_postfix.py` says where all of this runs: nobody can reach outside, and nothing stays.
"""

import json
import os
import random
import shutil
import smtplib
import subprocess
import sys
import tempfile

import far_postfix
from far_postfix import DOMAIN, MX

HELLO, SENDER = "probe.test", "probe@probe.test"
PEERS = far_postfix.PEERS
# Longer than any program here needs; without it, one that hangs would hang the bench.
RUN_SECONDS_MAX = 300
# Of those that take a second or so; who takes half a minute is disturbed by little.
RUNS = 5
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
# program, its package in Debian
NEEDED = {
    "iptables-legacy": "iptables",
    "ip": "iproute2",
    "nsd": "nsd",
    "postfix": "postfix",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}


def obstacle():
    """Why this machine cannot run it; None if it can."""
    lacking = {package for program, package in NEEDED.items() if not shutil.which(program, path=PATH)}
    if lacking:
        return f"tests/setup installs Postfix and NSD, apt-get what else is lacking: {' '.join(sorted(lacking))}"
    return None if os.geteuid() == 0 else "namespaces, port 25 and Postfix need root"


def bench(release, tell):
    figures = measure(release)
    print(
        f"  round trip measured: {figures['round_trip_ms']:.1f} ms;"
        f" from connecting to the greeting {figures['greeting_ms']:.1f} ms"
    )
    for title, runs in figures["scenarios"].items():
        print(f"  {title}")
        print(f"    {'':40} {'seconds':>8} {'connections':>12} {'commands':>9} {'answered':>9} {'right':>6}")
        for program, run in runs.items():
            print(
                f"    {program:40} {run['seconds']:8.3f} {run['connections']:12} {run['commands']:9}"
                f" {run['answered']:9} {run['right']:6}"
            )
        ours, one_each, alone, fifty = runs.values()
        tell("addresses rightly answered", ours["right"], 100)
        tell("times as fast as one connection per address", one_each["seconds"] / ours["seconds"], 20)
        tell("times as fast as the peer, 1 at a time", alone["seconds"] / ours["seconds"], 20)
        tell("times as fast as the peer, 50 at a time", fifty["seconds"] / ours["seconds"], 1)
        # Postfix slows a session down after ten refusals: 30 of them, and the random recipient's, make four sessions.
        fewer = 50 if title == "all known" else None
        tell("times fewer connections than the peer", fifty["connections"] / ours["connections"], fewer)


def measure(release):
    """Builds the peers, and returns what `inside` prints."""
    for package in ("check-if-email-exists", "delay"):
        build = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", PEERS]
        subprocess.run(build, check=True, cwd=f"{far_postfix.ROOT}/benches/peers/{package}")
    with tempfile.TemporaryDirectory(prefix="mailsonde-real-") as folder:
        os.chmod(folder, 0o755)  # Postfix's own user passes through
        command = [*far_postfix.APART, sys.executable, __file__, folder, os.path.abspath(release)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "PATH": PATH})
    return json.loads(done.stdout)


def inside(folder, release):
    """In the namespaces: runs everything and prints the figures as JSON."""
    addresses = people()
    scenarios = {"all known": set(addresses), "30 of 100 unknown": set(random.Random(30).sample(addresses, 70))}
    programs = {
        "mailsonde": lambda: mailsonde(release, addresses),
        "one connection per address": lambda: one_connection_each(addresses),
        "check-if-email-exists, 1 at a time": lambda: peer(1, addresses),
        "check-if-email-exists, 50 at a time": lambda: peer(50, addresses),
    }
    fast = ("mailsonde", "check-if-email-exists, 50 at a time")
    figures = {"scenarios": {}}
    far_postfix.own_network(folder)
    for title, known in scenarios.items():
        postfix = far_postfix.Postfix(folder, known)
        figures["round_trip_ms"], figures["greeting_ms"] = postfix.round_trip_ms()
        runs = {name: [watched(postfix, program, addresses, known)] for name, program in programs.items()}
        for _ in range(RUNS - 1):
            # In turns, so that a busy machine is busy for both.
            for name in fast:
                runs[name].append(watched(postfix, programs[name], addresses, known))
        figures["scenarios"][title] = {name: summary(of_program) for name, of_program in runs.items()}
        postfix.stop()
    print(json.dumps(figures))


def watched(postfix, program, addresses, known):
    seconds, answers, sessions = postfix.watch(program)
    return {
        "seconds": seconds,
        "connections": len(sessions),
        "commands": sum(sessions),
        "answered": sum(answers.get(address) is not None for address in addresses),
        "right": sum(answers.get(address) == (address in known) for address in addresses),
    }


def summary(runs):
    """The least time, since the least disturbed run says most about the code, but the worst of everything else."""
    choice = {"seconds": min, "connections": max, "commands": max, "answered": min, "right": min}
    return {figure: choose(run[figure] for run in runs) for figure, choose in choice.items()}


def people():
    given = ["anna", "boris", "clara", "david", "elena", "felix", "greta", "hugo", "irene", "jonas"]
    family = ["adler", "brandt", "costa", "duval", "evans", "fischer", "garcia", "hansen", "ivanov", "jensen"]
    return [f"{first}.{last}@{DOMAIN}" for first in given for last in family]


# The programs: each gives, by address, whether the mailbox exists, and None where it does not know.


def mailsonde(release, addresses):
    settings = {
        "DNS__SERVERS": '["127.0.0.1:53"]',
        "SMTP__DESTINATIONS": "any",
        "SMTP__HELLO_NAME": HELLO,
        "SMTP__MAIL_FROM": SENDER,
    }
    variables = {f"MAILSONDE_{key}": value for key, value in settings.items()}
    verdicts = json_lines([f"{release}/mailsonde", "verify", "--format", "jsonl", "-"], addresses, variables)
    meaning = {"deliverable": True, "undeliverable": False}
    return {verdict["email"]: meaning.get(verdict["category"]) for verdict in verdicts}


def peer(concurrency, addresses):
    program = [f"{PEERS}/release/peer", "--concurrency", str(concurrency), "--hello-name", HELLO, "--mail-from", SENDER]
    answers = json_lines(program, addresses, {})
    return {answer["address"]: answer["is_deliverable"] for answer in answers if "address" in answer}


def json_lines(command, addresses, variables):
    done = subprocess.run(
        command,
        input="".join(f"{address}\n" for address in addresses),
        env={**os.environ, **variables},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=RUN_SECONDS_MAX,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def one_connection_each(addresses):
    answers = {}
    for number, address in enumerate(addresses):
        session = smtplib.SMTP(MX, 25, HELLO)
        session.ehlo()
        session.mail(SENDER)
        code, _ = session.rcpt(address)
        session.rcpt(f"no-such-mailbox-{number}@{DOMAIN}")
        session.quit()
        answers[address] = {250: True, 550: False}.get(code)
    return answers


if __name__ == "__main__":
    inside(*sys.argv[1:])
