#!/bin/sh
# Starts Triton on Lydia's models as deploy/local/triton.py does, for every pod or container alike. Arguments are added.
set -eu
server=/opt/tritonserver
# Two servers that share /dev/shm would write over each other's memory, and those of one host share its host name.
prefix="lydia-$(cat /proc/sys/kernel/random/uuid)-"
if [ -n "${LYDIA_TELEMETRY__OTLP_ENDPOINT:-}" ]; then
  set -- --trace-config mode=opentelemetry --trace-config "opentelemetry,url=${LYDIA_TELEMETRY__OTLP_ENDPOINT%/}/v1/traces" \
    --trace-config opentelemetry,resource=service.name=triton --trace-config rate=1 --trace-config level=TIMESTAMPS "$@"
fi
exec "$server/bin/tritonserver" \
  --model-repository /opt/lydia/models \
  --backend-directory "$server/backends" \
  --backend-config "python,shm-region-prefix-name=$prefix" \
  --disable-auto-complete-config \
  --exit-timeout-secs "${TRITON_EXIT_TIMEOUT_SECONDS:-20}" \
  --grpc-http2-min-recv-ping-interval-without-data 5000 \
  --grpc-keepalive-time 10000 \
  --grpc-keepalive-timeout 5000 \
  "$@"
