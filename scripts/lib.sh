# Shared by the scripts: messages, and what must be installed. Sourced, not run.

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
TARGET="$CARGO_TARGET_DIR"
CACHE="${GATEPOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gatepost}"
# Where the tests find Cyrus and Courier; scripts/install-test-servers puts them there.
export GATEPOST_TEST_SERVERS="${GATEPOST_TEST_SERVERS:-$CACHE/servers}"
export PATH="$HOME/.cargo/bin:$PATH"

WASM_BINDGEN=0.2.130
BINARYEN=132.0.0
ESBUILD=0.28.2
CARGO_DENY=0.20.2
CARGO_DEB=3.8.0

say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*" >&2; }
fail() { printf 'failed: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else fail "this needs root: run  $*  as root, then start again"; fi
}

# ensure_apt WHAT PACKAGE [WHAT PACKAGE ...]: installs the packages that are missing, each known by a command or, where
# it has none, by the path of a file.
ensure_apt() {
  local missing=()
  while [ $# -gt 1 ]; do
    # Not command -v: the shell's own kill is no program.
    type -P "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || [[ $1 = /* && -e $1 ]] || missing+=("$2")
    shift 2
  done
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || fail "please install: ${missing[*]}"
  say "installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

ensure_rust() {
  command -v cargo >/dev/null || fail "Rust is missing: install it with rustup (https://rustup.rs), then start again"
  if command -v rustup >/dev/null; then
    rustup target list --installed | grep -q '^wasm32-unknown-unknown$' || {
      say "installing the wasm target"
      rustup target add wasm32-unknown-unknown
    }
  fi
  [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ] ||
    fail "the wasm target is missing: run  rustup target add wasm32-unknown-unknown"
}

# npm_bin TOOL ARGS...: runs a tool of the pinned npm packages, kept in the cache.
npm_bin() {
  local tool=$1
  shift
  "$CACHE/npm/node_modules/.bin/$tool" "$@"
}

ensure_npm_tools() {
  command -v npm >/dev/null || fail "Node.js with npm is missing: install it (apt-get install nodejs npm), then start again"
  [ "$(cat "$CACHE/npm/.versions" 2>/dev/null)" = "$BINARYEN $ESBUILD" ] && return
  say "installing binaryen and esbuild"
  mkdir -p "$CACHE/npm"
  npm install --prefix "$CACHE/npm" --no-audit --no-fund --silent "binaryen@$BINARYEN" "esbuild@$ESBUILD"
  echo "$BINARYEN $ESBUILD" > "$CACHE/npm/.versions"
}

# With the dependencies that its authors tried; where a registry lacks one of these, with the newest that fit. What is
# compiled on the way stays out of the target directory.
cargo_install() {
  env -u CARGO_TARGET_DIR cargo install -q --locked "$@" 2>/dev/null || env -u CARGO_TARGET_DIR cargo install -q "$@"
}

ensure_wasm_bindgen() {
  [ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $WASM_BINDGEN" ] && return
  say "installing wasm-bindgen $WASM_BINDGEN (a few minutes)"
  cargo_install wasm-bindgen-cli --version "$WASM_BINDGEN"
}

ensure_cargo_deny() {
  cargo deny --version >/dev/null 2>&1 && return
  say "installing cargo-deny (a few minutes)"
  cargo_install cargo-deny --version "$CARGO_DENY"
}

ensure_package_tools() {
  ensure_apt dpkg-shlibdeps dpkg-dev
  cargo deb --version >/dev/null 2>&1 && return
  say "installing cargo-deb (a few minutes)"
  cargo_install cargo-deb --version "$CARGO_DEB"
}

# clean_root RELEASE: the path of an archive of a minimal Debian or Ubuntu with systemd, made once and kept in the cache.
clean_root() {
  local clean="$CACHE/clean-$1.tar"
  if [ ! -s "$clean" ]; then
    say "making a clean $1"
    mkdir -p "$CACHE"
    mmdebstrap -q --variant=minbase --include=systemd,systemd-sysv,dbus,passwd "$1" - > "$clean.new" || return
    mv "$clean.new" "$clean"
  fi
  printf '%s\n' "$clean"
}

ensure_build_tools() {
  # gcc alone compiles nothing: it only recommends the C library's headers and start files.
  ensure_apt cc gcc /usr/include/stdio.h libc6-dev brotli brotli
  ensure_rust
  ensure_npm_tools
  ensure_wasm_bindgen
}
