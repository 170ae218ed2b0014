"""The alerts, as code: objectives and causes. `python -m deploy.alerts` writes them as Prometheus' rules."""
