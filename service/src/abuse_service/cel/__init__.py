"""CEL, the language of conditions: parsed and checked by Google's engine, compiled here to Python (ADR 0010)."""
