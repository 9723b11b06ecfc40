"""The loop that people write themselves: email-validator for the syntax, sets for the lists.

Reads addresses from a file, does for each what the offline pipeline does at its least (syntax, disposable, free
provider, role), and prints the addresses per second. It suggests no typos and has no random-pattern model.
"""

import sys
import time

from disposable_email_domains import blocklist
from email_validator import EmailNotValidError, validate_email

FREE = {"gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "gmx.de", "web.de", "aol.com", "icloud.com"}
ROLES = {"info", "admin", "sales", "support", "postmaster", "abuse", "billing", "hr", "security", "noreply"}


def verify(address):
    try:
        parsed = validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        return "invalid_syntax"
    if parsed.ascii_domain in blocklist:
        return "disposable"
    return ("free" if parsed.ascii_domain in FREE else "") + ("role" if parsed.local_part.lower() in ROLES else "")


with open(sys.argv[1], encoding="utf-8") as file:
    addresses = file.read().splitlines()
began = time.perf_counter()
for address in addresses:
    verify(address)
print(len(addresses) / (time.perf_counter() - began))
