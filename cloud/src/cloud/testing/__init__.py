"""What tests of the cloud, and of whoever embeds it, stand on: real servers on loopback, no mocks."""

from cloud.testing.sink import Received, Sink, classification_of, run_sink
from cloud.testing.town import Town

__all__ = ["Received", "Sink", "Town", "classification_of", "run_sink"]
