"""A complete small SaaS that sells LLM access and reports every event at its natural call site.

Read in this order: `context` (what every business function is given), `transactions` (report after the commit), then
the domain folders, each with `models`, `service` and `routes`.
"""
