"""Is the process alive (/healthz), can it do its work (/readyz), and how is it doing (/metrics, for Prometheus)?

Metrics are for this machine, or for whoever shows METRICS_TOKEN as a bearer token; everybody else gets the 404 of a page that is not there.
Counters are the process's own (with PROMETHEUS_MULTIPROC_DIR set, those of all processes of the machine); what stands in the database is
counted there when asked, so every process says the same. Packages declare more with `@measure`.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator

from flask import Blueprint, Response, g, jsonify, make_response, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select, text

from helpdesk import clock, db, live, parked, web
from helpdesk.errors import HelpdeskError, NotFound
from helpdesk.events import Event

log = logging.getLogger(__name__)

bp = Blueprint("health", __name__)

Measure = Callable[[], dict[str, float]]

_own = CollectorRegistry()
_requests = Counter("helpdesk_requests", "Requests answered.", ("method", "endpoint", "status"), registry=_own)
_seconds = Histogram(
    "helpdesk_request_seconds", "How long requests took.", ("endpoint",), registry=_own,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)  # fmt: skip
_measures: list[tuple[str, str, str, Measure]] = []


def measure(name: str, says: str, label: str) -> Callable[[Measure], Measure]:
    """Declare a gauge read from the database: a function called inside db.read() that gives a number for each value of its one label."""

    def declare(read: Measure) -> Measure:
        _measures.append((name, says, label, read))
        return read

    return declare


def counter(name: str, says: str, label: str) -> Counter:
    """Declare a counter of this process, with one label."""
    return Counter(name, says, (label,), registry=_own)


def seconds(name: str, says: str, label: str) -> Histogram:
    """Declare how long something takes in this process, with one label; from a tenth of a millisecond to two seconds."""
    buckets = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)
    return Histogram(name, says, (label,), registry=_own, buckets=buckets)


# --- alive, ready ------------------------------------------------------------------------------------------------------


@bp.get("/healthz")
@web.own_edge
def alive() -> Response:
    """The process answers. Nothing else is asked, so that a database that is away does not get the process killed."""
    return jsonify(status="ok")


@bp.get("/readyz")
@web.own_edge
def ready() -> Response:
    """Whether a load balancer should send people here: 503 when a part does not work. The answer says which, the log says why."""
    parts = {"database": _database, "disk": _disk}
    if web.settings().redis_url:
        parts["redis"] = _redis
    found = {name: _works(name, check) for name, check in parts.items()}
    answer = jsonify(status="ok" if all(found.values()) else "failing", **{name: "ok" if ok else "failing" for name, ok in found.items()})
    answer.status_code = 200 if all(found.values()) else 503
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _works(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except (HelpdeskError, OSError, RuntimeError) as wrong:
        log.error("not ready: %s: %s", name, wrong)
        return False
    return True


def _database() -> None:
    with db.read() as session:
        session.execute(text("SELECT 1"))


def _disk() -> None:
    """Write a little and remove it: a full disk and a read-only one both show."""
    probe = web.settings().data / f".ready-{secrets.token_hex(4)}"
    try:
        probe.write_bytes(b"ready\n" * 700)
    finally:
        probe.unlink(missing_ok=True)


def _redis() -> None:
    import redis

    try:
        with redis.Redis.from_url(web.settings().redis_url, socket_timeout=1, socket_connect_timeout=1) as link:
            link.ping()
    except redis.RedisError as wrong:
        raise OSError(str(wrong)) from wrong


# --- metrics -----------------------------------------------------------------------------------------------------------


@bp.before_app_request
def _begin() -> None:
    g.begun = time.perf_counter()


@bp.after_app_request
def _count(answer: Response) -> Response:
    endpoint = request.endpoint or "none"
    _requests.labels(
        request.method if request.method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD") else "other", endpoint, answer.status_code
    ).inc()
    if (begun := g.get("begun")) is not None:
        _seconds.labels(endpoint).observe(time.perf_counter() - begun)
    return answer


@bp.get("/metrics")
@web.own_edge
def metrics() -> Response:
    """Prometheus' text format."""
    if not _may_read():
        raise NotFound
    counters = _own
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        counters = CollectorRegistry()
        multiprocess.MultiProcessCollector(counters)  # type: ignore[no-untyped-call]
    stored = CollectorRegistry(auto_describe=False)
    stored.register(_Stored())
    answer = make_response(generate_latest(counters) + generate_latest(stored))
    answer.mimetype = "text/plain"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _may_read() -> bool:
    token = web.settings().metrics_token
    shown = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if token and shown:
        return hmac.compare_digest(shown.encode(), token.encode())
    if not web.settings().trusted_proxies and any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")):
        return False  # a proxy on this machine that nobody told us about: who asks is not this machine
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


class _Stored(Collector):
    """What the database and the open sockets say at this moment."""

    def collect(self) -> Iterator[Metric]:
        sockets = GaugeMetricFamily("helpdesk_sockets", "Screens connected to this process.")
        sockets.add_metric([], live.connected())
        yield sockets
        with db.read() as session:
            deliveries = GaugeMetricFamily("helpdesk_deliveries", "Work owed, by lane and state.", labels=("lane", "state"))
            for lane in parked.lanes():
                for state in ("due", "failing", "later", "parked"):
                    deliveries.add_metric([lane.lane, state], getattr(lane, state))
            yield deliveries
            oldest = parked.oldest_due()
            lag = GaugeMetricFamily("helpdesk_delivery_lag_seconds", "For how long the oldest due delivery has been waiting.")
            lag.add_metric([], max(0.0, (clock.now() - oldest).total_seconds()) if oldest else 0.0)
            yield lag
            stranded = CounterMetricFamily("helpdesk_stranded", "Times the sweep found work waiting beside a free agent; must stay 0.")
            found = select(func.count()).select_from(Event).where(Event.kind == "work_stranded")
            stranded.add_metric([], session.scalar(found) or 0)
            yield stranded
            for name, says, label, read in _measures:
                gauge = GaugeMetricFamily(name, says, labels=(label,))
                for value, number in read().items():
                    gauge.add_metric([value], number)
                yield gauge
