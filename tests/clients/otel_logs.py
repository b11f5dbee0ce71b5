"""The OpenTelemetry SDK for Python as sender of logs over HTTP, to both addresses that take them,
and over gRPC."""

import json
import subprocess
import urllib.parse

from bed import fetch

SENDER = '''
import logging, sys, warnings
warnings.simplefilter("ignore")
if sys.argv[3] == "grpc":
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    options = {"insecure": True}
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    options = {}
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

exporter = OTLPLogExporter(endpoint=sys.argv[1], compression=Compression.Gzip, **options)
resource = Resource({"service.name": sys.argv[2], "host.name": "h"})
provider = LoggerProvider(resource=resource)
provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
logger = logging.getLogger("till")
logger.addHandler(LoggingHandler(logger_provider=provider))
logger.error("no change for %s", "coins", extra={"till": 7})
logger.warning("low on paper")
if not provider.force_flush():
    sys.exit("the export failed")
provider.shutdown()
'''


def run(ours, interpreter, note):
    for service, address, protocol in (
        ("till-loki", ours.loki + "/otlp/v1/logs", "http"),
        ("till-otlp", ours.otlp + "/v1/logs", "http"),
        ("till-grpc", ours.grpc, "grpc"),
    ):
        done = subprocess.run(
            [interpreter, "-c", SENDER, address, service, protocol],
            capture_output=True, text=True, timeout=60, check=False,
        )
        note(f"the SDK delivers logs to {address}", done.returncode == 0, done.stderr[-500:])
        query = urllib.parse.urlencode({
            "query": '{service_name="%s"} | till="7" or detected_level="warn"' % service,
            "direction": "forward",
        })
        answer = json.loads(fetch(f"{ours.loki}/loki/api/v1/query_range?{query}"))
        found = {
            stream["stream"]["detected_level"]: [line for _, line in stream["values"]]
            for stream in answer["data"]["result"]
        }
        expected = {"error": ["no change for coins"], "warn": ["low on paper"]}
        note(f"OpenTelemetry's logs of {service} are there", found == expected, answer)
    calls = ours.calls("LogsService")
    note("logs came over gRPC", calls >= 1, calls)
