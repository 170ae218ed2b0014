"""The dashboards, as code: one file declares one, `python -m deploy.dashboards` writes them for Grafana."""
