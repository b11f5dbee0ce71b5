"""The OpenTelemetry SDK for Python as sender of metrics over HTTP, in its own interpreter."""

import subprocess

SENDER = '''
import sys
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider, Histogram
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

exporter = OTLPMetricExporter(endpoint=sys.argv[1])
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
wide = View(instrument_name="sdk.wide", aggregation=ExponentialBucketHistogramAggregation())
resource = Resource({"service.name": "shop", "service.instance.id": "one", "host.name": "h"})
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
provider.shutdown()
'''


def run(ours, interpreter, note):
    address = ours.url + "/api/v1/otlp/v1/metrics"
    done = subprocess.run(
        [interpreter, "-c", SENDER, address],
        capture_output=True, text=True, timeout=60, check=False,
    )
    note("the OpenTelemetry SDK delivers", done.returncode == 0, done.stderr[-500:])
    expected = {
        'sdk_orders_total{kind="book", job="shop", instance="one"}': 7,
        'sdk_stock_bytes{job="shop"}': -2,
        'sdk_delay_seconds_count': 1,
        'sdk_delay_seconds_bucket{le="+Inf"}': 1,
        'histogram_sum(sdk_wide_seconds)': 7.5,
        'target_info{host_name="h", job="shop"}': 1,
    }
    for query, value in expected.items():
        found = ours.number(query)
        note(f"OpenTelemetry: {query} is {value}", found == value, found)

