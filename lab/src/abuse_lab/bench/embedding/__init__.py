"""What it costs a host to embed a client: ours, the SDKs that people wire today, and the bare parts.

`subjects` and `scenarios` run in an environment of the peers, which holds nothing of the lab.
"""
