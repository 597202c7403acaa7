#!/usr/bin/env bash
# Finds or installs the external programs that can be chosen as a mailbox's tool beside the built-in engine.
#   install-migration-tools.sh           installs what Debian or Ubuntu has, names what must be fetched by hand
#   install-migration-tools.sh --check   only looks; exit 3 when something is missing
# The built-in engine needs none of them. What no registry has is never fetched by this script: it says where it is.
# It stands alone: the package has it in /usr/share/gatepost, the sources in scripts/.
set -euo pipefail

fail() { printf 'failed: %s\n' "$*" >&2; exit 1; }

check=no
for arg in "$@"; do
  case "$arg" in
    --check) check=yes ;;
    -h|--help) sed -n '2,6p' "$0" | sed 's/^# \?//'; exit 0 ;;
    *) fail "unknown option $arg; see $0 --help" ;;
  esac
done
tools=${MIGRATION_TOOLS_PATH:-/opt/migration-tools}
# What imapsync wants of Perl, by the names of Debian's packages.
perl_modules="libauthen-ntlm-perl libcgi-pm-perl libcrypt-openssl-rsa-perl libdata-uniqid-perl libencode-imaputf7-perl \
libfile-copy-recursive-perl libfile-tail-perl libio-socket-inet6-perl libio-socket-ssl-perl libio-tee-perl \
libhtml-parser-perl libjson-webtoken-perl libmail-imapclient-perl libparse-recdescent-perl libproc-processtable-perl \
libreadonly-perl libregexp-common-perl libsys-meminfo-perl libterm-readkey-perl libunicode-string-perl liburi-perl \
libwww-perl"

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else fail "this needs root: run  $*  as root, then start again"; fi
}

if [ "$check" = no ]; then
  packages=()
  for wanted in readpst:pst-utils doveadm:dovecot-core ssh:openssh-client python3:python3; do
    command -v "${wanted%:*}" >/dev/null || packages+=("${wanted#*:}")
  done
  if [ ${#packages[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || fail "please install: ${packages[*]}"
    printf 'installing %s\n' "${packages[*]}" >&2
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  fi
fi

missing=0
# look NAME FOUND VERSION-COMMAND WHAT-TO-DO
look() {
  if [ -n "$2" ]; then
    printf 'found    %-14s %s  %s\n' "$1" "$2" "$(eval "$3" 2>&1 | head -n 1 || true)"
  else
    missing=$((missing + 1))
    printf 'missing  %-14s %s\n' "$1" "$4"
  fi
}
at() { for place in "$@"; do [ -n "$place" ] && [ -e "$place" ] && { printf '%s' "$place"; return; }; done; true; }

readpst=$(at "${MIGRATION_READPST_BIN:-}" "$(command -v readpst || true)")
look readpst "$readpst" "'$readpst' -V" "apt-get install pst-utils"
doveadm=$(at "${MIGRATION_DOVEADM_BIN:-}" "$(command -v doveadm || true)" /usr/bin/doveadm)
look doveadm "$doveadm" "/usr/sbin/dovecot --version" "apt-get install dovecot-core"
ssh=$(at "$(command -v ssh || true)")
look ssh "$ssh" "'$ssh' -V" "apt-get install openssh-client"
imapsync=$(at "${MIGRATION_IMAPSYNC_BIN:-}" "$(command -v imapsync || true)" "$tools/imapsync/imapsync")
look imapsync "$imapsync" "'$imapsync' --version" \
  "not packaged: fetch it from imapsync.lamiral.info, put it at $tools/imapsync/imapsync or set MIGRATION_IMAPSYNC_BIN"
[ -n "$imapsync" ] || printf '         %-14s %s\n' '' "its Perl modules: apt-get install $perl_modules"
upload=$(at "${MIGRATION_IMAP_UPLOAD:-}" "$tools/imap-upload/imap_upload.py")
look imap-upload "$upload" "python3 '$upload' --version" \
  "not packaged: clone rgladwell/imap-upload to $tools/imap-upload or set MIGRATION_IMAP_UPLOAD"
if [ -n "${MIGRATION_CARBONIO_SSH:-}" ]; then
  reached=$(ssh -o BatchMode=yes -o ConnectTimeout=5 "$MIGRATION_CARBONIO_SSH" command -v zmmailbox 2>/dev/null || true)
  look zmmailbox "$reached" "true" "$MIGRATION_CARBONIO_SSH cannot be reached with a key, or has no zmmailbox"
else
  printf 'unused   %-14s %s\n' zmmailbox "set MIGRATION_CARBONIO_SSH=user@host to use it over SSH"
fi
[ "$missing" = 0 ] || exit 3
