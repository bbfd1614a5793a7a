#!/usr/bin/env bash
# The one test command: installs what the tests need, then runs every check and every test.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

step() {
    printf '\n== %s\n' "$*"
    "$@"
}

step tests/setup.sh
step cargo fmt --check
step cargo clippy --locked --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --locked --no-deps --quiet
step cargo run --locked --quiet -- check
step cargo test --locked --doc

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
step cargo test --locked --no-fail-fast --lib --bins --tests 2>&1 | tee "$log" || failed=$?

# The sum of all test binaries, in one line.
awk '/^test result:/ { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1) } }
     END { printf "\n%d passed, %d failed\n", p, f }' "$log"
exit "$failed"
