#!/usr/bin/python3
"""A stand-in for imapsync: takes its options, copies by IMAP, prints its lines. What it does wrong is said, word by word,
in a file `mode` beside it: liar, hang, signal, stall, fork, binary, other, vandal, fetch, skip, twins, code0; or what the
server does to a message: rewrites, footer."""

import imaplib
import os
import re
import signal
import sys
import time
from pathlib import Path

imaplib._MAXLINE = 50_000_000
VERSION = "2.229"


def options(arguments):
    """Every option that is used, and none that is not known: the real one ends with 64 then."""
    takes = {"host", "port", "user", "passfile"}
    takes = {f"--{name}{side}" for name in takes for side in "12"}
    takes |= {"--tmpdir", "--pidfile", "--errorsmax", "--folder", "--f1f2", "--reconnectretry2"}
    takes |= {"--maxmessagespersecond", "--regextrans2", "--sep1", "--sep2", "--prefix1", "--prefix2"}
    flags = {f"--{name}{side}" for name in ("nossl", "notls") for side in "12"}
    flags |= {"--pidfilelocking", "--nolog", "--noreleasecheck", "--nomodulesversion", "--nodockercontext", "--noid"}
    flags |= {"--noautomap", "--nosubscribe", "--syncinternaldates", "--useuid", "--noresyncflags", "--nofoldersizes"}
    flags |= {"--nofoldersizesatend", "--nochecknoabletosearch", "--justlogin", "--justfoldersizes"}
    found, rest = {}, list(arguments)
    while rest:
        name = rest.pop(0)
        if name in takes:
            found.setdefault(name, []).append(rest.pop(0))
        elif name in flags:
            found[name] = True
        else:
            print(f"Unknown option: {name.lstrip('-')}")
            sys.exit(64)
    return found


def say(text=""):
    print(text, flush=True)


class Run:
    def __init__(self, given, modes):
        self.given, self.modes = given, modes
        self.transferred = self.bytes = self.errors = self.folders = 0
        self.complaints = []
        self.pidfile = Path(given["--pidfile"][0])
        self.abort = Path(f"{self.pidfile}abort{os.getpid()}")

    def connect(self, side):
        host, port = self.given[f"--host{side}"][0], int(self.given[f"--port{side}"][0])
        user = self.given[f"--user{side}"][0]
        word = Path(self.given[f"--passfile{side}"][0]).read_text().splitlines()[0]
        try:
            imap = imaplib.IMAP4(host, port)
        except OSError as error:
            self.end(100 + side, f"EXIT_CONNECTION_FAILURE_HOST{side}", f"Host{side} failure: can not open: {error}")
        try:
            imap.login(user, word)
        except imaplib.IMAP4.error as error:
            self.end(160 + side, f"EXIT_AUTHENTICATION_FAILURE_USER{side}",
                     f"Host{side} failure: Error login on [{host}] with user [{user}] auth [LOGIN]: {error}")
        say(f"Host{side}: success login on [{host}] with user [{user}] auth [LOGIN]")
        return imap

    def end(self, code, name, complaint=None):
        if complaint:
            say(complaint)
            say(f"Err 1/1: {complaint}")
        say(f"Exiting with return value {code} ({name}) {self.errors}/100 nb_errors/max_errors PID {os.getpid()}")
        self.pidfile.unlink(missing_ok=True)
        sys.exit(code)

    def statistics(self, total):
        say("++++ Statistics")
        for label, value in [
            ("Transfer time", "0.7 sec"),
            ("Folders synced", f"{self.folders}/{total} synced"),
            ("Messages transferred", f"{self.transferred} "),
            ("Messages skipped", "0"),
            ("Messages deleted on host1", "0"),
            ("Messages deleted on host2", "0"),
            ("Total bytes transferred", f"{self.bytes} (0 MiB)"),
            ("Message rate", "263.4 messages/s"),
        ]:
            say(f"{label:40}: {value}")
        say("The sync looks good, all identified messages in host1 are on host2.")
        say(f"Detected {self.errors} errors")
        if self.complaints:
            say(f"++++ Listing {len(self.complaints)} errors encountered during the sync.")
            for number, words in enumerate(self.complaints, 1):
                say(f"Err {number}/{len(self.complaints)}: {words}")

    def fail(self, words):
        self.errors += 1
        self.complaints.append(words)
        say(words)

    def target(self, folder):
        mapped = dict(pair.split("=", 1) for pair in self.given.get("--f1f2", [])).get(folder, "")
        # As in Perl, `0` is as good as nothing.
        if mapped not in ("", "0"):
            return mapped
        if [self.given.get(f"--{name}") for name in ("sep1", "sep2", "prefix1", "prefix2")] != [["/"], ["/"], [""], [""]]:
            raise SystemExit(f"{folder} would be written as the separators and prefixes of both sides suggest")
        for rule in self.given["--regextrans2"]:
            _, pattern, replacement, options = rule.split("/")
            if options:
                raise SystemExit(f"{rule} is of another kind")
            pattern = pattern.replace("\\z", "\\Z")
            pattern = re.sub(r"\\x\{(\w+)\}", lambda found: re.escape(chr(int(found[1], 16))), pattern)
            replacement = re.sub(r"\\x\{(\w+)\}", lambda found: chr(int(found[1], 16)), replacement)
            folder = re.sub(pattern, lambda _: replacement, folder, count=1)
        return folder

    def copy(self, source, dest, folder, target):
        for imap, name in [(source, folder), (dest, target)]:
            # As the real one: SELECT on both sides, whatever it may write to.
            answer = imap._simple_command("SELECT", quoted(name))
            if answer[0] != "OK":
                raise SystemExit(f"Could not select {name}: {answer}")
            imap.state, imap.is_readonly = "SELECTED", True
        if "vandal" in self.modes:
            self.destroy(source, dest, target)
        found = source.uid("SEARCH", None, "ALL")[1][0]
        uids = [word.decode() for word in found.split()] if found else []
        if "--nochecknoabletosearch" not in self.given and len(uids) != int(source.untagged_responses["EXISTS"][-1]):
            say("Oups, SEARCH ALL does not work on INBOX; listing by FETCH")
            uids = [re.search(rb"UID (\d+)", line).group(1).decode() for line in source.uid("FETCH", "1:*", "(UID)")[1]]
        seen = set()
        for uid in uids:
            if self.abort.exists():
                say(f"Asked to terminate by file {self.abort}")
                self.statistics(99)
                self.end(7, "EXIT_BY_FILE")
            source = self.message(source, dest, folder, target, uid, seen)
            if "signal" in self.modes and self.transferred == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            if "stall" in self.modes and self.transferred == 3:
                time.sleep(3600)
        self.folders += 1
        return source

    def fetch(self, source, uid):
        flags, date = meta(source.uid("FETCH", uid, "(FLAGS INTERNALDATE RFC822.SIZE)")[1][0])
        return flags, date, source.uid("FETCH", uid, "(BODY.PEEK[])")[1][0][1]

    def message(self, source, dest, folder, target, uid, seen):
        try:
            flags, date, body = self.fetch(source, uid)
        except (imaplib.IMAP4.abort, OSError) as error:
            # As the real one: a source whose line broke is connected to anew, and asked once more.
            say(f"Lost the connection to host1: {error}")
            source = self.connect(1)
            source._simple_command("SELECT", quoted(folder))
            source.state, source.is_readonly = "SELECTED", True
            flags, date, body = self.fetch(source, uid)
        self.copy_message(dest, folder, target, uid, seen, flags, date, body)
        return source

    def copy_message(self, dest, folder, target, uid, seen, flags, date, body):
        subject = re.search(rb"(?im)^subject: *(.*?)\r?$", body)
        subject = subject.group(1).decode(errors="replace") if subject else ""
        size = len(body)
        if "liar" in self.modes:
            self.copied(folder, uid, size, target, 1)
            return
        if "fetch" in self.modes and "UNREADABLE" in subject:
            self.fail(f"- msg {folder}/{uid} {{0}} S[{size}] F[{flags}] I[{date}] could not be fetched: 9 NO damaged")
            say(f"- msg {folder}/{uid} skipped.")
            return
        if "skip" in self.modes and "OVERSIZE" in subject:
            say(f"msg {folder}/{uid} skipped ({size} exceeds maxsize limit 10 bytes)")
            return
        if "twins" in self.modes and subject in seen:
            return
        seen.add(subject)
        flags = flags.replace("\\Recent", "").strip()
        if "rewrites" in self.modes:
            body = re.sub(rb"(?im)^subject: *", b"SUBJECT:\r\n ", body, count=1)
        if "footer" in self.modes:
            body += b"-- \r\nThis message came from outside.\r\n"
        answer = dest.append(quoted(target), f"({flags})", f'"{date}"', body)
        if answer[0] != "OK":
            words = answer[1][0].decode(errors="replace")
            self.fail(f"- msg {folder}/{uid} {{{size}}} could not append ( Subject:[{subject}], Date:[\"{date}\"], "
                      f"Size:[{size}], Flags:[{flags}] ) to folder {target}: Error sending '9 APPEND': 9 NO {words}")
            return
        self.copied(folder, uid, size, target, self.transferred + 1)

    def copied(self, folder, uid, size, target, new):
        self.transferred += 1
        self.bytes += size
        say(f"msg {folder}/{uid + ' {' + str(size) + '}':19} copied to {target}/{new:<10} 9.99 msgs/s  1 KiB/s 1 KiB copied ")
        if "binary" in self.modes:
            sys.stdout.buffer.write(bytes(range(256)) * 40 + b"\n")
            sys.stdout.buffer.flush()

    def destroy(self, source, dest, target):
        """Whatever is tried has to be refused."""
        for imap, commands in [
            (source, [("UID", "FETCH", "1:*", "(FLAGS)"), ("STORE", "1:*", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",), ("UID", "STORE", "1:*", "FLAGS", "()")]),
            (dest, [("UID", "STORE", "1:*", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",)]),
        ]:
            for command in commands:
                answer = imap.uid(*command[1:]) if command[0] == "UID" else imap._simple_command(*command)
                say(f"{command} was answered with {answer[0]}")
        say(f"DELETE was answered with {dest._simple_command('DELETE', quoted(target))[0]}")
        say(f"DELETE was answered with {source._simple_command('DELETE', 'Enviados')[0]}")

    def lock(self):
        """As the real one: the file of a process that has gone is removed, any other keeps it from its work."""
        if self.pidfile.exists():
            try:
                os.kill(int(self.pidfile.read_text().split()[0]), 0)
            except OSError:
                say(f"Removing old {self.pidfile}")
                self.pidfile.unlink()
        if "--pidfilelocking" in self.given and self.pidfile.exists():
            say(f"{self.pidfile} already exists, another imapsync may be curently running. Aborting imapsync.")
            say(f"Exiting with return value 8 (EXIT_PID_FILE_ERROR) 0/100 nb_errors/max_errors PID {os.getpid()}")
            sys.exit(8)
        self.pidfile.write_text(f"{os.getpid()}\n")

    def main(self):
        say(f"Here is imapsync {'9.9' if 'other' in self.modes else VERSION} on host labhost, a linux system.")
        if "hang" in self.modes and "--folder" in self.given:
            time.sleep(3600)
        self.lock()
        if "fork" in self.modes:
            child = Path(__file__).parent / "child"
            child.unlink(missing_ok=True)
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    written = child.with_suffix(".new")
                    written.write_text(str(os.getpid()))
                    written.rename(child)
                    os.close(1), os.close(2)
                    time.sleep(3600)
                os._exit(0)
            # Left behind only what has begun.
            while not child.exists():
                time.sleep(0.005)
        source, dest = self.connect(1), self.connect(2)
        if "--justlogin" in self.given:
            say("Exiting because of --justlogin")
            self.end(0, "EX_OK: successful termination")
        if "--justfoldersizes" in self.given:
            listed = source.list()[1]
            say(f"Host1 Nb folders:     {len(listed)} folders")
            total = 0
            for line in listed:
                name = re.search(rb' "?.?"? (".*"|\S+)$', line).group(1).decode()
                if b"\\Noselect" not in line:
                    answer = source.status(name, "(MESSAGES)")[1][0]
                    total += int(re.search(rb"MESSAGES (\d+)", answer).group(1))
            say(f"Host1 Nb messages:    {total} messages")
            self.end(0, "EX_OK: successful termination")
        pairs = [(folder, self.target(folder)) for folder in self.given.get("--folder", [])]
        for folder, target in pairs:
            source = self.copy(source, dest, folder, target)
        self.statistics(len(pairs))
        if self.errors and "code0" not in self.modes:
            fetch = any("could not be fetched" in words for words in self.complaints)
            self.end(115 if fetch else 114, "EXIT_ERR_FETCH" if fetch else "EXIT_ERR_APPEND")
        self.end(0, "EX_OK: successful termination")


def quoted(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def meta(answer):
    text = (answer if isinstance(answer, bytes) else answer[0]).decode()
    flags = re.search(r"FLAGS \((.*?)\)", text).group(1)
    date = re.search(r'INTERNALDATE "(.*?)"', text).group(1)
    return flags, date


modes = Path(__file__).parent / "mode"
Run(options(sys.argv[1:]), modes.read_text().split() if modes.exists() else []).main()
