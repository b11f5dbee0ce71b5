#!/usr/bin/env python3
"""The notices of all crates that the program links: name, version, licence, and the texts that come with each. Texts that
many crates have in common stand there once."""

import json
import pathlib
import subprocess
import sys

NAMES = ("license", "licence", "copying", "notice", "copyright", "unlicense")


def main():
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", host()]
    told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    packages = {package["id"]: package for package in told["packages"]}
    nodes = {node["id"]: node for node in told["resolve"]["nodes"]}
    first = next(key for key, it in packages.items() if it["name"] == "chronolith-server")
    crates = sorted((packages[key] for key in linked(nodes, first)),
                    key=lambda it: (it["name"], it["version"]))
    crates = [crate for crate in crates if crate["source"]]
    texts = {}
    print("Chronolith links these crates:\n")
    for crate in crates:
        print(f"{crate['name']} {crate['version']}: {crate['license']}")
        for text in found(crate):
            texts.setdefault(text, []).append(crate["name"])
    for text, names in texts.items():
        print(f"\n{'-' * 78}\n{', '.join(names)}\n\n{text}")
    if not crates or not texts:
        sys.exit("no crates were found")


def host():
    told = subprocess.run(["rustc", "-vV"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return next(line[6:] for line in told.splitlines() if line.startswith("host: "))


def linked(nodes, first):
    """The package and all that it needs to run."""
    seen, waiting = set(), [first]
    while waiting:
        key = waiting.pop()
        if key not in seen:
            seen.add(key)
            needed = (it for it in nodes[key]["deps"]
                      if any(kind["kind"] is None for kind in it["dep_kinds"]))
            waiting.extend(it["pkg"] for it in needed)
    return seen


def found(crate):
    """The texts that lie beside a crate's manifest."""
    folder = pathlib.Path(crate["manifest_path"]).parent
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.lower().startswith(NAMES):
            yield path.read_text(encoding="utf-8", errors="replace").strip()


if __name__ == "__main__":
    main()
