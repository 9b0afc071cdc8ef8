"""smtplib on port 25 with BDAT (RFC 3030): chunks one by one and all at once, chunks that are refused, any bytes."""

import smtplib
import sys

host, offset, authority, user, password = sys.argv[1:]

PIECES = [b"Subject: chu", b"nks\r", b"\n\r\n.\r\nQUIT\r\n", b"..\r\nno line end"]
BINARY = b"Subject: binary\r\n\r\n" + bytes(range(256)) * 300


def chunk(octets, last=False):
    return b"BDAT %d%s\r\n%s" % (len(octets), b" LAST" if last else b"", octets)


def envelope(smtp, *options):
    assert smtp.mail("ann@client.test", options)[0] == 250
    assert smtp.rcpt(user)[0] == 250


with smtplib.SMTP(host, 25 + int(offset), timeout=30) as smtp:
    smtp.ehlo("client.test")
    assert smtp.has_extn("chunking") and smtp.has_extn("binarymime"), smtp.esmtp_features

    # One by one, ended by an empty chunk.
    envelope(smtp)
    for piece in PIECES:
        smtp.send(chunk(piece))
        code, text = smtp.getreply()
        assert code == 250, (code, text)
    assert smtp.docmd("DATA")[0] == 503, "not within chunks"
    assert smtp.docmd("BDAT", "0 LAST")[0] == 250

    # All at once.
    envelope(smtp)
    smtp.send(b"".join(chunk(piece) for piece in PIECES[:-1]) + chunk(PIECES[-1], last=True))
    assert [smtp.getreply()[0] for _ in PIECES] == [250] * len(PIECES)

    # Without a letter, and with a bare LF: read, refused, and no command in them is run.
    smtp.send(chunk(b"QUIT\r\n", last=True))
    assert smtp.getreply()[0] == 503
    envelope(smtp)
    smtp.send(chunk(b"lures\n.\r\n") + chunk(b"QUIT\r\n", last=True))
    assert [smtp.getreply()[0] for _ in range(2)] == [550, 550]

    # Any bytes, but only by BDAT.
    envelope(smtp, "BODY=BINARYMIME")
    assert smtp.docmd("DATA")[0] == 503
    half = len(BINARY) // 2
    smtp.send(chunk(BINARY[:half]) + chunk(BINARY[half:], last=True))
    assert [smtp.getreply()[0] for _ in range(2)] == [250, 250]
    assert smtp.noop()[0] == 250
