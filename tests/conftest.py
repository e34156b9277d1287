"""What holds for every test: one torch thread, and a Ray cluster that is nobody else's."""

import os
import secrets

# Ray reads these when it is imported.
os.environ["RAY_AUTH_MODE"] = "token"
os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
os.environ["OMP_NUM_THREADS"] = "1"
