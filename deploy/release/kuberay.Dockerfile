# KubeRay's operator for the release check, from its Go module (deploy/release/binaries.py builds it):
#     docker build -f deploy/release/kuberay.Dockerfile build/release/bin/kuberay-…
FROM scratch
COPY manager /manager
USER 65532:65532
ENTRYPOINT ["/manager"]
