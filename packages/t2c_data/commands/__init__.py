"""The commands of `t2c-data`, one function each."""
