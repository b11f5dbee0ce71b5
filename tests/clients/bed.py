"""What tests with real clients stand on: processes on free ports that end by themselves, and
questions over HTTP."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

PATIENCE_SECONDS = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, condition):
    """Waits until the condition gives something, and returns that. An error, such as the 503 of a
    server that is not ready yet, is a reason to go on waiting."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    last = None
    while time.monotonic() < deadline:
        try:
            found = condition()
            if found:
                return found
        except (AssertionError, OSError, urllib.error.URLError, ValueError) as error:
            last = error
        time.sleep(0.2)
    raise AssertionError(f"not within {PATIENCE_SECONDS} s: {what} ({last})")


def fetch(url, data=None):
    """The body of an answer; an error's body is in the message."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, data=data), timeout=30) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{url}: {error.code} {error.read()[:400]!r}") from error


class Bed:
    """A folder of its own, and the processes that were started in it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="chronolith-clients-")
        self.started = []
        self.named = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.started:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def start(self, name, command):
        """Starts a process; what it says goes to a file beside its data."""
        log = open(self.path(name + ".log"), "wb")
        process = subprocess.Popen(
            command, cwd=self.folder.name, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        log.close()
        self.started.append(process)
        self.named[name] = process
        return process

    def stop(self, name):
        """Ends a process by its name, if it still runs, and waits for it."""
        process = self.named[name]
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)

    def said(self, name):
        with open(self.path(name + ".log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def show_last_words(self):
        for name in sorted(os.listdir(self.folder.name)):
            if name.endswith(".log"):
                print(f"--- {name}:", *self.said(name[:-4]).splitlines()[-15:], sep="\n")

    def chronolith(self, program):
        """Starts the server on an empty folder and returns its addresses by their names."""
        return self.chronolith_on(program, self.path("data"))

    def chronolith_on(self, program, data):
        """Starts a server on a data directory."""
        any_port = "127.0.0.1:0"
        name = "chronolith-" + os.path.basename(data)
        self.start(name, [
            os.path.abspath(program), "serve", "--data", data,
            "--listen-prometheus", any_port, "--listen-loki", any_port,
            "--listen-otlp-http", any_port, "--listen-otlp-grpc", any_port,
        ])

        def address(what):
            found = re.search(what + r" on (http:[^,\s]*)", self.said(name))
            return found and found.group(1)

        url = until("the server says where it listens", lambda: address("Prometheus API"))
        until("the server is ready", lambda: fetch(url + "/-/ready"))
        ours = Prometheus(url)
        ours.loki, ours.otlp = address("Loki API"), address("OTLP")
        ours.grpc = address("OTLP over gRPC")
        return ours

    def node_exporter(self):
        port = free_port()
        self.start("node_exporter", [
            "prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}",
        ])
        until("node_exporter answers", lambda: fetch(f"http://127.0.0.1:{port}/metrics"))
        return f"127.0.0.1:{port}"


class Prometheus:
    """Anything that speaks Prometheus' query API."""

    def __init__(self, url):
        self.url = url

    def ask(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        answer = json.loads(fetch(f"{self.url}/api/v1/{path}?{query}"))
        assert answer["status"] == "success", answer
        return answer["data"]

    def instant(self, query, at):
        return self.ask("query", query=query, time=f"{at:.3f}")

    def range(self, query, start, end, step):
        return self.ask(
            "query_range", query=query, start=f"{start:.3f}", end=f"{end:.3f}", step=step
        )

    def number(self, query):
        """The value of the one series of an answer, if there is one."""
        result = self.ask("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else None

    def wait_for_scrapes(self, jobs, times):
        """Waits until each of these jobs was scraped well this often, by the scraper's own word:
        it finds its targets seconds after it calls itself ready."""
        query = f'count(sum_over_time(up{{job=~"{"|".join(jobs)}"}}[10m]) >= {times})'
        until(f"{jobs} are scraped {times} times", lambda: self.number(query) == len(jobs))

    def read_forms(self):
        """How many remote reads were answered in each form."""
        text = fetch(self.url + "/metrics").decode()
        line = r'^chronolith_remote_read_answers_total\{form="(\w+)"\} (\d+)$'
        return {form: int(count) for form, count in re.findall(line, text, re.MULTILINE)}

    def calls(self, service):
        """How many calls of a gRPC service went well, by the server's own count."""
        text = fetch(self.url + "/metrics").decode()
        line = r'^chronolith_grpc_calls_total\{method="[^"]*' + service + r'[^"]*",code="0"\} (\d+)$'
        found = re.search(line, text, re.MULTILINE)
        return int(found.group(1)) if found else 0
