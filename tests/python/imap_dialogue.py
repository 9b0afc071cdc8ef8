"""imaplib through RFC 3501 and the extensions that the box announces, on an empty account."""

import calendar
import datetime
import imaplib
import re
import ssl
import sys
import time

host, offset, authority, user, password = sys.argv[1:]
trust = ssl.create_default_context(cafile=authority)
imaplib.Commands.update(ENABLE=("AUTH", "SELECTED"), ID=("NONAUTH", "AUTH", "SELECTED"), UNSELECT=("SELECTED",))
imaplib.Commands.update(MOVE=("SELECTED",))

LETTER = (
    b"From: Ann <ann@client.test>\r\nTo: Bob <bob@example.test>, carol@example.test\r\n"
    b"Subject: The first letter\r\nDate: Sun, 22 Nov 2026 10:00:00 +0900\r\nMessage-ID: <1@client.test>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\npreamble\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello, plain box.\r\n"
    b"--b\r\nContent-Type: text/html\r\nContent-Language: en\r\n\r\n<p>Hello, box.</p>\r\n--b--\r\n"
)
OTHER = b"From: Zoe <zoe@client.test>\r\nSubject: Another\r\n\r\n" + b"0123456789\r\n" * 500


def ok(answer):
    status, data = answer
    assert status == "OK", answer
    return data


def no(answer):
    assert answer[0] == "NO", answer


def bad(call, *arguments):
    try:
        answer = call(*arguments)
        assert answer[0] == "BAD", answer
    except imaplib.IMAP4.error as error:
        assert "BAD" in str(error), error


def text(data):
    return b" ".join(part if isinstance(part, bytes) else b" ".join(part) for part in data if part).decode()


def search(*keys):
    return [int(number) for number in text(imap.search(None, *keys)[1]).split()]


def log_in():
    imap = imaplib.IMAP4(host, 143 + int(offset), timeout=30)
    assert "STARTTLS" in imap.capabilities
    ok(imap.starttls(trust))
    try:
        imap.login(user, "wrong")
        raise SystemExit("a wrong password was taken")
    except imaplib.IMAP4.error:
        pass
    imap.login(user, f"{password}")
    return imap


imap = log_in()
capabilities = text(ok(imap.capability())).split()
for name in "IMAP4rev1 IDLE NAMESPACE UIDPLUS MOVE SPECIAL-USE LITERAL+ ID ENABLE UNSELECT CHILDREN".split():
    assert name in capabilities, (name, capabilities)
assert "STARTTLS" not in capabilities and "LOGINDISABLED" not in capabilities

# Mailboxes.
listing = text(ok(imap.list()))
for use in ("Drafts", "Sent", "Junk", "Trash", "Archive"):
    assert f"\\{use}" in listing, listing
(delimiter,) = set(re.findall(r'"(.)" ', listing))
work, plans = "Work", f"Work{delimiter}Plans"
ok(imap.create(plans))
listing = {line.split()[-1].strip(b'"').decode(): line.decode() for line in ok(imap.list())}
assert plans in listing and "\\HasChildren" in listing[work], listing
assert "\\HasNoChildren" in listing[plans], listing
no(imap.create(plans))
no(imap.create("INBOX"))
ok(imap.subscribe(plans))
assert plans in text(ok(imap.lsub()))
ok(imap.rename(work, "Business"))
moved = f"Business{delimiter}Plans"
assert moved in text(ok(imap.list("Business/", "*" if delimiter == "/" else "*"))) or moved in text(ok(imap.list()))
ok(imap.unsubscribe(plans))
assert plans not in text(ok(imap.lsub()))
ok(imap.delete(moved))
no(imap.delete('"No such mailbox"'))
no(imap.delete("INBOX"))
assert text(ok(imap.list('""', '""'))).find(f'"{delimiter}"') > 0, "the delimiter alone"
assert "INBOX" in text(ok(imap.list('""', "%")))

# Letters in.
when = '"22-Nov-2026 09:30:00 +0900"'
ok(imap.append("INBOX", "(\\Seen Important)", when, LETTER))
ok(imap.append("INBOX", None, None, OTHER))
no(imap.append('"No such mailbox"', None, None, OTHER))
(count,) = ok(imap.select("inbox"))
assert count == b"2"
assert imap.response("UIDVALIDITY")[1][0] and imap.response("UIDNEXT")[1][0]
assert b"\\Seen" in imap.response("PERMANENTFLAGS")[1][0]
status = text(ok(imap.status("INBOX", "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY RECENT)")))
assert "MESSAGES 2" in status and "UNSEEN 1" in status, status

# FETCH, each item.
items = text(ok(imap.fetch("1", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)")))
assert f"RFC822.SIZE {len(LETTER)}" in items, items
assert "\\Seen" in items and "Important" in items, items
internal = calendar.timegm(datetime.datetime(2026, 11, 22, 0, 30).timetuple())
assert time.mktime(imaplib.Internaldate2tuple(items.encode())) == internal, items
assert '"The first letter" (("Ann" NIL "ann" "client.test"))' in items, items
assert '(("Bob" NIL "bob" "example.test")(NIL NIL "carol" "example.test"))' in items, items
# The line end before a boundary is the boundary's (RFC 2046 section 5.1.1); whether what is left is one line or none
# is read both ways.
assert re.search('"text" "plain" \\("charset" "utf-8"\\) nil nil "7bit" 17 [01]', items.lower()), items
assert '"alternative" ("boundary" "b")' in items.lower(), items


def part(sequence, item):
    data = ok(imap.fetch(sequence, item))
    return next(entry[1] for entry in data if isinstance(entry, tuple))


assert part("1", "(BODY.PEEK[])") == LETTER
assert part("1", "(RFC822)") == LETTER
assert part("1", "(BODY.PEEK[HEADER])") == LETTER[: LETTER.index(b"\r\n\r\n") + 4]
assert part("1", "(BODY.PEEK[TEXT])") == LETTER[LETTER.index(b"\r\n\r\n") + 4 :]
assert part("1", "(BODY.PEEK[1])") == b"Hello, plain box."
assert part("1", "(BODY.PEEK[2.MIME])") == b"Content-Type: text/html\r\nContent-Language: en\r\n\r\n"
assert part("1", "(BODY.PEEK[]<10.20>)") == LETTER[10:30]
assert part("1", "(BODY.PEEK[]<0.1000000>)") == LETTER
assert part("1", "(BODY.PEEK[HEADER.FIELDS (Subject X-None)])") == b"Subject: The first letter\r\n\r\n"
not_fields = part("1", "(BODY.PEEK[HEADER.FIELDS.NOT (Subject)])")
assert b"Subject" not in not_fields and b"Message-ID" in not_fields
assert b"\\Seen" not in ok(imap.fetch("2", "(FLAGS)"))[0]
assert part("2", "(BODY[TEXT]<0.12>)") == b"0123456789\r\n"
# It is set at once or, where the store gathers such changes, within a second.
deadline = time.monotonic() + 2
while b"\\Seen" not in ok(imap.fetch("2", "(FLAGS)"))[0]:
    assert time.monotonic() < deadline, "BODY[] sets \\Seen, BODY.PEEK[] does not"
    ok(imap.noop())
for macro in ("ALL", "FAST", "FULL", "BODY"):
    ok(imap.fetch("1:*", macro))
bad(imap.fetch, "1", "(NONSENSE)")

# SEARCH, each kind of key.
for keys, found in {
    ("ALL",): [1, 2],
    ("SUBJECT", '"first letter"'): [1],
    ("FROM", "zoe"): [2],
    ("TO", "carol"): [1],
    ("CC", "carol"): [],
    ("TEXT", "plain"): [1],
    ("BODY", "0123456789"): [2],
    ("HEADER", "Message-ID", "1@client"): [1],
    ("LARGER", "2000"): [2],
    ("SMALLER", "2000"): [1],
    ("KEYWORD", "Important"): [1],
    ("UNKEYWORD", "Important"): [2],
    ("NOT", "KEYWORD", "Important"): [2],
    ("OR", "FROM", "zoe", "FROM", "ann"): [1, 2],
    ("SINCE", "22-Nov-2026", "BEFORE", "23-Nov-2026", "FROM", "ann"): [1],
    ("ON", "22-Nov-2026", "FROM", "ann"): [1],
    ("SENTON", "22-Nov-2026"): [1],
    ("SENTSINCE", "23-Nov-2026"): [],
    ("FLAGGED",): [],
    ("SEEN",): [1, 2],
    ("UNANSWERED", "(2 SUBJECT another)"): [2],
    ("2:*",): [2],
}.items():
    assert search(*keys) == found, (keys, search(*keys))
bad(imap.search, None, "NONSENSE")
no(imap.search("X-NO-SUCH-CHARSET", "ALL"))

# STORE, COPY, MOVE, EXPUNGE.
uids = [int(uid) for uid in text(ok(imap.uid("SEARCH", "ALL"))).split()]
assert b"\\Flagged" in ok(imap.store("1", "+FLAGS", "(\\Flagged)"))[0]
assert ok(imap.store("1", "-FLAGS.SILENT", "(\\Flagged)")) == [None]
assert b"Important" not in ok(imap.store("1", "FLAGS", "(\\Answered)"))[0]
ok(imap.copy("1:2", "Archive"))
assert imap.untagged_responses.get("COPYUID") or imap.response("COPYUID")[1], "UIDPLUS"
no(imap.copy("1", '"No such mailbox"'))
ok(imap.uid("MOVE", str(uids[1]), "Trash"))
assert search("ALL") == [1]
ok(imap.append("INBOX", None, None, OTHER))
ok(imap.noop())
ok(imap.store("1:*", "+FLAGS.SILENT", "(\\Deleted)"))
imap.response("EXPUNGE")
ok(imap.uid("EXPUNGE", str(uids[0])))
assert imap.response("EXPUNGE")[1] == [b"1"]
assert len(search("ALL")) == 1, "UID EXPUNGE takes what it names alone"
assert ok(imap.expunge()) == [b"1"]
assert search("ALL") == []

# EXAMINE is read-only, CLOSE expunges, UNSELECT does not.
assert ok(imap.select("Archive", readonly=True)) == [b"2"]
try:
    imap.store("1", "+FLAGS", "(\\Deleted)")
except imaplib.IMAP4.error:
    pass
assert b"\\Deleted" not in ok(imap.fetch("1", "(FLAGS)"))[0]
ok(imap.select("Archive"))
ok(imap.store("1", "+FLAGS.SILENT", "(\\Deleted)"))
ok(imap._simple_command("UNSELECT"))
imap.state = "AUTH"
assert ok(imap.select("Archive")) == [b"2"]
ok(imap.close())
assert ok(imap.select("Archive")) == [b"1"]
ok(imap.check())

# The rest.
assert '(("" "' in text(ok(imap.namespace())), "NAMESPACE"
ok(imap._simple_command("ID", '("name" "imaplib")'))
ok(imap._simple_command("ENABLE", "UTF8=ACCEPT"))
imap.send(b"i1 IDLE\r\n")
assert imap.readline().startswith(b"+"), "IDLE"
other = log_in()
ok(other.append("Archive", None, time.time(), OTHER))
line = imap.readline()
while b"EXISTS" not in line:
    line = imap.readline()
assert line == b"* 2 EXISTS\r\n", line
imap.send(b"DONE\r\n")
while not line.startswith(b"i1 OK"):
    line = imap.readline()
assert imap.logout()[0] == "BYE"
other.logout()
