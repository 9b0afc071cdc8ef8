"""Verifies every DKIM signature of letters with dkimpy and the records of a zone file; says how many each letter has."""

import re
import sys

import dkim

zone, *letters = sys.argv[1:]

# name IN TXT "one" or ( "several" "strings" ); they are put together (RFC 6376 section 3.6.2.2).
ENTRY = re.compile(r'^\s*(\S+\._domainkey\.\S+) IN TXT ((?:[\s()]*"[^"]*")+)', re.MULTILINE)
with open(zone, encoding="utf-8") as file:
    records = {
        name.encode(): "".join(re.findall(r'"([^"]*)"', strings)).encode()
        for name, strings in ENTRY.findall(file.read())
    }
assert records, "no records"


def look_up(name, timeout=5):
    return records.get(name)


for path in letters:
    with open(path, "rb") as file:
        letter = dkim.DKIM(file.read(), minkey=2048)
    count = sum(1 for name, _ in letter.headers if name.lower() == b"dkim-signature")
    for number in range(count):
        assert letter.verify(idx=number, dnsfunc=look_up), (path, number)
        print(f"{letter.domain.decode()} {letter.signature_fields[b'a'].decode()}")
    print(f"{count} good")
