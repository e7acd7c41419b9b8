/**
 * Installs what the end-to-end tests run against, before test files run in parallel.
 */
import { installChromium } from './chromium.ts'
import { installGrpcGo } from './grpc-go.ts'
import { installNats } from './nats.ts'
import { installNewApp } from './new-app.ts'
import { installPackages } from './process.ts'
import { installPrometheus } from './prometheus.ts'
import { installProxies } from './proxies.ts'
import { installRails } from './rails.ts'
import { installStrangers } from './strangers.ts'

await installNats()
await installRails()
await installNewApp()
await installPrometheus()
await installProxies()
await installGrpcGo()
await installStrangers()
await installChromium()
// For `systemd-analyze`, which needs no systemd that runs.
await installPackages('systemd')
