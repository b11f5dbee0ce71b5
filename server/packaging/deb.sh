#!/usr/bin/env bash
# Builds the Debian package: the program, what it prints of itself (manual pages, completions of shells), the notices of
# what it links, and the package of them, whose path is the last line. Needs cargo-deb. PROFILE=release takes less time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
profile=${PROFILE:-dist}
cargo build --profile "$profile" --locked -p chronolith-server --bin chronolith
program=target/$profile/chronolith
out=target/package
rm -rf "$out"
mkdir -p "$out/man" "$out/completions"
"$program" man "$out/man"
gzip -9n "$out"/man/*.1
"$program" completion bash >"$out/completions/chronolith"
"$program" completion zsh >"$out/completions/_chronolith"
"$program" completion fish >"$out/completions/chronolith.fish"
server/packaging/notices.py >"$out/NOTICES"
cargo deb -p chronolith-server --no-build --profile "$profile"
