"""Five validators, each a pure function from analyses and evidence to findings with stable reason codes."""
