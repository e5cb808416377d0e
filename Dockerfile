# The gateway in a container: the binary, what it is linked to, and nothing else; non-root, one data volume, and a root
# file system that may be mounted read-only:
#   docker build -t paperknife .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -v paperknife:/data -p 8080:8080 paperknife

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
# The gateway alone, never the workspace: no feature of another crate comes into it.
RUN cargo build --release --locked -p paperknife \
 && ./target/release/paperknife --help > /dev/null \
 && deploy/stage.sh target/release/paperknife /stage

FROM scratch
COPY --from=build /stage/root /
COPY --from=build --chown=10001:10001 /stage/data /data
USER 10001:10001
VOLUME /data
EXPOSE 8080
ENV PAPERKNIFE_SERVER__DATA=/data \
    PAPERKNIFE_SERVER__LISTEN=0.0.0.0:8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/usr/bin/paperknife", "healthcheck"]
ENTRYPOINT ["/usr/bin/paperknife"]
CMD ["serve"]
