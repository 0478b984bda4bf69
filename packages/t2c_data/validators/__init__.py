"""Five validators, each a pure function from what was read and run to findings with stable reason codes."""
