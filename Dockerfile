# One static binary and the well-known certificate authorities, nothing else: no shell, no libraries, no files to write to.
#   docker build -t ghcr.io/hyperstudy/hyperstudy:0.1.0 .
FROM rust:1.95.0-alpine AS build
# On Alpine the C library is musl, and what Rust builds there is static.
RUN apk add --no-cache ca-certificates musl-dev
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --bin hyperstudy \
    && cp target/release/hyperstudy /hyperstudy

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /hyperstudy /hyperstudy
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/hyperstudy"]
