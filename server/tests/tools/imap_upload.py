"""Stands in for imap_upload.py 2.0: the same options, the same prompts, the same lines. Messages are made anew by
Python's email package on their way, as the real one does; those with REFUSE in their subject are not sent."""
import email.policy
import getpass
import imaplib
import mailbox
import optparse
import re
import sys
import time
from base64 import b64encode


def utf7(name):
    """A folder's name as IMAP writes it (RFC 3501 section 5.1.3)."""
    def shifted(found):
        text = b64encode(found.group().encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
        return "&" + text + "-"
    return re.sub("[^ -~]+", shifted, name.replace("&", "&-"))


parser = optparse.OptionParser()
for option in ("host", "port", "user", "password", "box", "retry", "error"):
    parser.add_option("--" + option)
options, (source,) = parser.parse_args()
print("IMAP Upload (v2.0.0)")
password = options.password or getpass.getpass()
print("Connecting to %s:%s." % (options.host, options.port))
try:
    server = imaplib.IMAP4(options.host, int(options.port))
    server.login(options.user, password)
except imaplib.IMAP4.error as error:
    print("IMAP4 error:", error)
    sys.exit(1)
box = '"' + utf7(options.box) + '"'
server.create(box)
messages = mailbox.mbox(source, create=False)
errors = mailbox.mbox(options.error)
print("Uploading to {}...".format(options.box))
total, stored = len(messages), 0
for number, message in enumerate(messages, 1):
    subject = str(email.header.make_header(email.header.decode_header(message["subject"] or "")))
    print("%d/%d %5.1f B   %s  " % (number, total, len(message.as_bytes()), subject[:30]), end=" ")
    if "liar" in sys.argv[0]:
        result = "OK"
    elif "REFUSE" in subject:
        result = "NO"
    else:
        at = time.strptime(message.get_from().split(" ", 1)[1])
        again = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
        again["X-Mailer-Again"] = "yes"
        result, _ = server.append(box, None, imaplib.Time2Internaldate(time.mktime(at)), again.as_bytes())
    if result == "OK":
        stored += 1
        print("OK (1 sec)")
    else:
        print("ERROR (b'[TOOBIG] message too large')")
        errors.add(message)
errors.flush()
print("Done. (OK: %d, WARNING: 0, ERROR: %d)" % (stored, total - stored))
