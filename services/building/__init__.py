"""How each service is built from its settings and ports: once for every way to run, which differ only in the ports.

One module per service, each with `build(settings, ports, shared) -> Part`. A module loads what its service needs and
nothing of the others.
"""
