# Triton Inference Server with Lydia's models, for processors or for GPUs.
#
# `make images` fills build/images and services/*/dist first and then needs no network. Build it from the repository's
# root. For processors, with the server that the package nvidia-pytriton holds:
#     docker build -f deploy/images/triton.Dockerfile -t lydia-triton:0.1.0 .
# For GPUs, on NVIDIA's own image, whose Python decides what `make images` lays out (see README.md beside this file):
#     docker build -f deploy/images/triton.Dockerfile --build-arg SERVER=… --build-arg KIND=gpu -t lydia-triton:0.1.0-gpu .

# For `cpu` alone: any image with Python 3.11 and its library, on glibc 2.35 or newer.
ARG BASE=python:3.11-slim-bookworm
# `cpu`, or an image with Triton in /opt/tritonserver and its Python backend, such as NVIDIA's tritonserver …-py3.
ARG SERVER=cpu

FROM ${BASE} AS wheel
ARG SOURCE_DATE_EPOCH=0
COPY build/images/server /server
WORKDIR /server/opt/lydia/packages
RUN mkdir -p /image/opt \
 && mv pytriton/tritonserver /image/opt/tritonserver \
 && mv nvidia_pytriton.libs /image/opt/tritonserver/lib \
 # The process that runs models must be of the Python that it finds.
 && mv /image/opt/tritonserver/python_backend_stubs/3.11/* /image/opt/tritonserver/backends/python/ \
 && rm -r /image/opt/tritonserver/python_backend_stubs \
 && chmod -R u=rwX,go=rX /image \
 && find /image -exec touch -h -d "@${SOURCE_DATE_EPOCH}" {} +

FROM ${BASE} AS cpu
# A tree from the root, as lydia.Dockerfile says why.
COPY --from=wheel /image /
ENV LD_LIBRARY_PATH=/opt/tritonserver/lib PATH=/opt/tritonserver/bin:$PATH

FROM ${SERVER} AS built
ARG SOURCE_DATE_EPOCH=0
# cpu or gpu: what the models' instances run on.
ARG KIND=cpu
# Byte code has sets in it, whose order follows the seed.
ENV PYTHONHASHSEED=0
WORKDIR /image/opt/lydia/app
COPY build/images/models /packages
COPY LICENSE NOTICE ./
COPY services services
RUN PYTHONPATH=/image/opt/lydia/app:/packages/opt/lydia/packages PYTHONDONTWRITEBYTECODE=1 \
    python3 -m services.core.inference.triton_repository /image/models --kind "${KIND}" \
      # The process that runs models may be told to heed no variables.
      --path /opt/lydia/app --path /opt/lydia/packages \
 # Nobody can write beside the modules later, so they are compiled now; what is installed is already, unless this is
 # another Python than the one that laid it out.
 && { [ -d /packages/opt/lydia/packages/yaml/__pycache__ ] \
      || { python3 -m compileall -q -s /packages --invalidation-mode unchecked-hash /packages || true; \
           find /packages -exec touch -h -d @315532800 {} +; }; } \
 && python3 -m compileall -q -s /image --invalidation-mode unchecked-hash /image/opt/lydia \
 && chmod -R u=rwX,go=rX /image \
 && find /image -exec touch -h -d "@${SOURCE_DATE_EPOCH}" {} +

FROM ${SERVER}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Lydia's models on Triton" \
      org.opencontainers.image.description="Triton Inference Server with the models of Lydia, an AI host for live rooms" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=built /packages /
COPY --from=built /image /
ENV PYTHONPATH=/opt/lydia/app:/opt/lydia/packages \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
# Written to are /dev/shm, through which the server and its models' processes speak, and /tmp.
WORKDIR /tmp
USER 1000:1000
EXPOSE 8000 8001 8002
# As deploy/local/triton.py starts it, which says why.
CMD ["tritonserver", "--model-repository=/models", "--disable-auto-complete-config", "--exit-timeout-secs=20", \
     "--grpc-http2-min-recv-ping-interval-without-data=5000", "--grpc-keepalive-time=10000", \
     "--grpc-keepalive-timeout=5000"]
