"""poplib through RFC 1939 and its extensions, on three letters; deletes the second."""

import poplib
import ssl
import sys

host, offset, authority, user, password = sys.argv[1:]
trust = ssl.create_default_context(cafile=authority)


def refused(call, *arguments):
    try:
        call(*arguments)
    except poplib.error_proto as error:
        assert error.args[0].startswith(b"-ERR"), error
        return error.args[0].decode()
    raise SystemExit(f"{call} {arguments} was accepted")


pop3 = poplib.POP3(host, 110 + int(offset), timeout=30)
assert pop3.getwelcome().startswith(b"+OK")
assert "STLS" in pop3.capa()
pop3.stls(context=trust)
capabilities = pop3.capa()
for name in ("USER", "SASL", "TOP", "UIDL", "PIPELINING", "RESP-CODES"):
    assert name in capabilities, capabilities
assert "PLAIN" in capabilities["SASL"], capabilities
assert "STLS" not in capabilities, "RFC 2595 section 4: not again"

pop3.user(user)
assert refused(pop3.pass_, "wrong").startswith("-ERR"), "a wrong password"
pop3.user(user)
pop3.pass_(password)

count, size = pop3.stat()
assert count == 3 and size > 0
_, listing, _ = pop3.list()
sizes = [int(line.split()[1]) for line in listing]
assert len(sizes) == 3 and sum(sizes) == size, listing
assert pop3.list(2) == b"+OK 2 %d" % sizes[1]

_, lines, _ = pop3.retr(2)
assert b"Subject: second" in lines and lines[-3:] == [b".", b"..", b"Hello."], lines
assert len(b"\r\n".join(lines) + b"\r\n") == sizes[1]
_, top, _ = pop3.top(2, 1)
assert top[-1] == b"." and len(top) == len(lines) - 2, top
_, top, _ = pop3.top(2, 0)
assert top[-1] == b"" and b"Subject: second" in top, top
_, top, _ = pop3.top(2, 1000)
assert top == lines

_, uids, _ = pop3.uidl()
assert len({line.split()[1] for line in uids}) == 3, uids
assert pop3.uidl(3).split()[1:] == uids[2].split()

assert pop3.noop().startswith(b"+OK")
for number in (0, 4, 4294967297):
    refused(pop3.retr, number)
    refused(pop3.dele, number)
pop3.dele(1)
refused(pop3.dele, 1)
refused(pop3.list, 1)
assert pop3.stat()[0] == 2
pop3.rset()
assert pop3.stat()[0] == 3
pop3.dele(2)
assert pop3.quit().startswith(b"+OK")

# SASL PLAIN with its response in the command (RFC 5034), and pipelined commands (RFC 2449 section 6.6).
import base64

pop3 = poplib.POP3_SSL(host, 995 + int(offset), timeout=30, context=trust)
secret = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
assert pop3._shortcmd(f"AUTH PLAIN {secret}").startswith(b"+OK")
pop3.sock.sendall(b"NOOP\r\nSTAT\r\nNOOP\r\n")
assert pop3._getresp().startswith(b"+OK")
assert pop3._getresp().startswith(b"+OK 2 ")
assert pop3._getresp().startswith(b"+OK")
pop3.quit()
