"""The OpenTelemetry SDK for Python as sender of metrics over HTTP and gRPC, in its own
interpreter."""

import subprocess

SENDER = '''
import sys
if sys.argv[3] == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import Counter
    from opentelemetry.sdk.metrics.export import AggregationTemporality
    options = {"insecure": True, "headers": {"x-scope-orgid": "shop"},
               "preferred_temporality": {Counter: AggregationTemporality.DELTA}}
else:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    options = {}
from opentelemetry.sdk.metrics import MeterProvider, Histogram
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

exporter = OTLPMetricExporter(endpoint=sys.argv[1], **options)
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
wide = View(instrument_name="sdk.wide", aggregation=ExponentialBucketHistogramAggregation())
resource = Resource({"service.name": sys.argv[2], "service.instance.id": "one", "host.name": "h"})
provider = MeterProvider(metric_readers=[reader], views=[wide], resource=resource)
meter = provider.get_meter("sdk", "1.0")
orders = meter.create_counter("sdk.orders", unit="1", description="Orders.")
orders.add(3, {"kind": "book"})
orders.add(4, {"kind": "book"})
meter.create_up_down_counter("sdk.stock", unit="By").add(-2)
meter.create_histogram("sdk.delay", unit="s").record(0.3)
meter.create_histogram("sdk.wide", unit="s").record(7.5)
if not provider.force_flush():
    sys.exit("the export failed")
orders.add(2, {"kind": "book"})
if not provider.force_flush():
    sys.exit("the second export failed")
provider.shutdown()
'''


def run(ours, interpreter, note):
    for service, address, protocol in (
        ("shop", ours.url + "/api/v1/otlp/v1/metrics", "http"),
        ("shop-grpc", ours.grpc, "grpc"),
    ):
        done = subprocess.run(
            [interpreter, "-c", SENDER, address, service, protocol],
            capture_output=True, text=True, timeout=60, check=False,
        )
        said = done.stderr[-500:]
        # The exporters say so where they retry or give up, and end well all the same.
        is_done = done.returncode == 0 and "Traceback" not in said and "rror" not in said
        note(f"the OpenTelemetry SDK delivers over {protocol}", is_done, said)
        expected = {
            f'sdk_orders_total{{kind="book", job="{service}", instance="one"}}': 9,
            f'sdk_stock_bytes{{job="{service}"}}': -2,
            f'sdk_delay_seconds_count{{job="{service}"}}': 1,
            f'sdk_delay_seconds_bucket{{job="{service}", le="+Inf"}}': 1,
            f'histogram_sum(sdk_wide_seconds{{job="{service}"}})': 7.5,
            f'target_info{{host_name="h", job="{service}"}}': 1,
        }
        for query, value in expected.items():
            found = ours.number(query)
            note(f"OpenTelemetry: {query} is {value}", found == value, found)
    calls = ours.calls("MetricsService")
    note("metrics came over gRPC", calls >= 2, calls)
