# syntax=docker/dockerfile:1
FROM node:22-alpine AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev

FROM node:22-alpine
ENV NODE_ENV=production ANYCABLE_HOST=0.0.0.0 ANYCABLE_PORT=8080
WORKDIR /ocpp-cable
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY package.json LICENSE ./
COPY bin/ocpp-cable ./bin/ocpp-cable
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=10s --start-period=5s \
  CMD wget -q -O /dev/null "http://127.0.0.1:${ANYCABLE_PORT}/health" || exit 1
# Runs `node` as PID 1, so that it receives SIGTERM and drains.
ENTRYPOINT ["node", "bin/ocpp-cable"]
