#!/usr/bin/python3
"""Stands in for zmmailbox and for Zimbra's REST address: exports IMAP accounts as TGZ archives and imports them.

As `zmmailbox` it takes the options and the three commands that Gatepost uses. As `zimbra.py serve [CERTIFICATE KEY]` it
answers HTTP, or HTTPS, on a free loopback port, which it prints. ZIMBRA_STANDIN names a JSON file, read anew each time:

    {"accounts": {"ana@example": {"port": 1143, "user": "ana@example", "password": "..."}}, "mode": "cut", "bytes": 5000}

Modes: cut (an export ends after so many bytes, with success), refuse (no such account), liar (an import takes everything and
adds nothing), early (an import does not read), hang (an export says nothing), flip (a bit of an export is wrong).
"""
import base64
import gzip
import hashlib
import http.server
import imaplib
import io
import json
import os
import re
import shutil
import ssl
import sys
import tarfile
import time
from urllib.parse import parse_qs, unquote, urlsplit

imaplib._MAXLINE = 100_000_000


def settings():
    with open(os.environ["ZIMBRA_STANDIN"], encoding="utf-8") as file:
        return json.load(file)


class NoAccount(Exception):
    pass


def account(name):
    config = settings()
    if config.get("mode") == "refuse" or name not in config["accounts"]:
        raise NoAccount(name)
    return config["accounts"][name]


def log_in(own):
    imap = imaplib.IMAP4("127.0.0.1", own["port"])
    imap.login('"%s"' % own["user"].replace("\\", "\\\\").replace('"', '\\"'), own["password"])
    return imap


def decoded(name):
    """Modified UTF-7 (RFC 3501 section 5.1.3)."""
    def part(match):
        text = match.group(1)
        return "&" if not text else base64.b64decode(text.replace(",", "/") + "===").decode("utf-16-be")
    return re.sub("&([^-]*)-", part, name)


def encoded(name):
    def part(match):
        text = base64.b64encode(match.group(0).encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
        return "&" + text + "-"
    return re.sub("[^\x20-\x7e]+", part, name.replace("&", "&-"))


def quoted(name):
    return '"%s"' % encoded(name).replace("\\", "\\\\").replace('"', '\\"')


def folders(imap):
    for line in imap.list()[1]:
        match = re.match(rb'\((.*?)\) (?:"(.)"|NIL) (.*)$', line if isinstance(line, bytes) else line[0])
        if rb"\Noselect" in match.group(1):
            continue
        name = match.group(3).decode()
        if name.startswith('"'):
            name = name[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        yield decoded(name)


LETTERS = {"\\Flagged": "f", "\\Answered": "r", "$Forwarded": "w", "\\Draft": "d", "\\Deleted": "x"}


def add(tar, name, content, group, date):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.gname = len(content), date, group
    tar.addfile(entry, io.BytesIO(content))


def export(own, out):
    imap = log_in(own)
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as packed, \
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        number = 256
        for folder in folders(imap):
            path = "/" + ("Inbox" if folder.upper() == "INBOX" else folder)
            number += 1
            meta = {"id": number, "type": 1, "Path": path, "name": path[1:], "date": 1559233855, "flags": 0}
            add(tar, "%010d-%s.meta" % (number, path.rsplit("/", 1)[1]), json.dumps(meta).encode(), "folder", 1559233855)
            imap.select(quoted(folder), readonly=True)
            uids = imap.uid("SEARCH", "ALL")[1][0].split()
            for position, uid in enumerate(uids):
                answer = imap.uid("FETCH", uid, "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
                head = b"".join(part[0] for part in answer if isinstance(part, tuple))
                head += b"".join(part for part in answer if isinstance(part, bytes))
                content = next(part[1] for part in answer if isinstance(part, tuple))
                flags = re.search(rb"FLAGS \(([^)]*)\)", head).group(1).decode().split()
                date = int(time.mktime(imaplib.Internaldate2tuple(head)))
                letters = "".join(letter for flag, letter in LETTERS.items() if flag in flags)
                letters += "" if "\\Seen" in flags else "u"
                tags = [flag for flag in flags if not flag.startswith("\\") and flag not in LETTERS]
                number += 1
                digest = base64.b64encode(hashlib.sha256(content).digest()).decode().replace("/", ",")
                meta = {"id": number, "type": 5, "Path": path + "/", "date": date, "FlagStr": letters, "flags": 0,
                        "TagNames": ":".join(tags), "size": len(content), "blob_digest": digest}
                # A folder goes on in another directory after 499 items.
                part = position // 499
                place = "%s%s/%010d-m.eml" % (path[1:], "!%d" % part if part else "", number)
                add(tar, place + ".meta", json.dumps(meta).encode(), "message", date)
                add(tar, place, content, "message", date)
    imap.logout()


def take(own, source, lie):
    imap, known = log_in(own), {}
    there = set(folders(imap))
    with tarfile.open(fileobj=source, mode="r|gz") as tar:
        meta = {}
        for entry in tar:
            content = tar.extractfile(entry).read()
            if entry.name.endswith(".meta"):
                meta = json.loads(content)
                continue
            if meta.get("type") != 5 or lie:
                continue
            path = meta["Path"].strip("/")
            folder = "INBOX" if path == "Inbox" else path
            if folder not in there:
                imap.create(quoted(folder))
                there.add(folder)
            if folder not in known:
                imap.select(quoted(folder), readonly=True)
                known[folder] = set()
                for uid in imap.uid("SEARCH", "ALL")[1][0].split():
                    answer = imap.uid("FETCH", uid, "(BODY.PEEK[])")[1]
                    known[folder].add(hashlib.sha256(next(p[1] for p in answer if isinstance(p, tuple))).digest())
            digest = hashlib.sha256(content).digest()
            # resolve=skip: what is there already stays as it is.
            if digest in known[folder]:
                continue
            known[folder].add(digest)
            flags = [flag for flag, letter in LETTERS.items() if letter in meta["FlagStr"]]
            flags += [] if "u" in meta["FlagStr"] else ["\\Seen"]
            flags += [tag for tag in meta["TagNames"].split(":") if tag]
            date = time.strftime('"%d-%b-%Y %H:%M:%S +0000"', time.gmtime(meta["date"]))
            status, said = imap.append(quoted(folder), "(%s)" % " ".join(flags), date, content)
            if status != "OK":
                raise IOError("%s: %s" % (folder, said))
    imap.logout()


class Faulty(io.RawIOBase):
    """An export that goes wrong on its way out."""

    def __init__(self, out, mode, at):
        self.out, self.mode, self.at, self.count = out, mode, at, 0

    def writable(self):
        return True

    def write(self, content):
        content = bytes(content)
        begin, self.count = self.count, self.count + len(content)
        if self.mode == "cut":
            self.out.write(content[:max(0, self.at - begin)])
        elif self.mode == "flip" and begin <= self.at < self.count:
            at = self.at - begin
            self.out.write(content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1:])
        else:
            self.out.write(content)
        return len(content)

    def flush(self):
        self.out.flush()


def export_as_told(own, out):
    config = settings()
    mode = config.get("mode")
    if mode == "hang":
        time.sleep(3600)
    export(own, Faulty(out, mode, config.get("bytes", 0)))


def zmmailbox(arguments):
    name, rest = None, []
    while arguments:
        word = arguments.pop(0)
        if word in ("-m", "--mailbox"):
            name = arguments.pop(0)
        elif word.startswith("--mailbox="):
            name = word.split("=", 1)[1]
        elif word == "-t":
            arguments.pop(0)
        elif word == "-z":
            pass
        elif word.startswith("-"):
            sys.exit("ERROR: Unrecognized option: " + word)
        else:
            rest.append(word)
    try:
        own = account(name)
        if rest == ["getMailboxSize"]:
            print("1 MB")
        elif rest == ["getRestURL", "/?fmt=tgz"]:
            export_as_told(own, sys.stdout.buffer)
        elif len(rest) == 3 and rest[:2] == ["postRestURL", "/?fmt=tgz&resolve=skip"]:
            mode = settings().get("mode")
            if mode != "early":
                with open(rest[2], "rb") as source:
                    take(own, source, mode == "liar")
                    shutil.copyfileobj(source, open(os.devnull, "wb"))
        else:
            sys.exit("ERROR: zclient.CLIENT_ERROR (unknown command %r)" % rest)
    except NoAccount as error:
        print("ERROR: account.NO_SUCH_ACCOUNT (no such account: %s)" % error, file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        print("ERROR: zclient.IO_ERROR (%s) (cause: java.io.IOException)" % error, file=sys.stderr)
        sys.exit(2)


class Body(io.RawIOBase):
    """The body of a request: by its length or in chunks (RFC 9112 section 7.1). Its end must be there."""

    def __init__(self, request):
        self.stream, self.chunked = request.rfile, "chunked" in request.headers.get("Transfer-Encoding", "")
        self.left, self.ended = int(request.headers.get("Content-Length", 0)), False

    def readable(self):
        return True

    def readinto(self, buffer):
        if self.chunked and not self.left and not self.ended:
            line = self.stream.readline()
            if not line.strip():
                raise IOError("the body broke off")
            self.left = int(line, 16)
            self.ended = not self.left
        content = self.stream.read(min(self.left, len(buffer)))
        if self.left and not content:
            raise IOError("the body broke off")
        self.left -= len(content)
        if self.chunked and content and not self.left:
            self.stream.readline()
        buffer[:len(content)] = content
        return len(content)


class Chunks(io.RawIOBase):
    """The body of an answer whose length is not known before its end."""

    def __init__(self, out):
        self.out = out

    def writable(self):
        return True

    def write(self, content):
        content = bytes(content)
        if content:
            self.out.write(b"%x\r\n%s\r\n" % (len(content), content))
        return len(content)


class Rest(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, text):
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def own(self):
        """The account that is asked for, where the password is right."""
        place = urlsplit(self.path)
        match = re.match("^/home/([^/]+)/$", place.path)
        asked, who = parse_qs(place.query), self.headers.get("Authorization", "")
        if not match or asked.get("fmt") != ["tgz"]:
            return self.answer(404, "no such item")
        try:
            own = account(unquote(match.group(1)))
        except NoAccount:
            return self.answer(404, "no such account")
        right = base64.b64encode(("%s:%s" % (own["user"], own["password"])).encode()).decode()
        if who != "Basic " + right:
            return self.answer(401, "must authenticate")
        self.asked = asked
        return own

    def do_GET(self):
        own = self.own()
        if not own:
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/x-compressed-tar")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            export_as_told(own, Chunks(self.wfile))
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass

    def do_POST(self):
        own = self.own()
        if not own:
            return
        mode = settings().get("mode")
        if mode == "early":
            return self.answer(200, "")
        try:
            body = io.BufferedReader(Body(self))
            take(own, body, mode == "liar")
            shutil.copyfileobj(body, open(os.devnull, "wb"))
        except Exception as error:
            return self.answer(500, str(error))
        self.answer(200, "")


def serve(tls):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rest)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()


os.environ["TZ"] = "UTC"
time.tzset()
if os.path.basename(sys.argv[0]) == "zmmailbox":
    zmmailbox(sys.argv[1:])
else:
    serve(sys.argv[2:])
