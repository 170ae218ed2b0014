# Apache Kafka for the release check, from its artifacts on Maven Central (deploy/local/kafka.py fetches and checks them):
#     docker build -f deploy/release/kafka.Dockerfile --build-arg BASE=… build/kafka
# BASE: any image with Java 17.
ARG BASE
FROM ${BASE}
COPY libs /opt/kafka/libs
USER 10001:10001
ENTRYPOINT ["java", "-XX:+UseSerialGC", "-Xmx512m", "-cp", "/opt/kafka/libs/*"]
