"""What tests of the cloud, and of whoever embeds it, stand on: real servers on loopback, no mocks."""

from cloud.testing.crowd import at_once
from cloud.testing.sink import Received, Sink, classification_of, run_sink
from cloud.testing.town import Town

__all__ = ["Received", "Sink", "Town", "at_once", "classification_of", "run_sink"]
