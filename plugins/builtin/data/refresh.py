#!/usr/bin/env python3
"""Brings the vendored lists up to date: fetches the packages they come from, and packs them together with own/*.txt.

    plugins/builtin/data/refresh.py           # fetch and pack everything
    plugins/builtin/data/refresh.py --force   # even if a list shrinks by more than half

Needs pip, npm and cargo, and nothing beyond Python's standard library. Packages are fetched by their package managers
and read as data; no code of theirs runs. Prints the lines for NOTICE.
"""

import ast
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

DATA = Path(__file__).resolve().parent
OWN = DATA / "own"
WORKSPACE = DATA.parents[2]

# Labels under which country registries let people register names: example.co.uk is not below a provider "co.uk".
SECOND_LEVEL = {"ac", "asn", "co", "com", "edu", "gen", "go", "gob", "gov", "id", "ltd", "me", "my", "ne", "net",
                "nom", "or", "org", "plc", "web"}


def run(*command: str, **options) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def own_lines(name: str) -> set[str]:
    lines = (line.split("#")[0].strip() for line in (OWN / name).read_text().splitlines())
    return {line for line in lines if line}


class NpmPackage:
    """The newest version of a package on npm, as its archive."""

    def __init__(self, name: str, folder: Path):
        about = json.loads(run("npm", "view", name, "version", "license", "time", "--json"))
        self.name = f"npm {name}"
        self.version = about["version"]
        self.licence = about["license"]
        self.date = about["time"][self.version][:10]
        archive = run("npm", "pack", "--silent", f"{name}@{self.version}", cwd=folder).split()[-1]
        self.archive = folder / archive

    def read(self, path: str) -> str:
        with tarfile.open(self.archive) as archive:
            return archive.extractfile(f"package/{path}").read().decode()


class PypiPackage:
    """The newest version of a package on PyPI, as its wheel."""

    def __init__(self, name: str, folder: Path):
        run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest",
            str(folder), name)
        self.wheel = zipfile.ZipFile(next(folder.glob(f"{name.replace('-', '_')}-*.whl")))
        metadata = next(file for file in self.wheel.infolist() if file.filename.endswith(".dist-info/METADATA"))
        text = self.wheel.read(metadata).decode()
        self.name = f"PyPI {name}"
        self.version = re.search(r"^Version: (.+)$", text, re.M)[1]
        self.licence = re.search(r"^License-Expression: (.+)$", text, re.M)[1]
        self.date = "-".join(f"{part:02}" for part in metadata.date_time[:3])

    def read(self, path: str) -> str:
        return self.wheel.read(path).decode()


class OwnList:
    """A list that is kept by hand in own/, with a line that says when it was last looked through."""

    def __init__(self, file: str, name: str = "", licence: str = "MIT OR Apache-2.0"):
        self.path = OWN / file
        self.name = name or f"mailsonde own/{file}"
        self.version = ""
        self.licence = licence
        self.date = re.search(r"^# Date: (.+)$", self.path.read_text(), re.M)[1]


def curated(package: PypiPackage) -> set[str]:
    """The one set literal of the module; the module's other names are for old users of it."""
    tree = ast.parse(package.read("disposable_email_domains/__init__.py"))
    literal = next(node.value for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Set))
    return ast.literal_eval(literal)


def broad(package: NpmPackage) -> set[str]:
    return set(json.loads(package.read("index.json"))) | set(json.loads(package.read("wildcard.json")))


def free(package: NpmPackage) -> set[str]:
    """The package's domains without its strays: hosts below domains that are no providers themselves."""
    domains = set(json.loads(package.read("domains.json"))) - own_lines("not-free.txt")
    return {domain for domain in domains if not is_stray(domain, domains)} | own_lines("free-providers.txt")


def is_stray(domain: str, providers: set[str]) -> bool:
    labels = domain.split(".")
    registrable = 3 if len(labels[-1]) == 2 and labels[-2] in SECOND_LEVEL else 2
    parents = (".".join(labels[start:]) for start in range(1, len(labels) - registrable + 1))
    return len(labels) > registrable and not any(parent in providers for parent in parents)


def english_roles(package: NpmPackage) -> set[str]:
    source = package.read("src/index.js")
    return {word for array in re.findall(r"= \[(.*?)\]", source, re.S) for word in re.findall(r"'([^']+)'", array)}


def fold(word: str) -> str:
    """As the role stage folds local parts."""
    return re.sub(r"[._ -]", "", word.lower()).rstrip("0123456789")


def write_roles(package: NpmPackage) -> int:
    """Writes roles.txt, a line per type: our words, and the package's words that own/ says nothing about."""
    types: dict[str, list[str]] = {}
    for line in sorted(own_lines("roles.txt")):
        kind, words = line.split(":")
        types.setdefault(kind, []).extend(fold(word) for word in words.split())
    known = {word for words in types.values() for word in words}
    never = {fold(word) for line in own_lines("no-roles.txt") for word in line.split()}
    added = {fold(word) for word in english_roles(package)} - known - never - {""}
    types["other"].extend(added)
    lines = [f"{kind}: {' '.join(sorted(set(words)))}\n" for kind, words in sorted(types.items())]
    (DATA / "roles.txt").write_text("# Made by refresh.py from own/roles.txt and an npm package; see README.md.\n"
                                    + "".join(lines))
    return len(added)


def build_packer() -> str:
    messages = run("cargo", "build", "--release", "-p", "mailsonde-builtin", "--example", "pack",
                   "--message-format=json", cwd=WORKSPACE)
    artefacts = (json.loads(line) for line in messages.splitlines())
    return next(a["executable"] for a in artefacts if a.get("target", {}).get("name") == "pack" and a.get("executable"))


def main() -> None:
    force = ["--force"] if "--force" in sys.argv[1:] else []
    packer = os.environ.get("MAILSONDE_PACK") or build_packer()

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)

        def pack(name: str, source, lines: set[str] | None = None, tier: str = "") -> None:
            text = source.path if lines is None else folder / f"{name}.txt"
            if lines is not None:
                text.write_text("\n".join(sorted(lines)))
            subprocess.run([packer, DATA, name, text, source.name, source.version, source.date, source.licence,
                            *filter(None, [tier]), *force], check=True)

        # In this order: disposable domains are checked against the first two, free providers against those before them.
        pack("mainstream", OwnList("mainstream.txt"))
        pack("alias-relays", OwnList("alias-relays.txt"))
        pack("alias-operators", OwnList("alias-operators.txt"))
        reviewed = PypiPackage("disposable-email-domains", folder)
        pack("disposable", reviewed, curated(reviewed), "curated")
        collected = NpmPackage("disposable-email-domains", folder)
        pack("disposable", collected, broad(collected), "broad")
        providers = NpmPackage("free-email-domains", folder)
        pack("free-providers", providers, free(providers))
        pack("disposable-mx", OwnList("disposable-mx.txt"))
        pack("parking", OwnList("parking.txt"))
        pack("tld-risk", OwnList("tld-risk.txt", "Interisle, Phishing Activity in TLDs, August-October 2025",
                                 "figures, cited"))
        words = NpmPackage("role-based-email-addresses", folder)
        added = write_roles(words)

    for sources in json.loads((DATA / "manifest.json").read_text()).values():
        for source in sources:
            print(source["name"], source["version"], source["date"], source["licence"], source["entries"], sep=" | ")
    print(words.name, words.version, words.date, words.licence, added, sep=" | ")


if __name__ == "__main__":
    main()
