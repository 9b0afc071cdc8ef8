"""Reads a delivery report from standard input with Python's own mail parser; prints what it says as JSON."""

import email
import email.policy
import json
import sys

report = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
assert report.get_content_type() == "multipart/report", report.get_content_type()
parts = list(report.iter_parts())
assert len(parts) == 3, [part.get_content_type() for part in parts]
human, status, returned = parts
assert not any(part.defects for part in report.walk()), [part.defects for part in report.walk()]
if status.get_content_type() == "message/delivery-status":
    groups = [list(group.items()) for group in status.get_payload()]
else:
    text = status.get_payload(decode=True).decode()
    groups = [list(email.message_from_string(group).items()) for group in text.split("\n\n") if group.strip()]
print(
    json.dumps(
        {
            "from": report["From"],
            "to": report["To"],
            "subject": report["Subject"],
            "return_path": report["Return-Path"],
            "auto_submitted": report["Auto-Submitted"],
            "report_type": report.get_param("report-type"),
            "text": human.get_content(),
            "letter": dict(groups[0]),
            "recipients": [dict(group) for group in groups[1:]],
            "returned_type": returned.get_content_type(),
            "returned": returned.as_string(),
        }
    )
)
