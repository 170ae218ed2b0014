"""Real servers on this machine, for the tests, the benchmarks and `make cluster`."""
