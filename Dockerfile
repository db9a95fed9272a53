# lmbrokerd and what it needs to run, nothing else: no shell, no package manager, no write access to its own files.
#
#   docker build -t lmbroker .
#   docker run --read-only -v /etc/lmbroker:/etc/lmbroker:ro -v lmbroker:/var/lib/lmbroker -p 8443:8443 lmbroker
#
# tests/image/run.sh builds it and calls the service in it on a machine that has no container engine.
FROM debian:bookworm-slim AS build
COPY deploy/packages.sh /source/deploy/
RUN /source/deploy/packages.sh build
WORKDIR /source
COPY CMakeLists.txt CMakePresets.json ./
COPY proto proto/
COPY service service/
COPY client client/
# The list of tests alone: none is built.
COPY tests/CMakeLists.txt tests/
RUN cmake --preset release && cmake --build --preset release --target lmbrokerd --parallel "$(nproc)"
COPY deploy/image-root.sh deploy/
RUN deploy/image-root.sh build/release/lmbrokerd /image

FROM scratch
COPY --from=build /image /
USER 10001:10001
# gRPC over TLS; health and metrics over HTTP.
EXPOSE 8443 9464
# Whatever must outlive a container: database, key ring, audit log.
VOLUME /var/lib/lmbroker
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/lmbrokerd"]
CMD ["--config", "/etc/lmbroker/lmbrokerd.yaml"]
