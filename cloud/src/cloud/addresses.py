"""E-mail addresses: when two are the same, and whose domain they are of."""


def normalised(email: str) -> str:
    """Return the form in which two spellings of one address are equal."""
    return email.strip().casefold()


def domain_of(email: str) -> str:
    return normalised(email).rpartition("@")[2]
