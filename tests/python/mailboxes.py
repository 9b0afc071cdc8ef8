"""Reads a Maildir or a folder of mbox files with the standard library's mailbox module, and says what is in it."""

import hashlib
import json
import mailbox
import pathlib
import sys

form, place = sys.argv[1], pathlib.Path(sys.argv[2])


def maildir(folder):
    letters = []
    for key, letter in sorted(folder.items(), key=lambda item: int(item[0].split(".U")[1].split("V")[0])):
        digest = hashlib.sha256(folder.get_bytes(key)).hexdigest()
        letters.append([letter["Subject"], letter.get_flags(), int(letter.get_date()), digest])
    return letters


def mbox(path):
    letters = []
    for letter in mailbox.mbox(path, create=False):
        letters.append([letter["Subject"], letter.get_flags(), letter.get_from(), letter["X-Keywords"]])
    return letters


if form == "maildir":
    root = mailbox.Maildir(place, create=False)
    found = {name: maildir(root.get_folder(name)) for name in root.list_folders()}
    found["INBOX"] = maildir(root)
else:
    found = {str(path.relative_to(place)): mbox(path) for path in place.rglob("*.mbox") if path.is_file()}
print(json.dumps(found))
