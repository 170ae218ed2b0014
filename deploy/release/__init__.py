"""The slow proof before a release: the chart on a real Kubernetes (see "Release check" in deploy/operations.md)."""
