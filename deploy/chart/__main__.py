"""The chart's command: what is generated in it, and whether it is as it should be."""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from deploy.chart import readme, schema, topics
from deploy.chart.policies import breaches
from deploy.chart.render import CHART, ENVIRONMENTS, Refused, lint, render
from deploy.chart.validation import NoDefinitions, Schemas
from services.places import ROOT


def main() -> int:
    """Returns the exit code: 1 where something is stale or wrong."""
    parser = argparse.ArgumentParser(prog="python -m deploy.chart", description=__doc__)
    parser.add_argument("what", choices=("write", "check"), help="the generated files; or everything, rendered")
    try:
        return write() if parser.parse_args().what == "write" else check()
    except (Refused, NoDefinitions, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1


def stale() -> dict[str, str]:
    """Generated files that are not as they would be written now: path below the project → text."""
    wanted = {
        CHART / "files" / "topics.yaml": topics.text(),
        CHART / "values.schema.json": schema.text(),
        readme.README: readme.text(),
    }
    return {
        str(path.relative_to(ROOT)): text
        for path, text in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }


def write() -> int:
    """Writes them."""
    for path, text in stale().items():
        (ROOT / path).write_text(text, encoding="utf-8")
        print(f"{path} is new")
    return 0


def check() -> int:
    """Lints the chart, renders it for every environment, and holds the manifests against schemas and policies."""
    wrong = [f"{path} is stale. Mend: run python -m deploy.chart write" for path in stale()]
    schemas = Schemas()
    for name, values in ENVIRONMENTS.items():
        lint(values)
        manifests = render(values)
        kinds = Counter(str(manifest["kind"]) for manifest in manifests)
        print(f"{name}: {len(manifests)} objects ({', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))})")
        wrong += [f"{name}: {told}" for manifest in manifests for told in schemas.problems(manifest)]
        wrong += [f"{name}: {told}" for told in breaches(manifests)]
    for told in wrong:
        print(told, file=sys.stderr)
    schemas.complete()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
