"""The parts of the chart that come from the code: topics, users' rights and the schema of Lydia's own settings."""
