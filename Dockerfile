# The images of a replica and of the simulator of platforms. Each has one program and the C library, has no shell and does not run as root.
# docker-compose.yml builds both. To build a replica's image by hand: docker build --build-arg REVISION="$(git rev-parse HEAD)" -t vitrine .

# Builds the browser bundle, which the program embeds.
FROM node:22.21-bookworm-slim AS web
WORKDIR /web
# Installs the packages in a layer of their own, so that a change of the sources does not install them again.
COPY web/package.json web/package-lock.json ./
RUN --mount=type=cache,id=vitrine-npm,target=/root/.npm npm ci --no-fund --no-audit
COPY web .
RUN node build.mjs

FROM rust:1.95-bookworm AS build
ARG PROFILE=release
ARG REVISION=unknown
WORKDIR /src
COPY . .
COPY --from=web /web/dist web/dist
# Dependencies stay compiled in the cache mounts, so a change of the sources compiles only our own packages.
# SQL is checked against .sqlx, because there is no database. `strip` keeps function names for backtraces and removes other debug data.
RUN --mount=type=cache,id=vitrine-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=vitrine-target,target=/src/target,sharing=locked \
    SQLX_OFFLINE=true VITRINE_REVISION="$REVISION" \
    cargo build --locked --package vitrine --package provider-sim --bins --profile "$PROFILE" \
    && case "$PROFILE" in dev) out=debug ;; *) out="$PROFILE" ;; esac \
    && for program in vitrine provider-sim; do \
        strip --strip-debug --output-file="/$program" "target/$out/$program" || exit; \
    done

FROM gcr.io/distroless/cc-debian12:nonroot AS provider-sim
COPY --from=build /provider-sim /usr/local/bin/provider-sim
USER 65532:65532
ENV LISTEN_ADDRESS=0.0.0.0:4100
EXPOSE 4100
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 CMD ["/usr/local/bin/provider-sim", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/provider-sim"]
CMD ["serve"]

# The default target, because it is the last.
FROM gcr.io/distroless/cc-debian12:nonroot AS vitrine
COPY --from=build /vitrine /usr/local/bin/vitrine
USER 65532:65532
ENV ENVIRONMENT=production LISTEN_ADDRESS=0.0.0.0:4001
EXPOSE 4001
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 CMD ["/usr/local/bin/vitrine", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/vitrine"]
CMD ["serve"]
