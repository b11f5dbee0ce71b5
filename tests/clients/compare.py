"""Whether two answers of the query API are the same, whatever the order of their series."""

import math

TOLERANCE = 1e-9


def differences(name, one, two):
    """What differs, as sentences; empty where nothing does."""
    if one["resultType"] != two["resultType"]:
        return [f"{name}: {one['resultType']} and {two['resultType']}"]
    if one["resultType"] in ("scalar", "string"):
        return [] if same(one["result"][1], two["result"][1]) else [f"{name}: {one} and {two}"]
    left, right = by_labels(one["result"]), by_labels(two["result"])
    found = [f"{name}: only one side has {dict(key)}" for key in left.keys() ^ right.keys()]
    for key in left.keys() & right.keys():
        found += points_differ(f"{name} {dict(key)}", left[key], right[key])
    return found


def by_labels(result):
    def points(series):
        return series["values"] if "values" in series else [series["value"]]

    return {tuple(sorted(series["metric"].items())): points(series) for series in result}


def points_differ(name, one, two):
    if [time for time, _ in one] != [time for time, _ in two]:
        return [f"{name}: times {[t for t, _ in one][:5]} and {[t for t, _ in two][:5]}"]
    pairs = zip(one, two)
    return [f"{name}: {a} and {b}" for a, b in pairs if not same(a[1], b[1])][:1]


def same(one, two):
    left, right = float(one), float(two)
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    if left == right:
        return True
    return abs(left - right) <= TOLERANCE * max(abs(left), abs(right))
