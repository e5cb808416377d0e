# The gateway in a container: non-root, one data volume, and a root file system that may be mounted read-only:
#   docker run --read-only --cap-drop ALL -v paperknife:/data -p 8080:8080 paperknife

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
# The gateway alone, never the workspace: no feature of another crate comes into it.
RUN cargo build --release --locked -p paperknife \
 && ./target/release/paperknife --help > /dev/null

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin paperknife \
 && install -d -o paperknife -g paperknife -m 0700 /data
COPY --from=build /build/target/release/paperknife /usr/local/bin/paperknife
USER paperknife
VOLUME /data
EXPOSE 8080
ENV PAPERKNIFE_SERVER__DATA=/data \
    PAPERKNIFE_SERVER__LISTEN=0.0.0.0:8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["paperknife", "healthcheck"]
ENTRYPOINT ["paperknife"]
CMD ["serve"]
