"""Import the cloud's package before pytest meets its folder.

A test file is imported under its path (`cloud.tests.test_signup`), so pytest would make a namespace package of the
folder `cloud/` and hide the distribution of that name behind it.
"""

import cloud  # noqa: F401
