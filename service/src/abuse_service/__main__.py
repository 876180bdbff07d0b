"""``python -m abuse_service``."""

from abuse_service.cli import main

main()
