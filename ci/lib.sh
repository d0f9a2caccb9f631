# What ci/test stands on: printing, running a command, finding the tools and bringing missing ones.
# Sourced by ci/test, never run by itself.
# shellcheck shell=bash

# --- printing -------------------------------------------------------------------------------------

bold='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    bold=$'\e[1m' plain=$'\e[0m'
fi
# cargo colours by its own switch; say the same to it.
if [[ -n ${NO_COLOR:-} ]]; then
    export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
fi

# minutes SECONDS: 75 becomes 1:15.
minutes() {
    printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
}

# header NAME TEXT: opens a section, with the time since the start.
header() {
    printf '\n%s==== %s: %s [%s]%s\n' "$bold" "$1" "$2" "$(minutes "$SECONDS")" "$plain"
}

note() {
    printf '%s\n' "$*"
}

# die LINE...: the end of a run that failed.
die() {
    {
        printf '\n%s: FAILED' "ci/${0##*/}"
        [[ -z ${step:-} ]] || printf ' in %s' "$step"
        printf ' after %s\n' "$(minutes "$SECONDS")"
        printf '  %s\n' "$@"
    } >&2
    exit 1
}

# --- running --------------------------------------------------------------------------------------

# shown COMMAND...: the command as one would type it (an assignment before it goes through `env`).
shown() {
    local words
    words=$(printf '%q ' "$@")
    printf '%s' "${words% }"
}

# run COMMAND...: shows the command, runs it, and ends everything if it fails.
run() {
    local status=0
    printf '%s+ %s%s\n' "$bold" "$(shown "$@")" "$plain"
    "$@" || status=$?
    ((status == 0)) || die "exit status $status from: $(shown "$@")"
}

# --- what Cargo.toml says -------------------------------------------------------------------------

# manifest WHAT: one fact of the package in this directory, from `cargo metadata`.
#   rust-version   the oldest compiler promised
#   features       each feature but `default` and `full`, one a line
#   default-full   `same` if the default features bring all that there are, else `differ`
manifest() {
    cargo metadata --no-deps --format-version 1 | python3 -c '
import json, os, sys

what = sys.argv[1]
packages = json.load(sys.stdin)["packages"]
here = os.path.realpath("Cargo.toml")
package = next(p for p in packages if os.path.realpath(p["manifest_path"]) == here)
features = package["features"]

if what == "rust-version":
    print(package["rust_version"])
elif what == "features":
    print("\n".join(sorted(set(features) - {"default", "full"})))
elif what == "default-full":
    reached, todo = set(), ["default"]
    while todo:
        name = todo.pop()
        if name in features and name not in reached:
            reached.add(name)
            todo.extend(features[name])
    print("same" if set(features) <= reached | {"default", "full"} else "differ")
else:
    sys.exit(f"manifest: no such fact: {what}")
' "$1"
}

# --- tools ----------------------------------------------------------------------------------------

# Whether to bring what is missing; ci/test sets it.
install=${install:-no}

# apt_lists: brings Debian's package lists up to date, once.
apt_lists() {
    command -v apt-get >/dev/null || die 'no apt-get here: --install knows Debian only'
    [[ $EUID == 0 ]] || die 'to install Debian packages, be root'
    if [[ -z ${apt_updated:-} ]]; then
        apt-get update || note 'apt-get update failed: going on with the lists at hand'
        apt_updated=yes
    fi
}

# apt PACKAGE...: installs Debian packages, removes none, and starts no service that comes with them: the tests start
# what they need.
apt() {
    local policy=/usr/sbin/policy-rc.d
    apt_lists
    if [[ -e $policy ]]; then
        apt_install "$@"
    else
        # invoke-rc.d asks it; 101 forbids. It is gone again whatever comes of the installation.
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        (
            trap 'rm -f "$policy"' EXIT
            apt_install "$@"
        ) || exit 1
    fi
}

apt_install() {
    run env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-remove --no-install-recommends "$@"
}

# need TOOL CURE...: TOOL answers, or is brought by the command CURE (with --install), or is reported.
# TOOL is a command line that succeeds when the tool is there.
missing=()
need() {
    local tool=$1
    shift
    if $tool >/dev/null 2>&1; then
        note "found: $tool"
    elif [[ $install != yes ]]; then
        missing+=("no \`$tool\`; bring it with: ${*/#apt/apt-get install}")
    elif [[ $1 == apt ]]; then
        apt "${@:2}"
    else
        run "$@"
    fi
}

# --- the oldest compiler --------------------------------------------------------------------------

# The version that `rust-version` promises and the command that runs its cargo; set by find_oldest.
oldest_cargo=()
oldest_version=''

# is_oldest RUSTC...: is this compiler of the series of $oldest_version? (Debian may have a later patch of it.)
is_oldest() {
    local said
    said=$("$@" --version 2>/dev/null) || return 1
    [[ $said == "rustc ${oldest_version%.*}."* ]]
}

# find_oldest VERSION: looks for the toolchain in the places where it may be. rustup's is preferred; Debian's is
# called by its full path, so that whatever comes first on PATH stays the compiler of all other steps.
find_oldest() {
    oldest_version=$1
    if command -v rustup >/dev/null && RUSTUP_AUTO_INSTALL=0 is_oldest rustup run "$oldest_version" rustc; then
        oldest_cargo=(rustup run "$oldest_version" cargo)
    elif [[ -x /usr/bin/cargo ]] && is_oldest /usr/bin/rustc; then
        oldest_cargo=(env RUSTC=/usr/bin/rustc /usr/bin/cargo)
    elif is_oldest rustc; then
        oldest_cargo=(cargo)
    else
        return 1
    fi
}

# debian_oldest: the Debian packages that hold the toolchain, as NAME=VERSION, or nothing.
debian_oldest() {
    local suffix version
    for suffix in '' -web; do
        version=$(apt-cache madison "rustc$suffix" |
            awk -F' *[|] *' -v series="${oldest_version%.*}." 'index($2, series) == 1 { print $2; exit }')
        if [[ -n $version ]]; then
            printf '%s\n' "rustc$suffix=$version" "libstd-rust$suffix-dev=$version" "cargo$suffix=$version"
            return 0
        fi
    done
}

# need_oldest VERSION: find_oldest, and with --install bring what it did not find.
need_oldest() {
    local cure by_rustup packages
    if ! find_oldest "$1"; then
        by_rustup=(rustup toolchain install "$oldest_version" --profile minimal)
        cure=${by_rustup[*]}
        if [[ $install != yes ]]; then
            missing+=("no Rust $oldest_version; bring it with: $cure")
            return 0
        fi
        if command -v rustup >/dev/null; then
            note "+ $cure"
            timeout 600 "${by_rustup[@]}" || note "rustup has no Rust $oldest_version here: looking for Debian's"
        fi
        if ! find_oldest "$1"; then
            apt_lists
            mapfile -t packages < <(debian_oldest)
            ((${#packages[@]})) || die "no Rust $oldest_version, by rustup or from Debian; bring it with: $cure"
            apt "${packages[@]}"
            find_oldest "$1" || die "no Rust $oldest_version after installing ${packages[*]}"
        fi
    fi
    note "found: Rust $oldest_version as: $(shown "${oldest_cargo[@]}")"
}
