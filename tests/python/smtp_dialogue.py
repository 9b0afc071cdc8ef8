"""smtplib against the submission port: features, STARTTLS, log-in, refusals by name, a letter in Japanese."""

import smtplib
import ssl
import sys
from email.headerregistry import Address
from email.message import EmailMessage

host, offset, authority, user, password = sys.argv[1:]
trust = ssl.create_default_context(cafile=authority)

letter = EmailMessage()
letter["From"] = Address("山田太郎", addr_spec=user)
letter["To"] = user
letter["Subject"] = "会議のお知らせ"
letter.set_content("いつもお世話になっております。\n.\n.. 点で始まる行\n", charset="utf-8", cte="8bit")
letter.add_attachment(bytes(range(256)) * 40, maintype="application", subtype="pdf", filename="請求書.pdf")

with smtplib.SMTP(host, 587 + int(offset), timeout=30) as smtp:
    smtp.ehlo("client.test")
    for feature in ("pipelining", "8bitmime", "smtputf8", "enhancedstatuscodes", "starttls", "size"):
        assert smtp.has_extn(feature), feature
    code, text = smtp.starttls(context=trust)
    assert code == 220, (code, text)
    smtp.ehlo("client.test")
    assert smtp.has_extn("auth") and not smtp.has_extn("starttls"), smtp.esmtp_features

    try:
        smtp.login(user, "wrong")
        raise SystemExit("a wrong password was taken")
    except smtplib.SMTPAuthenticationError as error:
        assert error.smtp_code == 535, error
    assert smtp.noop()[0] == 250
    smtp.login(user, password)

    # One recipient that does not exist is named; the other gets the letter.
    nobody = "nobody-at-all@" + user.split("@")[1]
    refused = smtp.send_message(letter, to_addrs=[user, nobody])
    assert list(refused) == [nobody] and refused[nobody][0] == 550, refused
    try:
        smtp.send_message(letter, to_addrs=[nobody])
        raise SystemExit("an unknown recipient was taken")
    except smtplib.SMTPRecipientsRefused as error:
        assert list(error.recipients) == [nobody]
    assert smtp.rset()[0] == 250
    assert smtp.verify(user)[0] in (250, 252, 502), "VRFY answers"
    assert smtp.help()
    assert smtp.docmd("NOOP", "with an argument")[0] == 250

with smtplib.SMTP_SSL(host, 465 + int(offset), timeout=30, context=trust) as smtp:
    smtp.login(user, password)
    assert smtp.send_message(letter) == {}
