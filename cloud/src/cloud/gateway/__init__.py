"""The gateway: four APIs, one place that classifies, one place that reports cost, streamed or not."""
