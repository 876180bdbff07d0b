"""Rules as data: YAML with CEL expressions, checked and compiled at load."""
