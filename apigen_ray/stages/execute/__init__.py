"""Stage 2 (paper, section 3.2): calls are run in a sandbox, or sent by the guarded HTTP client."""
