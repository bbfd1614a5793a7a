# One image, one binary, the embedded store: `docker compose up`.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo build --profile dist --locked --bin dunwell && cp target/dist/dunwell /usr/local/bin/dunwell

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /srv/dunwell dunwell \
    && install -d -o dunwell -g dunwell -m 700 /srv/dunwell/data
COPY --from=build /usr/local/bin/dunwell /usr/local/bin/dunwell
# Settings, the law, the words and the vendors are data: mount your own over any of them.
COPY config /srv/dunwell/config
COPY templates /srv/dunwell/templates
COPY providers /srv/dunwell/providers
WORKDIR /srv/dunwell
USER dunwell
VOLUME /srv/dunwell/data
ENV DUNWELL__SERVER__LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && head -1 <&3 | grep -q ' 200 '"]
# A stop finishes what has started.
STOPSIGNAL SIGTERM
ENTRYPOINT ["dunwell"]
CMD ["serve"]
