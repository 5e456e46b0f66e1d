"""The gateway for assistants: service keys, subject tokens, and /api/v1/. No HTML but its own docs."""
