"""A real Postfix with its stock limits, a round trip of 50 ms away, for `benches/real.py`.

It stands in namespaces of its own, made by `unshare`: the network there has nothing but loopback, so nobody can reach
outside; /etc/resolv.conf there names an NSD; and the kernel ends whatever runs there when the bench ends, however it
ends. `benches/peers/delay` holds each packet to and from port 25 for half the round trip.

What is not stock in Postfix: its folders, its one domain with a table of mailboxes, no chroot (the queue folder is a
bare one), and `mynetworks`, since it would trust loopback and spare it the limits. It is started anew for each run,
because its flow control slows down whoever comes after a hundred transactions; and 50 of its processes are up before
the clock starts.
"""

import os
import re
import smtplib
import socket
import statistics
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PEERS = os.path.join(ROOT, os.environ.get("CARGO_TARGET_DIR", "target"), "peers")
# Before the command that is to run apart from the machine. When we die it dies, and all that it started.
APART = "setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc".split()
ROUND_TRIP_MS = 50
QUEUE = "7"
DOMAIN = "company.test"
MX = f"mx.{DOMAIN}"

ZONE = f"""$TTL 3600
. SOA ns.test. hostmaster.test. 1 3600 600 86400 60
. NS ns.test.
ns.test. A 127.0.0.1
{DOMAIN}. MX 10 {MX}.
{MX}. A 127.0.0.1
"""
NSD_CONF = """server:
    ip-address: 127.0.0.1
    server-count: 1
    username: ""
    chroot: ""
    database: ""
    pidfile: ""
    zonesdir: "{folder}"
    zonelistfile: "{folder}/zone.list"
    xfrdfile: ""
    xfrdir: "{folder}"
    logfile: "{folder}/log"
remote-control:
    control-enable: no
zone:
    name: .
    zonefile: root.zone
"""
MAIN_CF = f"""compatibility_level = 3.6
queue_directory = {{folder}}/queue
data_directory = {{folder}}/data
maillog_file = {{folder}}/log
maillog_file_prefixes = {{folder}}
inet_interfaces = loopback-only
mynetworks = 127.255.255.254/32
myhostname = {MX}
mydestination = {DOMAIN}
local_recipient_maps = texthash:{{folder}}/config/mailboxes
alias_maps =
"""


def own_network(folder):
    """Brings loopback up, with DNS, and with the delay on port 25."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # Both files, so that names are asked of nobody who listens on a Unix socket instead of the network.
    for name, content in {
        "resolv.conf": "nameserver 127.0.0.1\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }.items():
        own = write(f"{folder}/etc/{name}", content)
        subprocess.run(["mount", "--bind", own, f"/etc/{name}"], check=True)
    write(f"{folder}/nsd/root.zone", ZONE)
    config = write(f"{folder}/nsd/nsd.conf", NSD_CONF.format(folder=f"{folder}/nsd"))
    subprocess.Popen(["nsd", "-d", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until("NSD answers", lambda: resolves(MX), f"{folder}/nsd/log")
    delay_port_25()


def delay_port_25():
    half_us = str(ROUND_TRIP_MS * 1000 // 2)
    delay = subprocess.Popen([f"{PEERS}/release/delay", QUEUE, half_us], stdout=subprocess.PIPE, text=True)
    if delay.stdout.readline() != "ready\n":
        sys.exit("no netfilter queue, so no delay")
    for port in ("--dport", "--sport"):
        rule = ["-A", "OUTPUT", "-p", "tcp", port, "25", "-j", "NFQUEUE", "--queue-num", QUEUE]
        subprocess.run(["iptables-legacy", *rule], check=True)


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    # An hour old: Postfix reads a table that changed a moment ago again and again, lest somebody is still at it.
    os.utime(path, (time.time() - 3600,) * 2)
    return path


def resolves(name):
    try:
        return bool(socket.getaddrinfo(name, 25))
    except OSError:
        return False


def wait_until(what, condition, log, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            with open(log, encoding="utf-8") as file:
                sys.exit(f"{file.read()}\nwaited {seconds} s in vain until {what}; the log stands above")
        time.sleep(0.01)


class Postfix:
    """The installed Postfix with a configuration of its own, and with the mailboxes `known`."""

    WARM_PROCESSES = 50

    def __init__(self, folder, known):
        folder = f"{folder}/postfix"
        self.config = f"{folder}/config"
        self.log = f"{folder}/log"
        write(f"{self.config}/mailboxes", "".join(f"{mailbox} ok\n" for mailbox in sorted(known)))
        write(f"{self.config}/main.cf", MAIN_CF.format(folder=folder))
        with open("/usr/share/postfix/master.cf.dist", encoding="utf-8") as dist:
            # The fifth column is that of chroot.
            write(f"{self.config}/master.cf", re.sub(r"(?m)^((?:[^#\s]\S*\s+)(?:\S+\s+){3})y", r"\1n", dist.read()))
        os.makedirs(f"{folder}/queue", exist_ok=True)
        self.start()

    def start(self):
        self.control("start")

    def stop(self):
        self.control("stop")

    def control(self, verb):
        done = subprocess.run(["postfix", "-c", self.config, verb], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{done.stderr}\npostfix {verb}: status {done.returncode}")

    def round_trip_ms(self):
        """The median of one command, and of the way from connecting to the greeting."""
        replies, greetings = [], []
        for _ in range(5):
            began = time.perf_counter()
            session = smtplib.SMTP(MX, 25, "warm.test")
            greetings.append(time.perf_counter() - began)
            for _ in range(3):
                began = time.perf_counter()
                session.ehlo()
                replies.append(time.perf_counter() - began)
            session.quit()
        return statistics.median(replies) * 1000, statistics.median(greetings) * 1000

    def watch(self, program):
        """The seconds that `program` takes, what it returns, and the number of commands of each of its sessions."""
        self.stop()
        self.start()
        self.warm_up()
        before = len(self.sessions_ended())
        began = time.perf_counter()
        returned = program()
        seconds = time.perf_counter() - began
        self.wait_until_sessions_ended(self.count("connect from"))
        return seconds, returned, self.sessions_ended()[before:]

    def warm_up(self):
        """Has Postfix start its processes, by so many sessions at once that do nothing."""
        ended = self.count("disconnect from") + self.WARM_PROCESSES

        def session():
            smtplib.SMTP(MX, 25, "warm.test").quit()

        threads = [threading.Thread(target=session) for _ in range(self.WARM_PROCESSES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.wait_until_sessions_ended(ended)

    def wait_until_sessions_ended(self, number):
        wait_until("all sessions end", lambda: self.count("disconnect from") == number, self.log)

    def lines(self):
        with open(self.log, encoding="utf-8") as log:
            return log.read().splitlines()

    def count(self, event):
        return sum(f"]: {event} " in line for line in self.lines())

    def sessions_ended(self):
        """The number of commands of each session that has ended, refused ones included."""
        ends = (re.search(r"\]: disconnect from .* commands=(?:\d+/)?(\d+)", line) for line in self.lines())
        return [int(end.group(1)) for end in ends if end]
