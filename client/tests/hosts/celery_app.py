"""A Celery application that reports from its tasks. Only what a worker flushes when it ends is sent."""

import os

from celery import Celery

from abuse_client import AbuseClient, events

folder = os.environ["BROKER_FOLDER"]
client = AbuseClient(linger_s=60)
client.report_event(events.user_deleted(kilo_user_id="loaded"))
client.flush(5)
app = Celery("celery_app", broker="filesystem://")
app.conf.broker_transport_options = dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), folder)


@app.task
def work(name: str) -> None:
    """Report that a task ran."""
    client.report_event(events.user_deleted(kilo_user_id=name))
