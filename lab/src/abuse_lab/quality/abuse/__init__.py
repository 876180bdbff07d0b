"""Abusive patterns of SIGNALS, one module each: ``stage(scene)`` fills a scene with accounts that are all abusive."""
