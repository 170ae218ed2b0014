# For the release check: what deploy/compose.yaml takes from a registry, made of Debian's packages and of Kafka's artifacts
# on Maven Central, with the same user, folders and way to be set as the image whose name it gets.
#     docker build -f deploy/release/compose.Dockerfile --target … --build-arg SERVERS=… --build-arg WATCHERS=… build/kafka
# SERVERS: an image with Java 17 and Redis; WATCHERS: one with HAProxy, Prometheus and wget.
ARG SERVERS
ARG WATCHERS

# https://github.com/apache/kafka/tree/trunk/docker: a class of Kafka's own turns KAFKA_… variables into its settings.
FROM ${SERVERS} AS kafka
COPY libs /opt/kafka/libs
RUN useradd --uid 1000 --create-home appuser \
 && mkdir -p /opt/kafka/bin /opt/kafka/config /etc/kafka/docker /etc/kafka/secrets /var/lib/kafka/data /mnt/shared/config \
 && printf '%s\n' '#!/bin/sh' 'set -e' \
      'from="--default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config"' \
      'set -- $from --final-configs-dir /opt/kafka/config' \
      'told=$(java -cp "/opt/kafka/libs/*" kafka.docker.KafkaDockerWrapper setup "$@" 2>&1) ||' \
      '  echo "$told" | grep "already formatted" || { echo "$told"; exit 1; }' \
      'exec java -Xmx512m -cp "/opt/kafka/libs/*" kafka.Kafka /opt/kafka/config/server.properties' > /etc/kafka/docker/run \
 && printf '%s\n' '#!/bin/sh' \
      'exec java -Xmx256m -cp "/opt/kafka/libs/*" org.apache.kafka.tools.TopicCommand "$@"' > /opt/kafka/bin/kafka-topics.sh \
 && chmod +x /etc/kafka/docker/run /opt/kafka/bin/kafka-topics.sh \
 && chown -R appuser /opt/kafka/config /etc/kafka /var/lib/kafka /mnt/shared
ENV CLUSTER_ID=5L6g3nShT-eMCtK--X86sw
USER appuser
VOLUME ["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"]
CMD ["/etc/kafka/docker/run"]

# https://github.com/redis/docker-library-redis
FROM ${SERVERS} AS redis
RUN mkdir /data && chown redis:redis /data
VOLUME /data
WORKDIR /data

# https://github.com/docker-library/haproxy
FROM ${WATCHERS} AS haproxy
STOPSIGNAL SIGUSR1
USER haproxy
WORKDIR /var/lib/haproxy

# https://github.com/prometheus/prometheus/blob/main/Dockerfile
FROM ${WATCHERS} AS prometheus
RUN ln -s /usr/bin/prometheus /bin/prometheus 2>/dev/null || test -x /bin/prometheus; \
    mkdir -p /prometheus && chown nobody:nogroup /prometheus
USER nobody
VOLUME /prometheus
WORKDIR /prometheus
ENTRYPOINT ["/bin/prometheus"]
