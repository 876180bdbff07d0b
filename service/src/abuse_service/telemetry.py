"""What the service says about itself: log lines and metrics. No personal data, no secret, no prompt in either."""

import functools
import logging
import sys

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

log = structlog.get_logger("abuse_service")


def configure_logging(log_format: str, level: int = logging.INFO) -> None:
    """Write log lines to standard error, as text for people or JSON for programs."""
    colors = sys.stderr.isatty()
    renderer = structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer(colors)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


class Metrics:
    """The service's metrics, one registry a service. Labels hold names of ours only, never what a sender wrote."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        one = self.registry
        self.requests = Counter("abuse_http_requests", "Requests answered.", ["route", "status"], registry=one)
        self.events = Counter("abuse_events", "Events kept, by type.", ["type"], registry=one)
        self.duplicates = Counter("abuse_duplicate_events", "Events that were known already.", registry=one)
        self.conflicts = Counter("abuse_conflicting_events", "Duplicates with other content.", registry=one)
        self.rejected = Counter("abuse_rejected_events", "Events in quarantine.", registry=one)
        self.malformed = Counter("abuse_malformed_fields", "Optional fields read as absent.", registry=one)
        self.decisions = Counter("abuse_decisions", "Decisions, by verdict.", ["verdict"], registry=one)
        self.abstained = Counter(
            "abuse_rules_abstained", "Decisions in which a rule could not be told.", ["rule"], registry=one
        )
        self.degraded = Counter("abuse_degraded", "Answers given without a part that failed.", ["part"], registry=one)
        self.classify_seconds = Histogram(
            "abuse_classify_seconds",
            "Time to decide, inside the service.",
            buckets=(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0),
            registry=one,
        )
        self.position = Gauge("abuse_log_position", "Newest durable position.", registry=one)
        self.first_position = Gauge("abuse_log_first_position", "Oldest event that is kept.", registry=one)
        self.waiting_bytes = Gauge("abuse_log_waiting_bytes", "Bytes that wait for the disk.", registry=one)
        self.hot_states = Gauge("abuse_hot_states", "Entities held in memory.", registry=one)
        self.reservations = Gauge("abuse_open_reservations", "Requests whose cost is awaited.", registry=one)
        self.lost_reservations = Counter(
            "abuse_lost_reservations", "Reservations that ended without a cost report.", ["why"], registry=one
        )
        self.pending = Gauge("abuse_pending_events", "Stripe events whose user is not known yet.", registry=one)
        self.pending_seconds = Gauge(
            "abuse_pending_oldest_seconds", "How long the one waits that waits longest.", registry=one
        )
        self.erasures = Gauge("abuse_erasures_in_progress", "Identities that are being erased.", registry=one)
        self.erasure_seconds = Gauge(
            "abuse_erasure_oldest_seconds", "How long the erasure takes that takes longest.", registry=one
        )
        self.filling = Gauge("abuse_features_filling", "Features whose past is being filled in.", registry=one)
        self.guard_trips = Counter("abuse_guard_trips", "Rules that dropped to shadow by themselves.", registry=one)
        self.guarded_rules = Gauge("abuse_guarded_rules", "Rules that wait for a person.", registry=one)
        self.offline_data = Info("abuse_offline_data", "Which offline data facts are read from.", registry=one)
        self.network_files_refused = Gauge(
            "abuse_network_files_refused", "1 while new files about networks can't be read.", registry=one
        )
        self.enforcing = Gauge("abuse_enforcing", "1 while verdicts are enforced.", registry=one)

        # Looking a label up costs more than counting: the hot paths look it up once.
        self.count_request = functools.cache(self.requests.labels)
        self.count_event = functools.cache(self.events.labels)
        self.count_decision = functools.cache(self.decisions.labels)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
