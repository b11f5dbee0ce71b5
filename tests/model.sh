#!/usr/bin/env bash
# Runs the model test over many seeds: tests/model.sh [seeds, 20000 by default] [first seed].
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
CHRONOLITH_SEEDS=${1:-20000} CHRONOLITH_SEED=${2:-0} \
    cargo test --release --locked -p chronolith-tests --test suite model:: -- --nocapture
