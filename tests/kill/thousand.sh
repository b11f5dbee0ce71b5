#!/usr/bin/env bash
# The kill test with a thousand kills (or as many as the first argument says) and a new seed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export CHRONOLITH_KILL_CYCLES=${1:-1000} CHRONOLITH_KILL_SEED=${2:-$RANDOM}
exec cargo test --release -p chronolith-tests --test suite -- --nocapture --exact \
    kill::a_process_killed_at_any_instant_loses_nothing_acknowledged_and_invents_nothing
