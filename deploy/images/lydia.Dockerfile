# Every service of Lydia's, and the Ray nodes that her audience is decided on.
#
# `make images` fills build/images and services/*/dist first and then needs no network: what is installed comes from the
# lock, checked against its hashes. Build it from the repository's root:
#     docker build -f deploy/images/lydia.Dockerfile -t lydia:0.1.0 .

# Any image with Python 3.11 on glibc 2.35 or newer.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS built
ARG SOURCE_DATE_EPOCH=0
# Byte code has sets in it, whose order follows the seed.
ENV PYTHONHASHSEED=0
COPY LICENSE NOTICE /image/opt/lydia/app/
COPY deploy/images/bin /image/usr/local/bin
COPY services /image/opt/lydia/app/services
RUN python3 -c "import sys; sys.exit(sys.version_info[:2] != (3, 11) and 'the base image needs Python 3.11')" \
 && mkdir -p /image/etc /image/var/lib/lydia \
 && { command -v python >/dev/null || ln -s "$(command -v python3)" /image/usr/local/bin/python; } \
 # Nobody can write beside the modules later, so they are compiled now; what is installed is already.
 && python3 -m compileall -q -s /image --invalidation-mode unchecked-hash /image/opt/lydia \
 && cp /etc/passwd /etc/group /image/etc/ \
 && echo "lydia:x:10001:10001:Lydia:/tmp:/usr/sbin/nologin" >> /image/etc/passwd \
 && echo "lydia:x:10001:" >> /image/etc/group \
 # Whoever may read this checkout: in the image everybody may.
 && chmod -R u=rwX,go=rX /image \
 && chown 10001:10001 /image/var/lib/lydia \
 && find /image -exec touch -h -d "@${SOURCE_DATE_EPOCH}" {} +

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Lydia" \
      org.opencontainers.image.description="An AI host for live rooms" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Trees from the root, with every folder of theirs: a folder that is made here would have the date of this minute, and no
# two builds the same layers.
COPY build/images/packages /
COPY --from=built /image /
ENV PYTHONPATH=/opt/lydia/app:/opt/lydia/packages \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    LYDIA_DATA_DIR=/var/lib/lydia \
    LYDIA_HTTP__HOST=0.0.0.0
# Written to are /var/lib/lydia and /tmp alone; everything else may be read-only.
VOLUME /var/lib/lydia
WORKDIR /opt/lydia/app
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["lydia"]
CMD ["up"]
