"""Write the JSON Schemas and the OpenAPI document of the contract; with ``--check`` only compare."""

import sys

from abuse_client.contract.schema import main

if __name__ == "__main__":
    sys.exit(main())
