#!/usr/bin/env bash
# Full load under tiny budgets: tests/soak.sh [seconds, 1200 by default]. Fails where memory, files,
# descriptors or disk go on rising. docs/testing.md tells more.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec cargo run --release --locked -q -p chronolith-benches --bin soak -- "${1:-1200}"
