#!/usr/bin/env bash
# Installs what the tests need on Debian, beside Rust: the strangers of tests/peers and a few small tools.
# Does nothing, quickly, where everything is there already.
set -euo pipefail
cd "$(dirname "$0")"
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# command:package
packages=()
for need in cc:build-essential curl:curl sqlite3:sqlite3 python3:python3 openssl:openssl node:nodejs npm:npm smtp-sink:postfix \
    bearerbox:kannel /usr/lib/kannel/test/fakesmsc:kannel-extras; do
    command -v "${need%%:*}" > /dev/null || packages+=("${need##*:}")
done

# A stranger who verifies our DKIM signatures, for the system's own Python.
/usr/bin/python3 -c 'import dkim, nacl' > /dev/null 2>&1 || packages+=(python3-dkim python3-nacl)

if [ ${#packages[@]} -gt 0 ]; then
    echo "setup: installing ${packages[*]}"
    # Only their programs are wanted: an installed package must not start a service here.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" > /dev/null
        as_root chmod 755 "$policy"
        trap 'as_root rm -f "$policy"' EXIT
    fi
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" > /dev/null
fi

for component in rustfmt clippy; do
    "cargo-${component/rustfmt/fmt}" --version > /dev/null 2>&1 || rustup component add "$component"
done

# The lock file names what is installed; a copy of it in node_modules says what is there.
if ! cmp -s peers/package-lock.json peers/node_modules/.installed-from; then
    echo "setup: installing the npm packages of tests/peers"
    npm ci --prefix peers --no-progress --loglevel=error
    cp peers/package-lock.json peers/node_modules/.installed-from
fi
