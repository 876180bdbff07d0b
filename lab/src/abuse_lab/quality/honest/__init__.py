"""Honest populations that look like abuse, one module each: ``stage(scene)`` fills a scene with them."""
